"""Every drop reason that can be caused from outside: the packet that causes it counts under exactly
that reason, nothing is forwarded, and its sender gets the right ICMP error, or none.
"""
import struct

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_LSRR, IPOption_NOP, IPOption_RR, \
    IPOption_SSRR, IPOption_Timestamp
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from lab import wait_until
from world import CONTROL, SYSTEM, Sentinel, ether, exactly, icmp_errors, ip4, \
    is_ip

CONF = """
interfaces = (
    {{ name = "lan"; zone = "secure"; addresses = [ "10.1.0.1/24" ]; }},
    {{ name = "wan"; zone = "nonsecure"; addresses = [ "10.2.0.1/24" ]; }},
    {{ name = "narrow"; port = "wan"; vlan = 10; mtu = 576; addresses = [ "10.3.0.1/24" ]; }},
    {{ name = "strict"; port = "lan"; vlan = 20; urpf = "strict"; addresses = [ "10.4.0.1/24" ]; }},
    {{ name = "loose"; port = "lan"; vlan = 30; urpf = "loose"; addresses = [ "10.5.0.1/24" ]; }},
    {{ name = "off"; port = "lan"; vlan = 40; enabled = false; addresses = [ "10.6.0.1/24" ]; }}
);
routes = (
    {{ to = "10.50.0.0/16"; via = "10.2.0.2"; }},
    {{ to = "10.60.0.0/16"; type = "blackhole"; }},
    {{ to = "10.61.0.0/16"; type = "unreachable"; }},
    {{ to = "10.62.0.0/16"; type = "prohibit"; }}
);
neighbours = (
    {{ interface = "lan"; address = "10.1.0.2"; mac = "{lan}"; }},
    {{ interface = "wan"; address = "10.2.0.2"; mac = "{wan}"; }},
    {{ interface = "narrow"; address = "10.3.0.2"; mac = "{wan}"; }},
    {{ interface = "strict"; address = "10.4.0.2"; mac = "{lan}"; }},
    {{ interface = "loose"; address = "10.5.0.2"; mac = "{lan}"; }}
);
filter = {{ rules = (
    {{ action = "deny"; proto = "udp"; dport = "eq 9001"; direction = "inbound"; }},
    {{ action = "deny"; proto = "udp"; dport = "eq 9002"; direction = "outbound"; }},
    {{ action = "permit"; proto = "icmp"; }},
    {{ action = "permit"; proto = "tcp"; }},
    {{ action = "permit"; proto = "udp"; }},
    {{ action = "permit"; proto = 132; }},
    {{ action = "permit"; proto = 47; direction = "inbound"; }},
    {{ action = "permit"; proto = 99; scope = "local"; }}
); }};
arp = {{ retry-ms = 50; retries = 2; queue = 4; }};
"""

