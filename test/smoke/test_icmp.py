"""ICMP errors: what they say, to whom they are not sent, and how many."""
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from world import Sentinel, ether, icmp_errors, ip4, is_icmp, two_networks

RULES = """
routes = ( { to = "10.61.0.0/16"; type = "unreachable"; } );
filter = { rules = (
    { action = "deny"; proto = "icmp"; icmp-type = "eq 0"; direction = "outbound";
      scope = "route"; },
    { action = "permit"; }
); };
"""
INTERFACES = """
interfaces = (
    { name = "lan"; zone = "secure"; addresses = [ "10.1.0.1/24" ]; },
    { name = "wan"; zone = "nonsecure"; mtu = 1000; addresses = [ "10.2.0.1/24" ]; }
);
"""


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    lab.daemon = lab.start(two_networks(lab, RULES, interfaces=INTERFACES, kind="pcap"))
    return lab


def one_error(world, packet, **more):
    world.lan.wire.clear()
    world.lan.wire.send(ether(world, **more) / packet)
    came = Sentinel.send(world)
    assert len(came) == 1, [Ether(f).summary() for f in came]
    return Ether(came[0])


def ip(dst="10.61.0.1", **more):
    return IP(src="10.1.0.2", dst=dst, id=99, **more)


def test_its_headers(world):
    sent = ip() / UDP(sport=7, dport=8) / Raw(b"abcdefgh" * 4)
    error = one_error(world, sent)
    assert (error.src, error.dst) == (world.mac["lan"], world.lan.mac)
    header = error[IP]
    assert (header.src, header.dst, header.proto, header.ttl) == ("10.1.0.1", "10.1.0.2", 1, 64)
    assert header.ihl == 5 and header.tos == 0xc0 and header.frag == 0
    again = IP(bytes(header))
    del again.chksum
    del again[ICMP].chksum
    again = IP(bytes(again))
    assert (again.chksum, again[ICMP].chksum) == (header.chksum, header[ICMP].chksum)
    # it quotes the packet as it came: the TTL is not counted down yet
    assert bytes(header[ICMP])[8:] == bytes(sent)
    assert bytes(header[ICMP])[4:8] == bytes(4)


def test_it_quotes_no_more_than_576_bytes(world):
    error = one_error(world, ip() / UDP() / Raw(bytes(1400)))
    assert error[IP].len == 576


def test_it_quotes_options(world):
    sent = ip(options=[IPOption_NOP()] * 4) / UDP() / Raw(b"x")
    assert bytes(one_error(world, sent)[ICMP])[8:] == bytes(sent)


def test_mtu_in_fragmentation_needed(world):
    error = one_error(world, ip("10.2.0.2", flags="DF") / UDP() / Raw(bytes(1000)))
    assert (error[ICMP].type, error[ICMP].code, error[ICMP].nexthopmtu) == (3, 4, 1000)


def test_time_exceeded_is_sent_by_the_interface_it_came_in(world):
    world.wan.wire.send(ether(world, "wan") / IP(src="10.2.0.2", dst="10.1.0.2", ttl=1) / UDP())
    came = world.wan.wire.until(lambda f: is_icmp(f, 11))
    assert Ether(came[-1])[IP].src == "10.2.0.1"


@pytest.mark.parametrize("kind", [3, 4, 5, 11, 12])
def test_none_about_an_icmp_error(world, kind):
    world.lan.wire.send(ether(world) / ip() / ICMP(type=kind) / ip() / UDP())
    assert Sentinel.send(world) == []


@pytest.mark.parametrize("kind", [0, 8, 13, 30])
def test_one_about_other_icmp(world, kind):
    assert icmp_errors([bytes(one_error(world, ip() / ICMP(type=kind)))]) == [(3, 1)]


def test_one_about_the_first_fragment_only(world):
    first = ip(flags="MF") / UDP() / Raw(bytes(16))
    assert icmp_errors([bytes(one_error(world, first))]) == [(3, 1)]
    world.lan.wire.send(ether(world) / ip(frag=3, proto=17) / Raw(bytes(16)))
    world.lan.wire.send(ether(world) / ip(frag=3, flags="MF", proto=17) / Raw(bytes(16)))
    assert Sentinel.send(world) == []


