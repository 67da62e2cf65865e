"""The link layer on real wires: two VLAN tags, jumbo frames of both families, ports with several
queues whose driver (net_af_packet with a fanout) spreads them over two and four workers."""
import collections
import random

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS,
                                ICMPv6NDOptDstLLAddr, IPv6, IPv6ExtHdrFragment)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from lab import wait_until
from world import CONTROL, PERMIT_ALL, SYSTEM, Sentinel, ether, exactly, ip4, is_ip, two_networks

TAGS = {"q": (100, 10), "outer": (200, None), "inner": (None, 10), "other": (10, 100)}
NET = {"q": 31, "outer": 32, "inner": 33, "other": 34}


def trunk(lab, kind):
    """lan, and on trunk an interface for each of TAGS, with one host each: static neighbours."""
    ifaces, neighbours = "", ""
    for name, (outer, inner) in TAGS.items():
        tags = (f"outer-vlan = {outer}; " if outer else "") + (f"vlan = {inner}; " if inner else "")
        ifaces += f""",
    {{ name = "{name}"; port = "trunk"; {tags}urpf = "strict"; dad-transmits = 0;
       addresses = [ "10.{NET[name]}.0.1/24", "2001:db8:{NET[name]}::1/64" ]; }}"""
        neighbours += f""",
    {{ interface = "{name}"; address = "10.{NET[name]}.0.2"; mac = "{lab.trunk.mac}"; }}"""
    return SYSTEM + lab.ports(kind) + f"""
interfaces = (
    {{ name = "lan"; addresses = [ "10.1.0.1/24" ]; }}{ifaces}
);
neighbours = (
    {{ interface = "lan"; address = "10.1.0.2"; mac = "{lab.lan.mac}"; }}{neighbours}
);
""" + CONTROL + ip4() + PERMIT_ALL


@pytest.fixture(scope="module", params=["packet", "pcap"])
def tagged(request, module_labs):
    """The wire is wider than the port's MTU: two tags are more than the kernel adds by itself."""
    lab = module_labs("lan", "trunk", mtu=1600)
    lab.daemon = lab.start(trunk(lab, request.param))
    return lab


def head(lab, name, kind=Dot1AD, dst=None):
    outer, inner = TAGS[name]
    header = Ether(src=lab.trunk.mac, dst=dst or lab.mac["trunk"])
    if outer:
        header /= kind(vlan=outer)
    return header / Dot1Q(vlan=inner) if inner else header


def tags_of(frame):
    """(VLAN of the 802.1ad tag, VLAN of the 802.1Q tag) and what is behind them."""
    packet = Ether(frame)
    outer = inner = None
    layer = packet.payload
    if packet.type == 0x88a8:
        outer, layer = layer.vlan, layer.payload
    if isinstance(layer, Dot1Q):
        inner, layer = layer.vlan, layer.payload
    return (outer, inner), layer


@pytest.mark.parametrize("name", TAGS)
@pytest.mark.parametrize("size", [18, 1472])
def test_tags_in_and_out(tagged, name, size):
    for kind in (Dot1AD, Dot1Q):  # 802.1Q twice is how older switches write it
        tagged.lan.wire.clear()
        packet = IP(src=f"10.{NET[name]}.0.2", dst="10.1.0.2", id=21) / UDP() / Raw(bytes(size))
        tagged.trunk.wire.send(head(tagged, name, kind) / packet)
        came = Ether(tagged.lan.wire.until(lambda f: is_ip(f, id=21))[-1])
        assert came.type == 0x0800 and came[IP].len == size + 28
    tagged.trunk.wire.clear()
    tagged.lan.wire.send(ether(tagged) / IP(src="10.1.0.2", dst=f"10.{NET[name]}.0.2", id=22)
                         / UDP() / Raw(bytes(size)))
    tags, packet = tags_of(tagged.trunk.wire.until(lambda f: is_ip(f, id=22))[-1])
    assert tags == TAGS[name] and packet[IP].len == size + 28


