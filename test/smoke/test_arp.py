"""ARP: asking, answering, ageing, and packets that wait for an answer. The hosts are the test."""
import time

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from lab import wait_until
from world import PERMIT_ALL, Sentinel, arps, ether, exactly, icmp_errors, is_ip, payload, \
    two_networks

ROUTE = 'routes = ( { to = "10.50.0.0/16"; via = "10.2.0.99"; } );\n'
BROADCAST = "ff:ff:ff:ff:ff:ff"
SILENCE = "arp = { retry-ms = 60; retries = 2; queue = 4; };\n"
PATIENT = "arp = { retry-ms = 5000; retries = 3; queue = 16; };\n"


def start(make_lab, arp, rest=PERMIT_ALL):
    lab = make_lab("lan", "wan")
    lab.daemon = lab.start(two_networks(lab, arp + rest))
    return lab


def asked(lab, address, port="wan"):
    """The next request for that address on a port."""
    def is_it(frame):
        p = Ether(frame)
        return ARP in p and p[ARP].op == 1 and p[ARP].pdst == address and p[ARP].psrc != address
    return Ether(lab.host[port].wire.until(is_it)[-1])


def answer(lab, address, mac=None, port="wan", dst=None):
    mac = mac or lab.host[port].mac
    lab.host[port].wire.send(
        Ether(src=mac, dst=dst or lab.mac[port])
        / ARP(op=2, hwsrc=mac, psrc=address, hwdst=lab.mac[port],
              pdst="10.2.0.1" if port == "wan" else "10.1.0.1"))


def numbered(lab, to, numbers):
    lab.lan.wire.send(*[ether(lab) / IP(src="10.1.0.2", dst=to) / UDP() / Raw(b"n%04d" % i)
                        for i in numbers])


def received(lab, n, to):
    """The payloads of the next n packets to that address."""
    return [payload(lab.wan.wire.until(lambda f: is_ip(f, dst=to))[-1]) for _ in range(n)]


def test_announces_itself_at_start(make_lab):
    lab = start(make_lab, PATIENT)
    for port, address in (("lan", "10.1.0.1"), ("wan", "10.2.0.1")):
        frame = Ether(lab.host[port].wire.until(lambda f: ARP in Ether(f))[-1])
        assert (frame.dst, frame.src) == (BROADCAST, lab.mac[port])
        arp = frame[ARP]
        assert (arp.op, arp.psrc, arp.pdst, arp.hwsrc) == (1, address, address, lab.mac[port])


def test_asks_and_keeps_the_order(make_lab):
    """What waits goes first, what comes during and after it follows, nothing is lost."""
    lab = start(make_lab, PATIENT)
    numbered(lab, "10.2.0.7", range(16))
    request = asked(lab, "10.2.0.7")
    assert (request.dst, request[ARP].psrc, request[ARP].hwsrc) == (
        BROADCAST, "10.2.0.1", lab.mac["wan"])
    answer(lab, "10.2.0.7")
    numbered(lab, "10.2.0.7", range(16, 300))
    assert received(lab, 300, "10.2.0.7") == [b"n%04d" % i for i in range(300)]
    assert lab.daemon.drops() == {}
    assert lab.daemon.neighbours()["10.2.0.7"]["mac"] == lab.wan.mac


def test_asks_once_for_many_packets(make_lab):
    lab = start(make_lab, PATIENT)
    numbered(lab, "10.2.0.7", range(10))
    Sentinel.send(lab)
    asked(lab, "10.2.0.7")
    lab.wan.wire.send(ether(lab, "wan") / ARP(psrc="10.2.0.2", hwsrc=lab.wan.mac,
                                             pdst="10.2.0.1"))
    came = lab.wan.wire.until(lambda f: arps([f], 2))
    assert arps(came[:-1], 1) == []


def test_queue_full(make_lab):
    """The oldest give way."""
    lab = start(make_lab, SILENCE.replace("60", "5000"))
    numbered(lab, "10.2.0.7", range(7))
    Sentinel.send(lab)
    assert lab.daemon.drops() == {"neighbour-queue-full": 3}
    assert lab.daemon.totals()["in_flight"] == 4
    answer(lab, "10.2.0.7")
    assert received(lab, 4, "10.2.0.7") == [b"n%04d" % i for i in range(3, 7)]