# Why no packet from outside can cause these here; the graph tests do.
NOT_FROM_OUTSIDE = {
    "eth-truncated": "the kernel drops frames that end within their header or tag",
    "eth-segmented": "net_af_packet and net_pcap deliver one buffer",
    "arp-ring-full": "takes a control core that does not keep up",
    "ip4-options": "another setting of ip4.options: test_options.py",
    "arp-rate": "test_rates.py",
    "icmp-echo-rate": "test_rates.py",
    **dict.fromkeys((
        "ip6-truncated", "ip6-version", "ip6-jumbo", "ip6-source-martian",
        "ip6-destination-martian", "ip6-multicast", "ip6-unicast-in-multicast",
        "ip6-extension-truncated", "ip6-extension-headers-max", "ip6-hop-by-hop-place",
        "ip6-routing-header", "ip6-option", "ip6-l4-truncated", "ip6-tiny-fragment",
        "ip6-fragment-invalid", "ip6-link-local", "ip6-beyond-scope", "nd-hop-limit",
        "nd-fragment", "nd-invalid"), "test_ip6.py"),
    "ip6-off": "test_nd.py",
    "mld-invalid": "test_mld.py",
    "nd-rate": "takes more of a flood than a slow machine sends",
    "nd-ring-full": "takes a control core that does not keep up",
    "local-tentative": "takes a packet in the second after the start",
    "neighbour-refused": "takes a scan that is faster than nd.resolve-rate",
    **dict.fromkeys(("frag-duplicate", "frag-timeout", "frag-source-limit", "frag-table-full"),
                    "test_fragments.py"),
    "frag-no-buffer": "takes a pool that is used up",
    "frag-walk-full": "takes more large packets in a burst than fit on a wire",
    "neighbour-queue-full": "test_arp.py",
    "neighbour-failed": "test_arp.py",
    "neighbour-stale": "test_arp.py",
    "neighbour-timeout": "takes a control core that never answers",
    "link-down": "takes a packet in the moment before its route goes with the link",
    "tx-full": "the kernel takes what comes",
    **dict.fromkeys((
        "policy-in-clear", "policy-in-discard", "policy-out-discard", "ipsec-selector",
        "ipsec-bundle", "ipsec-unknown-spi", "ipsec-no-sa", "ipsec-replay", "ipsec-integrity",
        "ipsec-truncated", "ipsec-padding", "ipsec-mode", "ipsec-sequence", "ipsec-lifetime",
        "ipsec-too-big", "ipsec-segments", "ipsec-ecn", "ipsec-nesting"),
        "takes a tunnel: test/graph/test_ipsec_drops.c"),
    "ipsec-handoff-full": "takes a worker that does not keep up",
    "handoff-full": "takes a worker that does not keep up",
    "inject-invalid": "only the control core injects",
}


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    lab.daemon = lab.start(
        SYSTEM + lab.ports("pcap") + CONF.format(lan=lab.lan.mac, wan=lab.wan.mac)
        + CONTROL + ip4())
    return lab


def ip(dst="10.2.0.2", src="10.1.0.2", **more):
    return IP(src=src, dst=dst, **more)


UDP_OUT = UDP(sport=4000, dport=4001) / Raw(b"x" * 20)


class Case:
    def __init__(self, name, reason, frames, error=None, port="lan", vlan=None, ether_fields=None):
        self.name, self.reason, self.error = name, reason, error
        self.frames = frames if isinstance(frames, list) else [frames]
        self.port, self.vlan, self.ether = port, vlan, ether_fields or {}

    def build(self, lab):
        more = {"type": 0x0800} if isinstance(self.frames[0], Raw) else {}
        return [ether(lab, self.port, self.vlan, **{**more, **self.ether}) / f
                for f in self.frames]


def patched(packet, offset, value):
    """The bytes of an IP packet with one put in its place; its checksum is left as it was."""
    data = bytearray(bytes(packet))
    data[offset:offset + len(value)] = value
    return Raw(bytes(data))


def resummed(packet, offset, value):
    """The same with a checksum that is right again."""
    data = bytearray(bytes(packet))
    data[offset:offset + len(value)] = value
    data[10:12] = b"\0\0"
    words = struct.unpack(f"!{(data[0] & 15) * 2}H", data[:(data[0] & 15) * 4])
    total = sum(words)
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    data[10:12] = struct.pack("!H", ~total & 0xffff)
    return Raw(bytes(data))


def fragment(offset, more, proto=17, data=b"x" * 24, dst="10.2.0.2", number=77, **fields):
    return ip(dst, frag=offset // 8, flags="MF" if more else 0, proto=proto, id=number,
              **fields) / Raw(data)


def for_us(number, *pieces, **fields):
    """Fragments of one datagram for the box: (offset, more, data) each."""
    return [fragment(offset, more, data=data, dst="10.1.0.1", number=number, **fields)
            for offset, more, data in pieces]


NET, HOST, PROTO, PORT, PROHIBITED = (3, 0), (3, 1), (3, 2), (3, 3), (3, 13)
BROADCAST = {"dst": "ff:ff:ff:ff:ff:ff"}
GROUP = {"dst": "01:00:5e:00:00:09"}
TCP_OUT = TCP(sport=4000, dport=80, flags="S")