@pytest.mark.parametrize("name", TAGS)
def test_arp_behind_tags(tagged, name):
    tagged.trunk.wire.clear()
    tagged.trunk.wire.send(head(tagged, name, dst="ff:ff:ff:ff:ff:ff")
                           / ARP(hwsrc=tagged.trunk.mac, psrc=f"10.{NET[name]}.0.2",
                                 pdst=f"10.{NET[name]}.0.1"))
    tags, arp = tags_of(tagged.trunk.wire.until(
        lambda f: ARP in Ether(f) and Ether(f)[ARP].op == 2)[-1])
    assert tags == TAGS[name] and arp[ARP].hwsrc == tagged.mac["trunk"]


@pytest.mark.parametrize("name", TAGS)
def test_neighbour_discovery_behind_tags(tagged, name):
    """The gateway asks who that is, with the tags, and answers with them."""
    net = f"2001:db8:{NET[name]}::"
    tagged.trunk.wire.clear()
    tagged.trunk.wire.send(head(tagged, name) / IPv6(src=net + "77", dst=net + "1")
                           / ICMPv6EchoRequest(id=5))
    tags, _ = tags_of(tagged.trunk.wire.until(
        lambda f: ICMPv6ND_NS in Ether(f) and Ether(f)[ICMPv6ND_NS].tgt == net + "77")[-1])
    assert tags == TAGS[name]
    tagged.trunk.wire.send(head(tagged, name) / IPv6(src=net + "77", dst=net + "1", hlim=255)
                           / ICMPv6ND_NA(tgt=net + "77", R=0, S=1, O=1)
                           / ICMPv6NDOptDstLLAddr(lladdr=tagged.trunk.mac))
    tags, echo = tags_of(tagged.trunk.wire.until(lambda f: ICMPv6EchoReply in Ether(f))[-1])
    assert tags == TAGS[name] and echo[IPv6].src == net + "1"


def test_tags_of_nobody(tagged):
    before = tagged.daemon.drops()
    packet = IP(src="10.31.0.2", dst="10.1.0.2") / UDP()
    mac = {"src": tagged.trunk.mac, "dst": tagged.mac["trunk"]}
    for header in (Ether(**mac) / Dot1AD(vlan=100) / Dot1Q(vlan=11),
                   Ether(**mac) / Dot1AD(vlan=101) / Dot1Q(vlan=10),
                   Ether(**mac) / Dot1Q(vlan=11), Ether(**mac)):
        tagged.trunk.wire.send(header / packet)
    tagged.trunk.wire.send(Ether(**mac) / Dot1AD(vlan=100) / Dot1Q(vlan=10) / Dot1Q(vlan=1)
                           / packet)
    wait_until("all to be dropped", lambda: exactly(before, tagged.daemon.drops())
               == {"eth-no-interface": 4, "eth-unknown-type": 1})


# --- jumbo frames

JUMBO = SYSTEM + """
interfaces = (
    { name = "lan"; zone = "secure"; addresses = [ "10.1.0.1/24", "2001:db8:1::1/64" ]; },
    { name = "wan"; addresses = [ "10.2.0.1/24", "2001:db8:2::1/64" ]; },
    { name = "small"; mtu = 1500; addresses = [ "10.3.0.1/24", "2001:db8:3::1/64" ]; }
);
""" + CONTROL + ip4() + PERMIT_ALL


