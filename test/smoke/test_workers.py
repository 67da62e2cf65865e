"""Several workers on ports with one queue: flows are spread in software, each keeps its order."""
import collections

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from lab import wait_until
from world import SYSTEM, Sentinel, ether, is_ip, payload, two_networks

TWO = SYSTEM.replace("workers = 1", "workers = 2")


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    lab.daemon = lab.start(two_networks(lab, system=TWO, kind="packet"))
    return lab


def workers(world):
    return {w["id"]: w for w in world.daemon.rpc("show.workers")["workers"]}


def acl_packets(world):
    return {n["name"]: n["packets"] for n in world.daemon.rpc("show.graph")["nodes"]}["acl_in"]


def test_both_work_and_flows_keep_their_order(world):
    before = workers(world)
    flows, each = 32, 50
    frames = [ether(world) / IP(src="10.1.0.2", dst="10.2.0.2") / UDP(sport=2000 + flow, dport=7)
              / Raw(b"%05d" % n) for n in range(each) for flow in range(flows)]
    world.wan.wire.clear()
    world.lan.wire.send(*frames)
    came = collections.defaultdict(list)
    for _ in range(flows * each):
        frame = world.wan.wire.until(lambda f: is_ip(f, proto=17))[-1]
        came[Ether(frame)[UDP].sport].append(int(payload(frame)))
    assert dict(came) == {2000 + flow: list(range(each)) for flow in range(flows)}
    after = workers(world)
    # one of them has lan's queue; what it handed over the other one worked on
    handed = [after[i]["handoff_in"]["rx"] - before[i]["handoff_in"]["rx"] for i in (0, 1)]
    assert min(handed) == 0 and 0 < max(handed) < flows * each


def test_both_directions_of_a_flow_meet_one_worker(world):
    """The hash is symmetric: a conversation is handed over in both directions, or in none."""
    def handed():
        return sum(w["handoff_out"]["rx"] for w in workers(world).values())

    ports = {p["name"]: p for p in world.daemon.rpc("show.ports")["ports"]}
    assert {p["spread"] for p in ports.values()} == {"software"}
    # lan's queue is worker 0's, wan's worker 1's: a flow is handed over in exactly one direction
    for sport in range(3000, 3016):
        moved = []
        for by, src, dst, s, d in (("lan", "10.1.0.2", "10.2.0.2", sport, 80),
                                   ("wan", "10.2.0.2", "10.1.0.2", 80, sport)):
            before = handed()
            there = world.host["wan" if by == "lan" else "lan"].wire
            there.clear()
            world.host[by].wire.send(
                ether(world, by) / IP(src=src, dst=dst) / TCP(sport=s, dport=d))
            there.until(lambda f: is_ip(f, proto=6))
            moved.append(handed() - before)
        assert sorted(moved) == [0, 1], sport


def test_ping_and_arp_work_with_two(world):
    for _ in range(10):
        assert Sentinel.send(world) == []
        assert Sentinel.send(world, "wan", "10.2.0.2", "10.2.0.1") == []


def test_fragments_of_a_datagram_meet_one_worker(make_lab):
    lab = make_lab("lan", "wan")
    lab.daemon = lab.start(two_networks(lab, system=TWO, kind="pcap"))
    for ident in range(20):
        pieces = [IP(src="10.1.0.2", dst="10.2.0.2", id=ident, flags="MF")
                  / UDP(sport=ident, len=40) / Raw(bytes(8)),
                  IP(src="10.1.0.2", dst="10.2.0.2", id=ident, frag=2, proto=17, flags="MF")
                  / Raw(bytes(8)),
                  IP(src="10.1.0.2", dst="10.2.0.2", id=ident, frag=3, proto=17) / Raw(bytes(8))]
        lab.lan.wire.send(*[ether(lab) / p for p in pieces])
        frags = [Ether(lab.wan.wire.until(lambda f: is_ip(f, id=ident, proto=17))[-1])[IP].frag
                 for _ in pieces]
        assert frags == [0, 2, 3]


def test_real_hosts_with_two(make_lab):
    lab = make_lab("lan", "wan")
    lab.lan.address("10.1.0.2/24", "10.1.0.1")
    lab.wan.address("10.2.0.2/24", "10.2.0.1")
    lab.start(two_networks(lab, system=TWO, static=False))
    for size in (56, 1400):
        assert lab.lan.ping("10.2.0.2", "-s", size)
        assert lab.wan.ping("10.1.0.2", "-s", size)


def test_rates_are_for_all_together(make_lab):
    """Two workers share what is configured."""
    lab = make_lab("lan", "wan")
    lab.daemon = lab.start(two_networks(lab, system=TWO, policy="ip4 = { icmp-echo-rate = 0; };\n"))
    lab.lan.wire.send(*[ether(lab) / IP(src="10.1.0.2", dst="10.1.0.1") / ICMP(id=i)
                        for i in range(40)])
    wait_until("all to be refused",
               lambda: lab.daemon.drops() == {"icmp-echo-rate": 40})


def test_reload_with_two(world):
    conf = world.daemon.path.read_text(encoding="utf-8")
    for denied in range(1, 8):
        assert world.daemon.reload(conf.replace(
            "rules = (", f'rules = ( {{ action = "deny"; proto = "tcp"; dport = "eq {denied}"; }},')
        )["applied"]
        assert Sentinel.send(world) == []
    assert world.daemon.reload(conf)["applied"]
    assert acl_packets(world) > 0
