"""ECMP, VLANs between one port and itself, directed broadcasts."""
import collections

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from world import CONTROL, PERMIT_ALL, SYSTEM, Sentinel, ether, exactly, ip4, is_ip


@pytest.fixture(scope="module")
def ecmp(module_labs):
    lab = module_labs("lan", "one", "two")
    lab.daemon = lab.start(SYSTEM + lab.ports("pcap") + f"""
interfaces = (
    {{ name = "lan"; zone = "secure"; addresses = [ "10.1.0.1/24" ]; }},
    {{ name = "one"; addresses = [ "10.2.0.1/24" ]; }},
    {{ name = "two"; addresses = [ "10.3.0.1/24" ]; }}
);
routes = (
    {{ to = "0.0.0.0/0"; via = [ "10.2.0.2", "10.3.0.2" ]; }},
    {{ to = "10.50.0.0/16"; via = "10.2.0.2"; }},
    {{ to = "10.50.1.0/24"; via = "10.3.0.2"; }},
    {{ to = "10.50.1.7/32"; via = "10.2.0.2"; }}
);
neighbours = (
    {{ interface = "lan"; address = "10.1.0.2"; mac = "{lab.lan.mac}"; }},
    {{ interface = "one"; address = "10.2.0.2"; mac = "{lab.one.mac}"; }},
    {{ interface = "two"; address = "10.3.0.2"; mac = "{lab.two.mac}"; }}
);
""" + CONTROL + ip4() + PERMIT_ALL)
    return lab


def sent_by(lab, *packets):
    """What came out of each of the two ways, as IP packets."""
    lab.one.wire.clear()
    lab.two.wire.clear()
    lab.lan.wire.send(*[ether(lab) / p for p in packets])
    Sentinel.send(lab)
    return {"one": [Ether(f)[IP] for f in Sentinel.send(lab, "one", "10.2.0.2", "10.2.0.1")],
            "two": [Ether(f)[IP] for f in Sentinel.send(lab, "two", "10.3.0.2", "10.3.0.1")]}


def ip(dst="192.0.2.1", **more):
    return IP(src="10.1.0.2", dst=dst, **more)


def test_ecmp_spreads_flows_and_keeps_each_together(ecmp):
    packets = [ip() / UDP(sport=s, dport=53) / Raw(b"%d" % n)
               for n in range(3) for s in range(1024, 1280)]
    ways = sent_by(ecmp, *packets)
    assert len(ways["one"]) + len(ways["two"]) == len(packets)
    ports = {way: collections.Counter(p[UDP].sport for p in came) for way, came in ways.items()}
    assert not set(ports["one"]) & set(ports["two"])
    assert set(ports["one"].values()) == set(ports["two"].values()) == {3}
    # a fair share; a way that gets nothing would be the fault
    assert min(len(ports["one"]), len(ports["two"])) > 64


def test_ecmp_spreads_addresses_too(ecmp):
    ways = sent_by(ecmp, *[ip(f"198.51.100.{i}") / TCP(flags="S") for i in range(1, 255)])
    assert min(len(ways["one"]), len(ways["two"])) > 64


def test_ecmp_keeps_fragments_together(ecmp):
    """The first one has ports, the others do not."""
    for ident in range(32):
        data = UDP(sport=ident, dport=53, len=56) / Raw(bytes(16))
        pieces = [ip(id=ident, flags="MF") / data,
                  ip(id=ident, frag=3, proto=17, flags="MF") / Raw(bytes(24)),
                  ip(id=ident, frag=6, proto=17) / Raw(bytes(8))]
        ways = sent_by(ecmp, *pieces)
        assert sorted(map(len, ways.values())) == [0, 3]


def test_ecmp_keeps_a_ping_together(ecmp):
    ways = sent_by(ecmp, *[ip() / ICMP(id=7, seq=i) for i in range(64)])
    assert sorted(map(len, ways.values())) == [0, 64]


@pytest.mark.parametrize("dst,way", [
    ("10.50.0.1", "one"), ("10.50.1.1", "two"), ("10.50.1.7", "one"), ("10.50.1.8", "two"),
    ("10.50.255.255", "one")])
