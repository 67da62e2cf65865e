"""t= of the filter, with the running daemon: without any security policy, a classic rule sends
packets through a tunnel, and lets in what came through it and nothing else. scapy is the other
end."""
import hashlib

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from world import Sentinel, ether, exactly, two_networks

LOCAL, REMOTE, FAR, NEAR = "10.2.0.1", "10.2.0.2", "10.9.0.5", "10.1.0.2"
OUT, IN = 0x1001, 0x2001

ANY = "0.0.0.0 0.0.0.0"
# lan is the secure side; the box answers pings, which the sentinels are; ESP has the tunnel's own
# rules
RULES = f"""permit {ANY} {ANY} all any 0 any 0 secure both both
permit {ANY} {ANY} icmp any 0 any 0 nonsecure local both
permit {ANY} 10.9.0.0 255.255.0.0 udp any 0 eq 53 nonsecure route outbound l=no f=yes t=5
permit 10.9.0.0 255.255.0.0 {ANY} udp eq 53 any 0 nonsecure route inbound l=no f=yes t=5
permit {ANY} 10.9.0.0 255.255.0.0 udp any 0 eq 123 nonsecure route outbound l=no f=yes t=0
"""


def key(name):
    return hashlib.shake_128(name.encode()).digest(20)


def section(lab, more=""):
    def sa(direction, spi):
        return (f'{{ name = "west-{direction}"; direction = "{direction}"; spi = {spi}; '
                f'suite = "aes128gcm16"; key = "{key(direction).hex()}"; }}')
    lab.write("t.rules", RULES)
    return (f'routes = ( {{ to = "10.9.0.0/16"; via = "{REMOTE}"; }} );\n'
            f'filter = {{ files = [ "t.rules" ]; {more} }};\n'
            f'ipsec = {{ tunnels = ( {{ name = "west"; number = 5; local = "{LOCAL}"; '
            f'remote = "{REMOTE}"; sas = ( {sa("out", OUT)}, {sa("in", IN)} ); }} ); }};\n')


def security(direction):
    ends = (LOCAL, REMOTE) if direction == "out" else (REMOTE, LOCAL)
    return SecurityAssociation(
        ESP, spi=OUT if direction == "out" else IN, crypt_algo="AES-GCM", crypt_key=key(direction),
        crypt_icv_size=16, tunnel_header=IP(src=ends[0], dst=ends[1]))


@pytest.fixture
def world(make_lab):
    lab = make_lab("lan", "wan")
    lab.daemon = lab.start(two_networks(lab, section(lab)))
    lab.opens, lab.seals = security("out"), security("in")
    return lab


def inside(sport, dport, src=NEAR, dst=FAR):
    return IP(src=src, dst=dst) / UDP(sport=sport, dport=dport) / Raw(b"by the filter's word")


def leaves(world, packet):
    """What comes out at wan when the packet comes in at lan."""
    world.lan.wire.send(ether(world) / packet)
    Sentinel.send(world)
    return [Ether(f)[IP] for f in Sentinel.send(world, "wan", REMOTE, LOCAL)]


def enters(world, packet):
    """What comes out at lan when the packet comes in at wan."""
    world.wan.wire.send(ether(world, "wan") / packet)
    Sentinel.send(world, "wan", REMOTE, LOCAL)
    return [Ether(f)[IP] for f in Sentinel.send(world)]


def test_a_rule_sends_through_its_tunnel(world):
    came = leaves(world, inside(4000, 53))
    assert [p.proto for p in came] == [50]
    plain = world.opens.decrypt(came[0])
    assert (plain.src, plain.dst, plain.ttl, plain[UDP].dport) == (NEAR, FAR, 63, 53)
    assert plain[Raw].load == b"by the filter's word"


def test_t_0_is_in_the_clear(world):
    came = leaves(world, inside(4000, 123))
    assert [(p.proto, p.ttl) for p in came] == [(17, 63)]


def test_a_rule_admits_what_came_through_its_tunnel(world):
    answer = inside(53, 4000, src=FAR, dst=NEAR)
    came = enters(world, world.seals.encrypt(answer))
    assert [(p.src, p.dst, p.ttl, p[Raw].load) for p in came] == [
        (FAR, NEAR, 63, b"by the filter's word")]


def test_and_nothing_else(world):
    before = world.daemon.drops()
    # the same in the clear; and through the tunnel what no rule with its number permits
    assert enters(world, inside(53, 4000, src=FAR, dst=NEAR)) == []
    assert enters(world, world.seals.encrypt(inside(123, 4000, src=FAR, dst=NEAR))) == []
    assert exactly(before, world.daemon.drops()) == {"filter-in-implicit": 2}
    before = world.daemon.drops()
    assert leaves(world, inside(4000, 80)) == []
    assert exactly(before, world.daemon.drops()) == {"filter-out-implicit": 1}


def test_the_tunnels_own_rules_are_counted(world):
    leaves(world, inside(4000, 53))
    enters(world, world.seals.encrypt(inside(53, 4000, src=FAR, dst=NEAR)))
    rules = world.daemon.rules().values()
    assert [r["packets"] for r in rules if r["generated"]] == [1, 1]
    assert {r["tunnel"]: r["packets"] for r in rules if "tunnel" in r} == {"west": 1}
    _, shown = world.daemon.ctl("show", "filter", json_output=False)
    assert "generated, tunnel west" in shown and "t=5 (tunnel west)" in shown


def test_without_the_tunnels_own_rules(world):
    text = two_networks(world, section(world)).replace(
        "ipsec = {", "ipsec = { generated-rules = false;")
    assert world.daemon.reload(text)["applied"]
    before = world.daemon.drops()
    assert leaves(world, inside(4000, 53)) == []
    assert exactly(before, world.daemon.drops()) == {"filter-out-implicit": 1}


def test_classic_tunnel_match_any(world):
    """Inbound, t= says nothing; outbound, t=5 still sends through the tunnel."""
    assert world.daemon.reload(
        two_networks(world, section(world, 'classic-tunnel-match = "any";')))["applied"]
    assert len(enters(world, inside(53, 4000, src=FAR, dst=NEAR))) == 1
    assert [p.proto for p in leaves(world, inside(4000, 53))] == [50]
