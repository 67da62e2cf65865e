"""Kinds of devices, memory and idle modes; links that go down and up."""
import socket

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from lab import Wire, sh, wait_until
from world import CONTROL, PERMIT_ALL, SYSTEM, Sentinel, arps, ether, exactly, icmp_errors, ip4, \
    is_ip, two_networks


def real(lab):
    lab.lan.address("10.1.0.2/24", "10.1.0.1")
    lab.wan.address("10.2.0.2/24", "10.2.0.1")


@pytest.mark.parametrize("kind", ["packet", "pcap", "xdp"])
def test_real_hosts(make_lab, kind):
    lab = make_lab("lan", "wan")
    real(lab)
    lab.start(two_networks(lab, static=False, kind=kind))
    assert lab.lan.ping("10.2.0.2")
    assert lab.lan.ping("10.1.0.1")
    with lab.wan.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
            lab.lan.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server.bind(("", 7))
        server.settimeout(10)
        client.sendto(b"over " + kind.encode(), ("10.2.0.2", 7))
        assert server.recv(100) == b"over " + kind.encode()


@pytest.mark.parametrize("kind", ["pcap", "xdp"])
def test_real_fragments(make_lab, kind):
    lab = make_lab("lan", "wan")
    real(lab)
    lab.start(two_networks(lab, static=False, kind=kind))
    assert lab.lan.ping("10.2.0.2", count=1)
    assert lab.lan.ping("10.2.0.2", "-s", "8000", count=2)


def with_tap(lab, rest=""):
    """lan as ever, and a tap device that the daemon makes in the gateway's namespace."""
    return SYSTEM + lab.ports().replace(
        " );", ', { name = "tap"; device = "net_tap1,iface=tap0"; } );') + """
interfaces = (
    { name = "lan"; addresses = [ "10.1.0.1/24" ]; },
    { name = "tap"; addresses = [ "10.7.0.1/24" ]; }
);
""" + CONTROL + ip4() + PERMIT_ALL + rest


def link(daemon, port):
    return {p["name"]: p["link"]["state"] for p in daemon.rpc("show.ports")["ports"]}[port]


def no_ip6(lab):
    sh("ip", "netns", "exec", lab.gateway, "sh", "-c",
       "echo 1 >/proc/sys/net/ipv6/conf/tap0/disable_ipv6")


def test_tap(make_lab):
    lab = make_lab("lan")
    lab.lan.address("10.1.0.2/24", "10.1.0.1")
    lab.start(with_tap(lab))
    no_ip6(lab)
    sh("ip", "-n", lab.gateway, "addr", "add", "10.7.0.2/24", "dev", "tap0")
    sh("ip", "-n", lab.gateway, "link", "set", "tap0", "up")
    sh("ip", "-n", lab.gateway, "route", "add", "10.1.0.0/24", "via", "10.7.0.1")
    assert lab.lan.ping("10.7.0.2")


@pytest.mark.parametrize("idle", ["poll", "sleep", "interrupt"])
def test_idle_modes(make_lab, idle):
    lab = make_lab("lan", "wan")
    daemon = lab.start(two_networks(lab, system=SYSTEM.replace('"sleep"', f'"{idle}"')))
    for _ in range(3):
        assert Sentinel.send(lab) == []

    def sleeps():
        return sum(w["sleeps"] for w in daemon.rpc("show.workers")["workers"])
    if idle == "poll":
        assert sleeps() == 0
    else:
        wait_until("the worker to sleep", lambda: sleeps() > 10)
        assert Sentinel.send(lab) == []


def test_a_sleeping_worker_leaves_the_core_alone(make_lab):
    """At night: a millisecond of pause at a time, and next to no CPU."""
    lab = make_lab("lan", "wan")
    daemon = lab.start(two_networks(lab, system=SYSTEM.replace(
        '"sleep";', '"sleep"; idle-sleep-us = 10000;')))
    worker = next(w for w in daemon.rpc("show.workers")["workers"])

    def used():
        with open(f"/proc/{daemon.process.pid}/stat", encoding="utf-8") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    before = used()
    wait_until("many pauses", lambda: daemon.rpc("show.workers")["workers"][0]["sleeps"]
               > worker["sleeps"] + 100)
    # polling would have used the whole second that this takes: 100 ticks
    assert used() - before < 60


def test_memory_is_told(make_lab):
    """Whichever kind it is, and what it costs."""
    lab = make_lab("lan", "wan")
    daemon = lab.start(two_networks(lab, system=SYSTEM.replace('memory = "no-huge";', "")))
    memory = daemon.rpc("show.workers")["memory"]
    assert memory["mode"] in ("hugepages", "no hugepages")
    assert "hugepages" in daemon.said
    assert Sentinel.send(lab) == []


