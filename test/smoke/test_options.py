"""ip4.options and ip4.martians-drop: each setting, by reload."""
import pytest
from scapy.layers.inet import IP, UDP, IPOption_LSRR, IPOption_NOP

from world import Sentinel, ether, exactly, ip4, is_ip, two_networks


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    lab.daemon = lab.start(two_networks(lab))
    return lab


PLAIN, ROUTED = IPOption_NOP(), IPOption_LSRR(routers=["10.2.0.9"])


@pytest.mark.parametrize("setting,option,reason", [
    ("drop", PLAIN, "ip4-options"),
    ("drop", ROUTED, "ip4-source-route"),
    ("forward-safe", PLAIN, None),
    ("forward-safe", ROUTED, "ip4-source-route"),
    ("forward", PLAIN, None),
    ("forward", ROUTED, None),
])
def test_options(world, setting, option, reason):
    assert world.daemon.reload(two_networks(
        world, policy=ip4(f'icmp-echo-rate = 1000000; options = "{setting}";')))["applied"]
    before = world.daemon.drops()
    world.wan.wire.clear()
    packet = IP(src="10.1.0.2", dst="10.2.0.2", options=[option]) / UDP()
    world.lan.wire.send(ether(world) / packet)
    Sentinel.send(world)
    assert exactly(before, world.daemon.drops()) == ({reason: 1} if reason else {})
    came = [f for f in Sentinel.send(world, "wan", "10.2.0.2", "10.2.0.1")
            if is_ip(f, dst="10.2.0.2")]
    # as an ordinary packet: the source route is not followed
    assert [bytes(IP(f[14:])) [20:] for f in came] == ([bytes(packet)[20:]] if not reason else [])


def test_martian_sources_may_pass(world):
    packet = ether(world) / IP(src="127.0.0.1", dst="10.2.0.2") / UDP()
    assert world.daemon.reload(two_networks(
        world, policy=ip4("icmp-echo-rate = 1000000; martians-drop = false;")))["applied"]
    before = world.daemon.drops()
    world.lan.wire.send(packet)
    Sentinel.send(world)
    assert exactly(before, world.daemon.drops()) == {}
    assert world.daemon.reload(two_networks(world))["applied"]
    world.lan.wire.send(packet)
    Sentinel.send(world)
    assert exactly(before, world.daemon.drops()) == {"ip4-source-martian": 1}