def test_nobody_answers(make_lab):
    """Asked as often as configured; then those who wait are refused, and later ones at once."""
    lab = start(make_lab, SILENCE)
    numbered(lab, "10.2.0.7", range(2))
    came = lab.lan.wire.until(lambda f: icmp_errors([f]))
    came += lab.lan.wire.until(lambda f: icmp_errors([f]))
    assert icmp_errors(came) == [(3, 1), (3, 1)]
    assert lab.daemon.drops() == {"neighbour-failed": 2}
    assert lab.daemon.neighbours()["10.2.0.7"]["state"] == "failed"
    lab.wan.wire.send(ether(lab, "wan") / ARP(psrc="10.2.0.2", hwsrc=lab.wan.mac,
                                             pdst="10.2.0.1"))
    requests = arps(lab.wan.wire.until(lambda f: arps([f], 2)), 1)
    assert [r.pdst for r in requests if r.psrc != r.pdst] == ["10.2.0.7"] * 2
    # it is forgotten after a while, and asked for again
    wait_until("it to be forgotten", lambda: "10.2.0.7" not in lab.daemon.neighbours())
    numbered(lab, "10.2.0.7", [9])
    asked(lab, "10.2.0.7")
    answer(lab, "10.2.0.7")
    assert received(lab, 1, "10.2.0.7") == [b"n0009"]


def test_a_next_hop_is_asked_for_at_once(make_lab):
    """... without traffic, and again for as long as the route stands."""
    lab = start(make_lab, SILENCE, ROUTE + PERMIT_ALL)
    asked(lab, "10.2.0.99")
    wait_until("failed", lambda: lab.daemon.neighbours()["10.2.0.99"]["state"] == "failed")
    before = lab.daemon.drops()
    numbered(lab, "10.50.0.1", [0])
    assert icmp_errors(Sentinel.send(lab)) == [(3, 1)]
    assert exactly(before, lab.daemon.drops()) == {"neighbour-failed": 1}
    lab.wan.wire.clear()
    asked(lab, "10.2.0.99")
    answer(lab, "10.2.0.99")
    wait_until("reachable", lambda: lab.daemon.neighbours()["10.2.0.99"]["state"] == "reachable")
    numbered(lab, "10.50.0.1", [1])
    assert received(lab, 1, "10.50.0.1") == [b"n0001"]


def test_answers(make_lab):
    lab = start(make_lab, PATIENT)

    def replies(**fields):
        """Answers to a request that lan broadcasts; a good one behind it shows the end."""
        lab.lan.wire.clear()
        lab.lan.wire.send(
            Ether(src=lab.lan.mac, dst=BROADCAST)
            / ARP(**{"hwsrc": lab.lan.mac, "psrc": "10.1.0.2", "pdst": "10.1.0.1", **fields}),
            Ether(src="02:00:00:00:00:55", dst=BROADCAST)
            / ARP(hwsrc="02:00:00:00:00:55", psrc="10.1.0.55", pdst="10.1.0.1"))
        return arps(lab.lan.wire.until(lambda f: any(a.pdst == "10.1.0.55" for a in arps([f], 2)))
                    [:-1], 2)

    reply, = replies()
    assert (reply.psrc, reply.hwsrc, reply.pdst, reply.hwdst) == (
        "10.1.0.1", lab.mac["lan"], "10.1.0.2", lab.lan.mac)
    reply, = replies(psrc="0.0.0.0")  # a probe, RFC 5227
    assert (reply.psrc, reply.pdst) == ("10.1.0.1", "0.0.0.0")
    assert replies(pdst="10.1.0.7") == []
    assert replies(pdst="10.2.0.1") == []  # ours, but not here
    assert replies(pdst="10.1.0.255") == []
    assert replies(psrc="10.9.9.9") == []  # a stranger
    assert replies(psrc="10.1.0.255") == []
    assert replies(hwsrc="01:00:5e:00:00:01") == []
    assert replies(op=3) == []
    assert replies(op=2) == []
    assert "10.9.9.9" not in lab.daemon.neighbours()