def test_the_longest_prefix_wins(ecmp, dst, way):
    assert {w: len(p) for w, p in sent_by(ecmp, ip(dst) / UDP()).items()} == {
        "one": int(way == "one"), "two": int(way == "two")}


def test_routes_are_shown(ecmp):
    routes = {r["to"]: r for r in ecmp.daemon.rpc("show.routes")["routes"]}
    assert routes["0.0.0.0/0"]["type"] == "multipath"
    assert [h["via"] for h in routes["0.0.0.0/0"]["next_hops"]] == ["10.2.0.2", "10.3.0.2"]
    assert routes["10.1.0.0/24"]["origin"] == "connected"


@pytest.fixture(scope="module")
def vlans(module_labs):
    lab = module_labs("trunk")
    lab.daemon = lab.start(SYSTEM + lab.ports() + f"""
interfaces = (
    {{ name = "native"; port = "trunk"; addresses = [ "10.1.0.1/24" ]; }},
    {{ name = "v10"; port = "trunk"; vlan = 10; addresses = [ "10.10.0.1/24" ]; }},
    {{ name = "v4094"; port = "trunk"; vlan = 4094; mtu = 1400;
       directed-broadcast = true; addresses = [ "10.40.0.1/24" ]; }}
);
neighbours = (
    {{ interface = "native"; address = "10.1.0.2"; mac = "{lab.trunk.mac}"; }},
    {{ interface = "v10"; address = "10.10.0.2"; mac = "{lab.trunk.mac}"; }},
    {{ interface = "v4094"; address = "10.40.0.2"; mac = "{lab.trunk.mac}"; }}
);
""" + CONTROL + ip4() + PERMIT_ALL)
    return lab


HOSTS = {None: "10.1.0.2", 10: "10.10.0.2", 4094: "10.40.0.2"}


@pytest.mark.parametrize("to", HOSTS)
@pytest.mark.parametrize("by", HOSTS)
def test_between_vlans(vlans, by, to):
    """... and back to where it came from."""
    vlans.trunk.wire.clear()
    vlans.trunk.wire.send(ether(vlans, "trunk", by) / IP(src=HOSTS[by], dst=HOSTS[to], id=7)
                          / UDP() / Raw(b"x"))
    came = Ether(vlans.trunk.wire.until(lambda f: is_ip(f, id=7))[-1])
    assert (came.vlan if to else came.type) == (to if to else 0x0800)
    assert came.src == vlans.mac["trunk"] and came.dst == vlans.trunk.mac
    assert came[IP].ttl == 63


@pytest.mark.parametrize("vlan", HOSTS)
def test_pings_in_vlans(vlans, vlan):
    address = HOSTS[vlan]
    assert Sentinel.send(vlans, "trunk", address, address[:-1] + "1", vlan) == []


def test_mtu_of_a_vlan(vlans):
    before = vlans.daemon.drops()
    for size in (1372, 1373):
        vlans.trunk.wire.send(ether(vlans, "trunk") / IP(src=HOSTS[None], dst=HOSTS[4094],
                                                         flags="DF") / UDP() / Raw(bytes(size)))
    came = Sentinel.send(vlans, "trunk", HOSTS[None], "10.1.0.1")
    assert exactly(before, vlans.daemon.drops()) == {"mtu-exceeded": 1}
    assert [Ether(f)[ICMP].nexthopmtu for f in came if ICMP in Ether(f)] == [1400]


def test_directed_broadcast(vlans):
    """Only where it is permitted, and as a broadcast frame."""
    vlans.trunk.wire.send(ether(vlans, "trunk", 10)
                          / IP(src=HOSTS[10], dst="10.40.0.255", id=9) / UDP())
    came = Ether(vlans.trunk.wire.until(lambda f: is_ip(f, id=9))[-1])
    assert came.dst == "ff:ff:ff:ff:ff:ff" and came.vlan == 4094
    before = vlans.daemon.drops()
    vlans.trunk.wire.send(ether(vlans, "trunk", 10)
                          / IP(src=HOSTS[10], dst="10.1.0.255", id=10) / UDP())
    assert Sentinel.send(vlans, "trunk", HOSTS[10], "10.10.0.1", 10) == []
    assert exactly(before, vlans.daemon.drops()) == {"ip4-broadcast": 1}