CASES = [
    # link layer
    Case("another host's MAC", "eth-not-for-us", ip() / UDP_OUT,
         ether_fields={"dst": "02:00:00:00:99:99"}),
    Case("IPv6", "ip6-not-configured", Raw(b"\x60" + bytes(60)), ether_fields={"type": 0x86dd}),
    Case("type 0", "eth-unknown-type", Raw(bytes(60)), ether_fields={"type": 0}),
    Case("802.3 length", "eth-unknown-type", Raw(bytes(60)), ether_fields={"type": 60}),
    Case("two tags", "eth-no-interface", Dot1Q(vlan=1) / ip() / UDP_OUT, vlan=20),
    Case("a VLAN that nobody configured", "eth-no-interface", ip() / UDP_OUT, vlan=99),
    Case("a disabled interface", "eth-interface-down", ip(src="10.6.0.2") / UDP_OUT, vlan=40),
    # ARP
    Case("ARP cut", "arp-invalid", Raw(bytes(ARP())[:27]), ether_fields={"type": 0x0806}),
    Case("ARP for another hardware", "arp-invalid", ARP(hwtype=6, pdst="10.1.0.1")),
    Case("ARP for another protocol", "arp-invalid",
         Raw(bytes(ARP(pdst="10.1.0.1")).replace(b"\x08\0\x06\x04", b"\x86\xdd\x06\x04")),
         ether_fields={"type": 0x0806}),
    Case("ARP with long addresses", "arp-invalid",
         Raw(bytes(ARP(pdst="10.1.0.1")).replace(b"\x08\0\x06\x04", b"\x08\0\x08\x04")),
         ether_fields={"type": 0x0806}),
    # IPv4 header
    Case("version 5", "ip4-version", patched(ip() / UDP_OUT, 0, b"\x55")),
    Case("version 6 as IPv4", "ip4-version", patched(ip() / UDP_OUT, 0, b"\x65")),
    *[Case(f"header length {n * 4}", "ip4-version", resummed(ip() / UDP_OUT, 0, bytes([0x40 + n])))
      for n in range(5)],
    Case("header longer than the packet", "ip4-truncated",
         patched(ip() / Raw(b"x" * 8), 0, b"\x4f")),
    Case("total length below the header", "ip4-truncated",
         resummed(ip() / UDP_OUT, 2, b"\0\x13")),
    Case("total length 0", "ip4-truncated", resummed(ip() / UDP_OUT, 2, b"\0\0")),
    Case("total length beyond the frame", "ip4-truncated",
         resummed(ip() / UDP_OUT, 2, b"\x05\xdc")),
    Case("an empty packet", "ip4-truncated", Raw(b""), ether_fields={"type": 0x0800}),
    Case("checksum", "ip4-checksum", ip(chksum=0x1234) / UDP_OUT),
    Case("checksum of zero", "ip4-checksum", ip(chksum=0) / UDP_OUT),
    Case("checksum over options", "ip4-checksum",
         ip(options=[IPOption_NOP()], chksum=0x1234) / UDP_OUT),
    # addresses
    *[Case(f"source {a}", "ip4-source-martian", ip(src=a) / UDP_OUT)
      for a in ("0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.5", "239.255.255.255", "240.0.0.1",
                "255.255.255.255")],
    Case("our own source", "ip4-source-martian", ip(src="10.1.0.1") / UDP_OUT),
    Case("our own source of another interface", "ip4-source-martian",
         ip(src="10.2.0.1") / UDP_OUT),
    *[Case(f"destination {a}", "ip4-destination-martian", ip(a) / UDP_OUT)
      for a in ("0.0.0.0", "0.255.0.1", "127.0.0.1", "127.255.255.255", "240.0.0.1",
                "254.1.2.3")],
    Case("multicast", "ip4-multicast", ip("224.0.0.9") / UDP_OUT, ether_fields=GROUP),
    Case("multicast in a unicast frame", "ip4-multicast", ip("239.1.1.1") / UDP_OUT),
    Case("limited broadcast", "ip4-broadcast", ip("255.255.255.255") / UDP_OUT,
         ether_fields=BROADCAST),
    Case("limited broadcast in a unicast frame", "ip4-broadcast", ip("255.255.255.255") / UDP_OUT),
    Case("subnet broadcast", "ip4-broadcast", ip("10.1.0.255") / UDP_OUT, ether_fields=BROADCAST),
    Case("old broadcast", "ip4-broadcast", ip("10.1.0.0") / UDP_OUT, ether_fields=BROADCAST),
    Case("broadcast of another subnet", "ip4-broadcast", ip("10.2.0.255") / UDP_OUT),
    Case("ping to the broadcast address", "ip4-broadcast", ip("10.1.0.255") / ICMP(),
         ether_fields=BROADCAST),
    Case("unicast in a broadcast frame", "ip4-unicast-in-broadcast", ip() / UDP_OUT,
         ether_fields=BROADCAST),
    Case("for us in a multicast frame", "ip4-unicast-in-broadcast", ip("10.1.0.1") / ICMP(),
         ether_fields=GROUP),
    # options
    Case("loose source route", "ip4-source-route",
         ip(options=[IPOption_LSRR(routers=["10.2.0.9"])]) / UDP_OUT),
    Case("strict source route", "ip4-source-route",
         ip(options=[IPOption_SSRR(routers=["10.2.0.9"])]) / UDP_OUT),
    Case("source route behind others", "ip4-source-route",
         ip(options=[IPOption_NOP(), IPOption_RR(routers=["0.0.0.0"]),
                     IPOption_LSRR(routers=["10.2.0.9"])]) / UDP_OUT),
    Case("option of length 0", "ip4-bad-option", ip(options=[Raw(b"\x07\0\0\0")]) / UDP_OUT),
    Case("option of length 1", "ip4-bad-option", ip(options=[Raw(b"\x07\x01\0\0")]) / UDP_OUT),
    Case("option beyond the header", "ip4-bad-option", ip(options=[Raw(b"\x07\x09\x04\0")])
         / UDP_OUT),
    Case("option without its length", "ip4-bad-option", ip(options=[Raw(b"\x01\x01\x01\x07")])
         / UDP_OUT),
    # transport header
    *[Case(f"TCP of {n} bytes", "ip4-l4-truncated", ip(proto=6) / Raw(bytes(TCP_OUT)[:n]))
      for n in (0, 1, 19)],
    Case("TCP with a short offset", "ip4-l4-truncated", ip() / TCP(dataofs=4, flags="S")),
    *[Case(f"UDP of {n} bytes", "ip4-l4-truncated", ip(proto=17) / Raw(b"x" * n))
      for n in (0, 1, 7)],
    *[Case(f"ICMP of {n} bytes", "ip4-l4-truncated", ip(proto=1) / Raw(b"\x08" * n))
      for n in (0, 1, 7)],
    *[Case(f"SCTP of {n} bytes", "ip4-l4-truncated", ip(proto=132) / Raw(b"x" * n))
      for n in (0, 3)],
    # fragments
    Case("first fragment without the TCP header", "ip4-tiny-fragment",
         fragment(0, True, 6, bytes(TCP_OUT)[:16])),
    Case("first fragment of 8 bytes of TCP", "ip4-tiny-fragment",
         fragment(0, True, 6, bytes(TCP_OUT)[:8])),
    Case("fragment over the TCP flags", "ip4-tiny-fragment", fragment(8, False, 6)),
    Case("fragment that is no multiple of 8", "ip4-fragment-invalid",
         fragment(0, True, 17, b"x" * 25)),
    Case("empty fragment in the middle", "ip4-fragment-invalid", fragment(800, True, 17, b"")),
    Case("fragment beyond 65,535 bytes", "ip4-fragment-invalid",
         fragment(65528, False, 17, b"x" * 16)),
    # fragments for this box
    Case("overlapping fragments", "frag-overlap",
         for_us(1, (0, True, b"x" * 24), (16, False, b"x" * 24), (64, False, b"x"))),
    Case("the same place, other bytes", "frag-overlap",
         for_us(2, (24, True, b"x" * 24), (24, True, b"y" * 24))),
    Case("two ends", "frag-inconsistent",
         for_us(3, (48, False, b"x" * 24), (24, False, b"x" * 8))),
    Case("more behind the end", "frag-inconsistent",
         for_us(4, (48, False, b"x" * 24), (96, True, b"x" * 8))),
    Case("65 fragments", "frag-too-many",
         for_us(5, *[(8 * i, True, b"x" * 8) for i in range(65)])),
    Case("a first fragment whose options make it too long", "frag-too-long",
         for_us(6, *[(8 + 1280 * i, i < 51, b"x" * (1280 if i < 51 else 227)) for i in range(52)])
         + [fragment(0, True, data=b"x" * 8, dst="10.1.0.1", number=6,
                     options=[IPOption_NOP()])]),
    Case("congestion beside not ECN-capable", "frag-ecn",
         for_us(7, (0, True, b"x" * 24), tos=3) + for_us(7, (24, False, b"x"), tos=0)),
    # routing
    Case("no route", "no-route", ip("192.0.2.1") / UDP_OUT, NET),
    Case("no route, a later fragment", "no-route", fragment(800, False, dst="192.0.2.1")),
    Case("blackhole", "route-blackhole", ip("10.60.0.1") / UDP_OUT),
    Case("unreachable", "route-unreachable", ip("10.61.0.1") / UDP_OUT, HOST),
    Case("prohibit", "route-prohibit", ip("10.62.0.1") / UDP_OUT, PROHIBITED),
    Case("uRPF strict, another interface's source", "urpf", ip(src="10.1.0.7") / UDP_OUT, vlan=20),
    Case("uRPF strict, no route back", "urpf", ip(src="192.0.2.1") / UDP_OUT, vlan=20),
    Case("uRPF loose, no route back", "urpf", ip(src="192.0.2.1") / UDP_OUT, vlan=30),
    Case("uRPF loose, a dead route back", "urpf", ip(src="10.60.0.1") / UDP_OUT, vlan=30),
    # filter
    Case("denied inbound", "filter-in", ip() / UDP(dport=9001)),
    Case("denied inbound, for us", "filter-in", ip("10.1.0.1") / UDP(dport=9001)),
    Case("denied inbound, without a route", "filter-in", ip("192.0.2.1") / UDP(dport=9001)),
    Case("denied outbound", "filter-out", ip() / UDP(dport=9002)),
    Case("no rule inbound", "filter-in-implicit", ip(proto=50) / Raw(b"x" * 20)),
    Case("no rule outbound", "filter-out-implicit", ip(proto=47) / Raw(b"x" * 20)),
    # for this box
    Case("UDP for us", "local-no-port", ip("10.1.0.1") / UDP_OUT, PORT),
    Case("UDP for another address of ours", "local-no-port", ip("10.2.0.1") / UDP_OUT, PORT),
    Case("TCP for us", "local-no-port", ip("10.1.0.1") / TCP_OUT, PORT),
    Case("another protocol for us", "local-no-protocol", ip("10.1.0.1", proto=99) / Raw(b"x" * 20),
         PROTO),
    Case("ping with a wrong ICMP checksum", "local-checksum", ip("10.1.0.1") / ICMP(chksum=0x1234)),
    Case("echo reply for us", "local-icmp-ignored", ip("10.1.0.1") / ICMP(type=0)),
    Case("timestamp request for us", "local-icmp-ignored", ip("10.1.0.1") / ICMP(type=13)),
    # on the way out
    Case("TTL 1", "ttl-exceeded", ip(ttl=1) / UDP_OUT, (11, 0)),
    Case("TTL 0", "ttl-exceeded", ip(ttl=0) / UDP_OUT, (11, 0)),
    Case("too large and marked", "mtu-exceeded",
         ip("10.3.0.2", flags="DF") / UDP() / Raw(bytes(549)), (3, 4)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_reason(world, case):
    sender, other = world.host[case.port], world.host["wan" if case.port == "lan" else "lan"]
    frames = case.build(world)
    before = world.daemon.drops()
    sender.wire.clear()
    other.wire.clear()
    sender.wire.send(*frames)
    came = Sentinel.send(world)
    assert exactly(before, world.daemon.drops()) == {case.reason: len(frames)}
    assert icmp_errors(came) == ([case.error] if case.error else [])
    assert not [f for f in came if not icmp_errors([f])], "something else came back"
    assert Sentinel.send(world, "wan", "10.2.0.2", "10.2.0.1") == [], "it was forwarded"


def test_every_reason_is_caused_or_explained(world):
    """A new reason in drop.def asks for a case here."""
    known = {d["reason"] for d in world.daemon.rpc("show.drops", all=True)["drops"]}
    tested = {c.reason for c in CASES}
    assert tested | set(NOT_FROM_OUTSIDE) == known
    assert not tested & set(NOT_FROM_OUTSIDE)


GOOD = [
    ("UDP", ip() / UDP_OUT, {}),
    ("by a route", ip("10.50.1.2") / UDP_OUT, {}),
    ("strict, from where it belongs", ip(src="10.4.0.2") / UDP_OUT, {"vlan": 20}),
    ("loose, from a routed source", ip(src="10.50.1.2") / UDP_OUT, {"vlan": 30}),
    ("loose, from another interface's subnet", ip(src="10.1.0.7") / UDP_OUT, {"vlan": 30}),
    ("priority tag", ip() / UDP_OUT, {"vlan": 0}),
    ("TTL 2", ip(ttl=2) / UDP_OUT, {}),
    ("empty UDP", ip() / UDP(), {}),
    ("harmless options", ip(options=[IPOption_NOP(), IPOption_RR(routers=["0.0.0.0"])]) / UDP_OUT,
     {}),
    ("timestamp option", ip(options=[IPOption_Timestamp()]) / UDP_OUT, {}),
    ("end of options", ip(options=[Raw(b"\0\x07\0\0")]) / UDP_OUT, {}),
    ("first fragment", fragment(0, True), {}),
    ("middle fragment", fragment(24, True), {}),
    ("last fragment", fragment(48, False, data=b"x"), {}),
    ("later TCP fragment", fragment(16, False, 6), {}),
    ("fragment up to the end", fragment(65512, False, 17, b"x" * 3), {}),
    ("as large as the MTU", ip("10.3.0.2", flags="DF") / UDP() / Raw(bytes(548)), {}),
    ("TCP options", ip() / TCP(flags="S", options=[("MSS", 1460), ("NOP", None)]), {}),
    ("an ICMP error on its way", ip() / ICMP(type=3, code=1) / ip() / UDP(), {}),
    ("padding behind the packet", ip() / UDP_OUT / Raw(b""), {"pad": 30}),
    ("a wrong UDP checksum is not ours to judge", ip() / UDP(chksum=0x1234) / Raw(b"x"), {}),
]


@pytest.mark.parametrize("name,packet,how", GOOD, ids=[g[0] for g in GOOD])
def test_passes(world, name, packet, how):
    """What must go through: with its TTL one less, and nothing else changed."""
    before = world.daemon.drops()
    world.lan.wire.clear()
    world.wan.wire.clear()
    frame = bytes(ether(world, vlan=how.get("vlan")) / packet)
    world.lan.wire.send(frame + bytes(how.get("pad", 0)))
    sent = IP(bytes(packet))
    came = world.wan.wire.until(lambda f: is_ip(f, dst=sent.dst))[-1]
    narrow = packet.dst.startswith("10.3.")
    expected = ether(world, "wan", src=world.mac["wan"], dst=world.wan.mac)
    if narrow:
        expected = Ether(src=world.mac["wan"], dst=world.wan.mac) / Dot1Q(vlan=10)
    sent.ttl -= 1
    del sent.chksum
    header_and_rest = bytes(sent)
    assert came == bytes(expected / Raw(header_and_rest))[:12] + came[12:14 + 4 * narrow] \
        + header_and_rest
    assert exactly(before, world.daemon.drops()) == {}


def test_sample_shows_the_packet(world):
    world.lan.wire.send(ether(world) / ip() / UDP(sport=1234, dport=9001) / Raw(b"z" * 10))
    Sentinel.send(world)
    drops = world.daemon.rpc("show.drops", sample=True, reason="filter-in", limit=1)["drops"]
    sample = drops[0]["samples"][0]
    assert "10.1.0.2:1234 > 10.2.0.2:9001 udp" in sample["packet"]
    assert sample["rule"]["number"] == 1 and sample["in"] == "lan"
    assert bytes.fromhex(sample["hex"]).endswith(b"z" * 10)


def test_log_of_drops_and_of_nothing_else(world):
    """No rule here logs."""
    assert world.daemon.rpc("show.log")["records"] == []
    wait_until("the books to be right", lambda: world.daemon.totals()["balance"] == 0)