def test_learns_who_asks(make_lab):
    lab = start(make_lab, PATIENT)
    lab.wan.wire.send(Ether(src=lab.wan.mac, dst=BROADCAST)
                      / ARP(hwsrc=lab.wan.mac, psrc="10.2.0.8", pdst="10.2.0.1"))
    lab.wan.wire.until(lambda f: arps([f], 2))
    numbered(lab, "10.2.0.8", [0])
    assert received(lab, 1, "10.2.0.8") == [b"n0000"]
    # what is said to others teaches nothing new
    lab.wan.wire.send(Ether(src=lab.wan.mac, dst=BROADCAST)
                      / ARP(hwsrc=lab.wan.mac, psrc="10.2.0.9", pdst="10.2.0.44"))
    lab.wan.wire.send(Ether(src=lab.wan.mac, dst=BROADCAST)
                      / ARP(hwsrc=lab.wan.mac, psrc="10.2.0.8", pdst="10.2.0.1"))
    lab.wan.wire.until(lambda f: arps([f], 2))
    assert "10.2.0.9" not in lab.daemon.neighbours()


def test_a_neighbour_moves(make_lab):
    lab = start(make_lab, PATIENT)
    for mac in ("02:00:00:00:00:01", "02:00:00:00:00:02"):
        lab.wan.wire.send(Ether(src=mac, dst=BROADCAST)
                          / ARP(hwsrc=mac, psrc="10.2.0.8", pdst="10.2.0.1"))
        lab.wan.wire.until(lambda f: arps([f], 2))
        numbered(lab, "10.2.0.8", [0])
        assert Ether(lab.wan.wire.until(lambda f: is_ip(f, dst="10.2.0.8"))[-1]).dst == mac
    # gratuitous, as after a failover
    mac = "02:00:00:00:00:03"
    lab.wan.wire.send(Ether(src=mac, dst=BROADCAST)
                      / ARP(op=2, hwsrc=mac, psrc="10.2.0.8", pdst="10.2.0.8"))
    wait_until("the new MAC", lambda: lab.daemon.neighbours()["10.2.0.8"]["mac"] == mac)
    assert "moved from" in lab.daemon.said


def test_static_neighbours_stay(make_lab):
    lab = start(make_lab, PATIENT)
    lab.wan.wire.send(Ether(src=lab.wan.mac, dst=BROADCAST)
                      / ARP(hwsrc="02:00:00:00:00:66", psrc="10.2.0.2", pdst="10.2.0.1"))
    lab.wan.wire.until(lambda f: arps([f], 2))
    assert lab.daemon.neighbours()["10.2.0.2"] | {"age_ms": 0} == {
        "address": "10.2.0.2", "interface": "wan", "mac": lab.wan.mac, "state": "static",
        "age_ms": 0, "tries": 0, "routes": 0, "router": False}


def test_an_address_conflict_is_defended_and_told(make_lab):
    lab = start(make_lab, PATIENT)
    lab.lan.wire.until(lambda f: arps([f], 1))
    mac = "02:00:00:00:00:66"
    lab.lan.wire.send(Ether(src=mac, dst=BROADCAST)
                      / ARP(hwsrc=mac, psrc="10.1.0.1", pdst="10.1.0.1"))
    defence = Ether(lab.lan.wire.until(lambda f: arps([f], 1))[-1])[ARP]
    assert (defence.psrc, defence.pdst) == ("10.1.0.1", "10.1.0.1")
    wait_until("the warning", lambda: f"address conflict: our address 10.1.0.1 on lan is also "
                                      f"used by {mac}" in lab.daemon.said)


AGEING = "arp = { reachable-s = 1; retry-ms = 100; retries = 2; stale-s = 2; };\n"


def test_a_used_neighbour_is_probed(make_lab):
    """Asked again by unicast while it goes on to be used; then it fails, or is fresh again."""
    lab = start(make_lab, AGEING)
    numbered(lab, "10.2.0.7", [0])
    asked(lab, "10.2.0.7")
    answer(lab, "10.2.0.7")
    received(lab, 1, "10.2.0.7")
    numbered(lab, "10.2.0.7", [1])  # used
    probe = asked(lab, "10.2.0.7")
    assert probe.dst == lab.wan.mac
    numbered(lab, "10.2.0.7", [2])  # still passes
    assert received(lab, 1, "10.2.0.7")
    answer(lab, "10.2.0.7")
    wait_until("fresh", lambda: lab.daemon.neighbours()["10.2.0.7"]["state"] == "reachable")
    numbered(lab, "10.2.0.7", [3])
    # it has gone: asked at its MAC, then by broadcast
    probes = [asked(lab, "10.2.0.7").dst for _ in range(4)]
    assert probes == [lab.wan.mac] * 2 + [BROADCAST] * 2
    wait_until("failed", lambda: lab.daemon.neighbours().get(
        "10.2.0.7", {"state": "failed"})["state"] == "failed")