@pytest.mark.parametrize("src", ["255.255.255.255", "0.0.0.0", "127.0.0.1", "224.0.0.1"])
def test_none_to_a_source_that_is_no_host(world, src):
    world.lan.wire.send(ether(world) / IP(src=src, dst="10.61.0.1") / UDP())
    assert Sentinel.send(world) == []


@pytest.mark.parametrize("dst", ["255.255.255.255", "10.1.0.255", "224.0.0.1"])
def test_none_about_a_broadcast_or_multicast(world, dst):
    for ttl in (1, 64):
        world.lan.wire.send(ether(world, dst="ff:ff:ff:ff:ff:ff") / ip(dst, ttl=ttl) / UDP())
    assert Sentinel.send(world) == []


def test_none_about_a_unicast_packet_in_a_broadcast_frame(world):
    world.lan.wire.send(ether(world, dst="ff:ff:ff:ff:ff:ff") / ip() / UDP())
    assert Sentinel.send(world) == []


def test_none_about_a_denied_packet(world):
    world.lan.wire.send(ether(world) / ip("10.2.0.2") / ICMP(type=0))
    assert Sentinel.send(world) == []
    assert world.daemon.drops()["filter-out"] == 1


def test_our_errors_pass_the_filter(world):
    """They are exempt, and counted as such."""
    def exempt():
        return sum(w["exempt"] for w in world.daemon.rpc("show.workers")["workers"])
    before = exempt()
    one_error(world, ip() / TCP())
    assert exempt() == before + 1


def test_echo(world):
    """The reply carries what the request did; options are not sent back."""
    for packet in (ip("10.1.0.1", ttl=3) / ICMP(id=5, seq=6) / Raw(b"ping" * 100),
                   ip("10.2.0.1", options=[IPOption_NOP()] * 8) / ICMP(id=5, seq=6) / Raw(b"odd")):
        world.lan.wire.send(ether(world) / packet)
        reply = Ether(world.lan.wire.until(lambda f: is_icmp(f, 0, id=5, seq=6))[-1])
        assert (reply[IP].src, reply[IP].dst, reply[IP].ttl, reply[IP].ihl) == (
            packet.dst, "10.1.0.2", 64, 5)
        assert bytes(reply[Raw])[:len(packet[Raw])] == bytes(packet[Raw])
        sums = IP(bytes(reply[IP]))
        del sums.chksum
        del sums[ICMP].chksum
        assert bytes(sums) == bytes(reply[IP])


def test_rate(make_lab):
    """Of a burst as many are answered as the bucket holds; all are dropped and counted."""
    lab = make_lab("lan", "wan")
    daemon = lab.start(two_networks(lab, RULES, policy=ip4("icmp-error-rate = 50;")))
    for _ in range(400):
        lab.lan.wire.send(ether(lab) / ip() / UDP())
    came = icmp_errors(Sentinel.send(lab))
    assert daemon.drops() == {"route-unreachable": 400}
    totals = daemon.totals()
    assert totals["icmp_errors_sent"] == len(came) == totals["created"]
    assert totals["icmp_errors_limited"] == 400 - len(came)
    assert 1 <= len(came) < 400


def test_no_errors_at_all(make_lab):
    lab = make_lab("lan", "wan")
    daemon = lab.start(two_networks(lab, RULES, policy=ip4("icmp-error-rate = 0; ttl = 17;")))
    lab.lan.wire.send(ether(lab) / ip() / UDP())
    assert Sentinel.send(lab) == []
    assert daemon.drops() == {"route-unreachable": 1}
    lab.lan.wire.send(ether(lab) / ip("10.1.0.1") / ICMP(id=1))
    assert Ether(lab.lan.wire.until(lambda f: is_icmp(f, 0, id=1))[-1])[IP].ttl == 17


def test_echo_rate(make_lab):
    lab = make_lab("lan", "wan")
    daemon = lab.start(two_networks(lab, RULES, policy=ip4("icmp-echo-rate = 50;")))
    for i in range(400):
        lab.lan.wire.send(ether(lab) / ip("10.1.0.1") / ICMP(id=1, seq=i))
    # a refusal that needs no token shows that all were handled
    lab.lan.wire.send(ether(lab) / ip() / UDP())
    came = [f for f in lab.lan.wire.until(lambda f: is_icmp(f, 3)) if is_icmp(f, 0)]
    assert daemon.drops() == {"icmp-echo-rate": 400 - len(came), "route-unreachable": 1}
    assert 1 <= len(came) < 400
