"""Fragments against the running daemon: pings larger than any frame, what scapy cuts and puts
together, limits and time-outs, and packets that are cut on their way to a narrower network.
"""
import pytest
from scapy.layers.inet import ICMP, IP, UDP, defragment, fragment
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6, IPv6ExtHdrFragment, \
    defragment6, fragment6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from lab import wait_until
from world import CONTROL, SYSTEM, Sentinel, ether, exactly, icmp_errors, ip4, is_icmp, is_ip

CONF = """
interfaces = (
    {{ name = "lan"; zone = "secure"; dad-transmits = 0;
       addresses = [ "10.1.0.1/24", "fd00:1::1/64" ]; }},
    {{ name = "wan"; zone = "nonsecure"; mtu = 600; addresses = [ "10.2.0.1/24" ]; }}
);
neighbours = (
    {{ interface = "lan"; address = "10.1.0.2"; mac = "{lan}"; }},
    {{ interface = "lan"; address = "fd00:1::2"; mac = "{lan}"; }},
    {{ interface = "wan"; address = "10.2.0.2"; mac = "{wan}"; }}
);
filter = {{ rules = ( {{ action = "permit"; }} ); }};
reassembly = {{ datagrams = 16; per-source = 8; timeout-s = 1; }};
"""
DATA = bytes(i * 7 & 255 for i in range(4000))


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    lab.daemon = lab.start(SYSTEM + lab.ports("pcap")
                           + CONF.format(lan=lab.lan.mac, wan=lab.wan.mac) + CONTROL + ip4())
    return lab


def totals(world):
    return world.daemon.rpc("show.fragments")["totals"]


def settled(world):
    """Nothing waits any more: the time of all is over."""
    wait_until("no fragment waits", lambda: totals(world)["waiting"] == 0)


def ping(number=1):
    return IP(src="10.1.0.2", dst="10.1.0.1", id=number) / ICMP(id=7, seq=number) / Raw(DATA)


@pytest.mark.parametrize("size", [576, 1500])
def test_ping_in_fragments(world, size):
    settled(world)
    before = totals(world)
    world.lan.wire.send(*[ether(world) / f for f in fragment(ping(), size // 8 * 8 - 24)])
    came = world.lan.wire.until(
        lambda f: is_ip(f, src="10.1.0.1", id=1) and not Ether(f)[IP].flags.MF)
    pieces = [Ether(f)[IP] for f in came if is_ip(f, src="10.1.0.1", id=1)]
    assert len(pieces) == 3
    whole, = defragment(pieces)
    assert whole[ICMP].type == 0 and bytes(whole[ICMP].payload) == DATA
    after = totals(world)
    assert (after["done"], after["cut"]) == (before["done"] + 1, before["cut"] + 1)


def test_ping_of_ipv6_in_fragments(world):
    sent = IPv6(src="fd00:1::2", dst="fd00:1::1") / IPv6ExtHdrFragment(id=9) \
        / ICMPv6EchoRequest(id=7, seq=1, data=DATA)
    world.lan.wire.send(*[ether(world, type=0x86dd) / f for f in fragment6(sent, 1280)])
    came = world.lan.wire.until(lambda f: IPv6ExtHdrFragment in Ether(f)
                                and Ether(f)[IPv6].src == "fd00:1::1"
                                and not Ether(f)[IPv6ExtHdrFragment].m)
    pieces = [Ether(f)[IPv6] for f in came
              if IPv6ExtHdrFragment in Ether(f) and Ether(f)[IPv6].src == "fd00:1::1"]
    assert len(pieces) == 3
    whole = IPv6(bytes(defragment6(pieces)))
    assert ICMPv6EchoReply in whole and whole[ICMPv6EchoReply].data == DATA


def test_duplicate(world):
    settled(world)
    before = world.daemon.drops()
    first, *rest = fragment(ping(2), 1480)
    world.lan.wire.send(*[ether(world) / f for f in (first, first, *rest)])
    world.lan.wire.until(lambda f: is_ip(f, src="10.1.0.1", id=2))
    assert exactly(before, world.daemon.drops()) == {"frag-duplicate": 1}


def test_time_exceeded(world):
    """RFC 792: when the first fragment is there, and only then."""
    settled(world)
    before = world.daemon.drops()
    pieces = fragment(ping(3), 1480)
    world.lan.wire.clear()
    world.lan.wire.send(*[ether(world) / f for f in pieces[:-1]])
    error = Ether(world.lan.wire.until(lambda f: is_icmp(f, 11))[-1])
    assert error[ICMP].code == 1
    assert bytes(error[ICMP])[8:] == bytes(pieces[0])[:548]
    settled(world)
    assert exactly(before, world.daemon.drops()) == {"frag-timeout": 2}
    world.lan.wire.send(*[ether(world) / f for f in fragment(ping(4), 1480)[1:]])
    wait_until("time-out", lambda: world.daemon.drops()["frag-timeout"]
               == before.get("frag-timeout", 0) + 4)
    assert icmp_errors(Sentinel.send(world)) == []


def flood(world, sources):
    """First fragments that nothing follows, so many of each source."""
    world.lan.wire.send(*[
        ether(world) / IP(src=source, dst="10.1.0.1", id=number, flags="MF", proto=17)
        / Raw(bytes(16)) for source, n in sources for number in range(n)])


def test_limits(world):
    """A source at its limit gives up its own; a full table its oldest; nobody new is refused."""
    settled(world)
    before = totals(world)["failed"]
    flood(world, [("10.1.0.7", 12)])
    Sentinel.send(world)
    failed = totals(world)["failed"]
    assert failed["source-limit"] == before["source-limit"] + 4
    settled(world)
    before = totals(world)["failed"]
    flood(world, [(f"10.1.0.{n}", 1) for n in range(20, 60)])
    world.lan.wire.send(*[ether(world) / f for f in fragment(ping(5), 1480)])
    world.lan.wire.until(lambda f: is_ip(f, src="10.1.0.1", id=5))
    assert totals(world)["failed"]["table-full"] == before["table-full"] + 25


@pytest.mark.parametrize("size", [573, 1000, 1472])
def test_cut_on_the_way_out(world, size):
    """Exactly what scapy would have sent for that MTU."""
    sent = IP(src="10.1.0.2", dst="10.2.0.2", id=50, ttl=9) / UDP(sport=1, dport=2) \
        / Raw(DATA[:size])
    before = world.daemon.drops()
    world.wan.wire.clear()
    world.lan.wire.send(ether(world) / sent)
    came = world.wan.wire.until(lambda f: is_ip(f, id=50) and not Ether(f)[IP].flags.MF)
    on_the_way = IP(bytes(sent))
    on_the_way.ttl -= 1
    del on_the_way.chksum
    expected = [bytes(f) for f in fragment(IP(bytes(on_the_way)), 576)]
    assert [f[14:] for f in came if is_ip(f, id=50)] == expected
    assert exactly(before, world.daemon.drops()) == {}


def test_shown(world):
    code, text = world.daemon.ctl("show", "fragments", json_output=False)
    assert code == 0 and "PUT TOGETHER" in text and "table-full" in text