def test_jumbo_between_hosts(make_lab):
    """Real hosts, both families; the third network takes 1500 only and says so. By pcap: DPDK's
    net_af_packet admits to 1,500."""
    lab = make_lab("lan", "wan", "small", mtu=9000)
    for i, host in enumerate((lab.lan, lab.wan, lab.small), 1):
        host.address(f"10.{i}.0.2/24", f"10.{i}.0.1")
        host.run("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")
        host.run("ip", "-6", "addr", "add", f"2001:db8:{i}::2/64", "dev", "eth0", "nodad")
        host.run("ip", "-6", "route", "add", "default", "via", f"2001:db8:{i}::1")
    daemon = lab.start(JUMBO + lab.ports("pcap", "mtu = 9000;"))
    wait_until("our addresses to be our own",
               lambda: not any(i.get("tentative") for i in daemon.rpc("show.ports")["interfaces"]))
    assert lab.lan.ping("10.2.0.2", "-s", 8972, "-M", "do")
    assert lab.lan.ping("2001:db8:2::2", "-6", "-s", 8952, "-M", "do")
    assert lab.wan.ping("10.1.0.1", "-s", 8972, "-M", "do")
    assert lab.wan.ping("2001:db8:1::1", "-6", "-s", 8952, "-M", "do")
    for address, more, size in (("10.3.0.2", (), 8972), ("2001:db8:3::2", ("-6",), 8952)):
        said = lab.lan.run("ping", "-n", *more, "-c", 2, "-i", "0.1", "-W", 5, "-s", size,
                           "-M", "do", address, check=False).stdout
        assert "mtu=1500" in said or "mtu = 1500" in said, said
        assert lab.lan.ping(address, *more, "-s", 1400)
    # the hosts' kernels say things to groups of their own
    assert set(daemon.drops()) - {"ip6-multicast"} == {"mtu-exceeded"}


# --- several queues

FLOWS, EACH = 48, 20
AT_ONCE = 5  # of each flow: net_af_packet's rings hold that while workers wait for a CPU


@pytest.fixture(scope="module", params=[(2, 2), (4, 4), (4, 2), (4, 1)],
                ids=lambda p: f"{p[0]} workers, {p[1]} queues")
def queues(request, module_labs):
    """qpairs sockets with a fanout by flow hash for each port. Four workers share two CPUs."""
    workers, n = request.param
    lab = module_labs("lan", "wan")
    lab.DEVICES = dict(lab.DEVICES, queues=lab.DEVICES["packet"] + f",qpairs={n}")
    neighbours = "".join(
        f', {{ interface = "{port}"; address = "2001:db8:{i}::2"; mac = "{lab.host[port].mac}"; }}'
        for i, port in ((1, "lan"), (2, "wan")))
    conf = two_networks(lab, system=SYSTEM.replace("workers = 1", f"workers = {workers}"),
                        kind="queues", interfaces=JUMBO[JUMBO.index("interfaces"):].replace(
                            '''},
    { name = "small"; mtu = 1500; addresses = [ "10.3.0.1/24", "2001:db8:3::1/64" ]; }''', "}")
                        .split(");")[0] + ");\n")
    conf = conf.replace("\n);\ncontrol", neighbours + "\n);\ncontrol").replace(
        'qpairs=' + str(n) + '"', f'qpairs={n}"; rx-queues = {n}; tx-queues = {n}')
    lab.workers, lab.n = workers, n
    lab.daemon = lab.start(conf)
    return lab


def per_worker(lab, what):
    return [what(w) for w in lab.daemon.rpc("show.workers")["workers"]]


def test_queues_are_shared_out(queues):
    listed = [sorted((q["port"], q["queue"]) for q in w["queues"])
              for w in queues.daemon.rpc("show.workers")["workers"]]
    assert sorted(sum(listed, [])) == sorted((p, q) for p in ("lan", "wan")
                                             for q in range(queues.n))
    ports = {p["name"]: p for p in queues.daemon.rpc("show.ports")["ports"]}
    assert {p["spread"] for p in ports.values()} == {
        "software" if queues.n < queues.workers else "device"}