def test_an_unused_neighbour_is_forgotten(make_lab):
    lab = start(make_lab, AGEING)
    lab.wan.wire.send(Ether(src=lab.wan.mac, dst=BROADCAST)
                      / ARP(hwsrc=lab.wan.mac, psrc="10.2.0.8", pdst="10.2.0.1"))
    lab.wan.wire.until(lambda f: arps([f], 2))
    assert "10.2.0.8" in lab.daemon.neighbours()
    lab.wan.wire.clear()
    wait_until("it to be forgotten", lambda: "10.2.0.8" not in lab.daemon.neighbours())
    assert lab.wan.wire.receive(0) is None  # nobody asked


def test_the_interface_of_a_route_changes_while_packets_wait(make_lab):
    """They are not sent where they no longer belong."""
    lab = start(make_lab, PATIENT, ROUTE + PERMIT_ALL)
    lab.lan.wire.send(ether(lab) / IP(src="10.1.0.2", dst="10.50.0.1") / UDP())
    asked(lab, "10.2.0.99")
    conf = lab.daemon.path.read_text(encoding="utf-8")
    # the packet came by lan and would go back there, so nothing else changes its mind
    changed = conf.replace('via = "10.2.0.99"', 'via = "10.1.0.2"')
    assert lab.daemon.reload(changed)["applied"]
    answer(lab, "10.2.0.99")
    wait_until("the packet's end", lambda: lab.daemon.totals()["in_flight"] == 0, 15)
    assert set(lab.daemon.drops()) <= {"neighbour-stale", "neighbour-failed"}
    assert sum(lab.daemon.drops().values()) == 1


def test_a_flood_of_arp_is_metered(make_lab):
    lab = start(make_lab, "arp = { punt-rate = 20; };\n")
    lab.lan.wire.send(*[Ether(src=lab.lan.mac, dst=BROADCAST)
                        / ARP(hwsrc=lab.lan.mac, psrc="10.1.0.2", pdst="10.1.0.1")
                        for _ in range(400)])
    Sentinel.send(lab)
    time.sleep(0.05)  # for the answers to those that were let through
    drops = lab.daemon.drops()
    assert set(drops) == {"arp-rate"} and 200 < drops["arp-rate"] < 400
    assert lab.daemon.totals()["punted"] == 400 - drops["arp-rate"]


@pytest.mark.parametrize("kind", ["packet", "pcap"])
def test_tagged_interfaces_ask_with_their_tag(make_lab, kind):
    lab = make_lab("lan", "wan")
    lab.daemon = lab.start(two_networks(lab, PATIENT + PERMIT_ALL, kind=kind, interfaces="""
interfaces = (
    { name = "lan"; zone = "secure"; addresses = [ "10.1.0.1/24" ]; },
    { name = "wan"; zone = "nonsecure"; addresses = [ "10.2.0.1/24" ]; },
    { name = "v5"; port = "wan"; vlan = 5; addresses = [ "10.5.0.1/24" ]; }
);
"""))
    numbered(lab, "10.5.0.7", [0])
    request = asked(lab, "10.5.0.7")
    assert request.vlan == 5 and request[ARP].psrc == "10.5.0.1"
    # an answer without the tag comes by another interface
    mac = lab.wan.mac
    reply = ARP(op=2, hwsrc=mac, psrc="10.5.0.7", hwdst=lab.mac["wan"], pdst="10.5.0.1")
    lab.wan.wire.send(ether(lab, "wan") / reply)
    Sentinel.send(lab, "wan", "10.2.0.2", "10.2.0.1")
    assert lab.daemon.totals()["in_flight"] == 1
    lab.wan.wire.send(ether(lab, "wan", 5) / reply)
    came = Ether(lab.wan.wire.until(lambda f: is_ip(f, dst="10.5.0.7"))[-1])
    assert came.vlan == 5 and came.dst == mac