def test_hugepages_that_are_not_there(make_lab):
    """More than any machine of this kind has: refused, with what would do."""
    lab = make_lab("lan", "wan")
    daemon = lab.start(two_networks(lab, system=SYSTEM.replace(
        '"no-huge"', '"hugepages"; memory-mb = 1048576')), check=False)
    daemon.expected = 1
    assert daemon.process.wait(30) == 1
    assert "MiB are needed" in daemon.said and "vm.nr_hugepages=" in daemon.said


def test_a_device_that_is_not_there(make_lab):
    lab = make_lab("lan", "wan")
    daemon = lab.start(two_networks(lab).replace("iface=wan", "iface=nowhere"), check=False)
    daemon.expected = 1
    assert daemon.process.wait(30) == 1
    assert "nowhere" in daemon.said or "EAL did not start" in daemon.said
    assert not daemon.socket.exists()


def test_link_down_and_up(make_lab):
    """A tap device, the kind here whose driver tells of its link."""
    lab = make_lab("lan")
    daemon = lab.start(with_tap(lab, f"""neighbours = (
    {{ interface = "lan"; address = "10.1.0.2"; mac = "{lab.lan.mac}"; }},
    {{ interface = "tap"; address = "10.7.0.2"; mac = "02:00:00:00:00:07"; }}
);
"""))
    packet = ether(lab) / IP(src="10.1.0.2", dst="10.7.0.2") / UDP()

    def state():
        return {r["to"]: r["state"] for r in daemon.rpc("show.routes")["routes"]}["10.7.0.0/24"]
    no_ip6(lab)
    sh("ip", "-n", lab.gateway, "link", "set", "tap0", "up")
    wait_until("the link to be up", lambda: link(daemon, "tap") == "up")
    sh("ip", "-n", lab.gateway, "link", "set", "tap0", "down")
    wait_until("the link to go down", lambda: "port tap: link down" in daemon.said)
    assert link(daemon, "tap") == "down"

    def refused():  # its network goes with it, and then the sender is told that there is no way
        lab.lan.wire.send(packet)
        return icmp_errors(Sentinel.send(lab)) == [(3, 0)]
    wait_until("the route to go", refused)
    assert state() == "inactive" and daemon.drops()["no-route"] >= 1
    wire = Wire(lab.gateway, "tap0")
    sh("ip", "-n", lab.gateway, "link", "set", "tap0", "up")
    # whoever has learned another way meanwhile hears of us
    announced = Ether(wire.until(lambda f: arps([f], 1))[-1])
    assert announced.psrc == announced.pdst == "10.7.0.1"
    assert "port tap: link up" in daemon.said

    def arrives():
        lab.lan.wire.send(packet)
        Sentinel.send(lab)
        frame = wire.receive(0.1)
        return frame is not None and is_ip(frame, dst="10.7.0.2")
    wait_until("the route to be back", arrives)
    assert state() == "active"
    wire.close()


def test_jumbo_frames(make_lab):
    """MTU 9000 from end to end. By pcap: DPDK's net_af_packet admits to 1,500 only."""
    lab = make_lab("lan", "wan", mtu=9000)
    daemon = lab.start(two_networks(lab, kind="pcap").replace(
        'phy_mac=1";', 'phy_mac=1"; mtu = 9000;'))
    for size in (8972, 8971, 4000, 1):
        packet = IP(src="10.1.0.2", dst="10.2.0.2", flags="DF", id=size) / UDP() \
            / Raw((bytes(range(256)) * 36)[:size])
        lab.lan.wire.send(ether(lab) / packet)
        came = lab.wan.wire.until(lambda f: is_ip(f, id=packet.id))[-1]
        assert Ether(came)[IP].len == len(packet)
        assert bytes(Ether(came)[UDP].payload)[:size] == bytes(packet[Raw])
    assert daemon.drops() == {}
    assert {i["mtu"] for i in daemon.rpc("show.ports")["interfaces"]} == {9000}


def test_an_mtu_that_the_device_does_not_have(make_lab):
    lab = make_lab("lan", "wan", mtu=9000)
    daemon = lab.start(two_networks(lab).replace(
        'qdisc_bypass=1";', 'qdisc_bypass=1"; mtu = 9000;'), check=False)
    daemon.expected = 1
    assert daemon.process.wait(30) == 1
    assert "port lan: mtu = 9000, but the device goes to 1500" in daemon.said


def test_mac_of_a_port(make_lab):
    """Set on the device; a frame to the old one is another host's."""
    lab = make_lab("lan", "wan")
    daemon = lab.start(two_networks(lab).replace(
        'name = "lan"; device', 'name = "lan"; mac = "02:00:00:12:34:56"; device'))
    old, lab.mac["lan"] = lab.mac["lan"], "02:00:00:12:34:56"
    assert Sentinel.send(lab) == []
    before = daemon.drops()
    lab.lan.wire.send(ether(lab, dst=old) / IP(src="10.1.0.2", dst="10.2.0.2") / UDP())
    Sentinel.send(lab)
    assert exactly(before, daemon.drops()) == {"eth-not-for-us": 1}