@pytest.mark.parametrize("family", [4, 6])
def test_flows_keep_their_order(queues, family):
    """Of many flows in both directions, whichever worker has them; and nothing is lost."""
    def ip(by):
        a, b = ("1", "2") if by == "lan" else ("2", "1")
        return IP(src=f"10.{a}.0.2", dst=f"10.{b}.0.2") if family == 4 else \
            IPv6(src=f"2001:db8:{a}::2", dst=f"2001:db8:{b}::2")
    before = queues.daemon.totals()
    for by, to in (("lan", "wan"), ("wan", "lan")):
        there = queues.host[to].wire
        there.clear()
        came = collections.defaultdict(list)
        for first in range(0, EACH, AT_ONCE):
            queues.host[by].wire.send(
                *[bytes(ether(queues, by) / ip(by) / UDP(sport=2000 + flow, dport=7)
                        / (b"%05d" % n))
                  for n in range(first, first + AT_ONCE) for flow in range(FLOWS)])
            for _ in range(FLOWS * AT_ONCE):
                frame = there.until(lambda f: UDP in Ether(f) and Ether(f)[UDP].dport == 7)[-1]
                udp = Ether(frame)[UDP]
                came[udp.sport].append(int(bytes(udp[Raw])[:5]))
        assert dict(came) == {2000 + flow: list(range(EACH)) for flow in range(FLOWS)}
    after = queues.daemon.totals()
    assert after["dropped"] == before["dropped"]
    assert after["received"] - before["received"] >= 2 * FLOWS * EACH
    # every worker has had something to do
    assert all(per_worker(queues, lambda w: w["received"] + w["handoff_in"]["rx"]))


def test_fragments_come_through(queues):
    """In whatever order, by whatever queue: each once, as it was. Of IPv6: those of IPv4 the kernel
    puts together for its fanout, before they get here (test_workers.py has them by pcap)."""
    rng = random.Random(7)
    queues.wan.wire.clear()
    want = collections.Counter()
    for ident in range(40):
        pieces = [IPv6(src="2001:db8:1::2", dst="2001:db8:2::2")
                  / IPv6ExtHdrFragment(nh=17, id=ident, offset=2 * k, m=int(k < 2))
                  / Raw(bytes([k + 1]) * 16) for k in range(3)]
        rng.shuffle(pieces)
        queues.lan.wire.send(*[ether(queues) / p for p in pieces])
        want.update((ident, 2 * k) for k in range(3))
    came = collections.Counter()
    while sum(came.values()) < 120:
        f = Ether(queues.wan.wire.until(lambda f: IPv6ExtHdrFragment in Ether(f))[-1])
        came[(f[IPv6ExtHdrFragment].id, f[IPv6ExtHdrFragment].offset)] += 1
    assert came == want


def test_echo_by_whichever_worker(queues):
    """Pings of many hosts are answered once each."""
    queues.lan.wire.clear()
    queues.lan.wire.send(*[ether(queues) / IP(src="10.1.0.2", dst="10.1.0.1") / ICMP(id=n)
                           for n in range(60)])
    came = {Ether(queues.lan.wire.until(lambda f: ICMP in Ether(f) and Ether(f)[ICMP].type == 0)
                  [-1])[ICMP].id for _ in range(60)}
    assert came == set(range(60))
    for _ in range(5):  # what the box says of itself meanwhile, such as its addresses, is no answer
        assert [f for f in Sentinel.send(queues) if ICMP in Ether(f)] == []


def test_tcp_both_ways(queues):
    """Both directions of a connection: each segment arrives once."""
    for sport in range(3000, 3020):
        for by, to, a, b, s, d in (("lan", "wan", 1, 2, sport, 80),
                                   ("wan", "lan", 2, 1, 80, sport)):
            queues.host[to].wire.clear()
            queues.host[by].wire.send(ether(queues, by) / IP(src=f"10.{a}.0.2", dst=f"10.{b}.0.2")
                                      / TCP(sport=s, dport=d))
            came = Ether(queues.host[to].wire.until(lambda f: TCP in Ether(f))[-1])
            assert came[TCP].sport == s
