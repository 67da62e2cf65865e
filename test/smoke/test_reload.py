"""Reload: all of a configuration or nothing of it, without losing a packet."""
import signal
import socket
import threading
import time

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Raw

from lab import Refused, wait_until
from world import Sentinel, ether, exactly, ip4, is_ip, payload, two_networks

FILTER = """filter = {{ rules = (
    {{ action = "deny"; proto = "udp"; dport = "eq {denied}"; direction = "inbound"; }},
    {{ action = "permit"; proto = "udp"; }},
    {{ action = "permit"; proto = "icmp"; }}{more}
); }};
"""


def rules(denied=99, more=""):
    return FILTER.format(denied=denied, more=more)


@pytest.fixture
def world(make_lab):
    lab = make_lab("lan", "wan")
    lab.daemon = lab.start(two_networks(lab, rules()))
    return lab


def udp(world, dport):
    world.lan.wire.send(ether(world) / IP(src="10.1.0.2", dst="10.2.0.2") / UDP(dport=dport))
    Sentinel.send(world)


def test_new_rules_apply(world):
    udp(world, 99)
    assert world.daemon.drops() == {"filter-in": 1}
    assert world.daemon.reload(two_networks(world, rules(98))) == {
        "applied": True, "status": "applied", "errors": [], "warnings": [], "n_errors": 0}
    udp(world, 99)
    assert world.daemon.drops() == {"filter-in": 1}
    udp(world, 98)
    assert world.daemon.drops() == {"filter-in": 2}
    version = world.daemon.rpc("show.version")
    assert version["reloads"] == 1 and version["reloads_failed"] == 0


def test_counters_of_rules_that_stay_survive(world):
    """A changed rule counts from 0; moved ones keep what they have."""
    udp(world, 99)
    udp(world, 7)
    before = {r["text"]: r["packets"] for r in world.daemon.rules().values()}
    assert world.daemon.reload(two_networks(world, rules(
        98, ',\n { action = "permit"; proto = "tcp"; }')))["applied"]
    after = {r["text"]: r["packets"] for r in world.daemon.rules().values()}
    kept = set(before) & set(after)
    assert len(kept) == 3  # udp, icmp, implicit
    assert {t: after[t] for t in kept} == {t: before[t] for t in kept}
    assert [after[t] for t in after if t not in kept] == [0, 0]
    # and back: the rule that was away begins anew
    assert world.daemon.reload(two_networks(world, rules()))["applied"]
    again = {r["text"]: r["packets"] for r in world.daemon.rules().values()}
    assert {t: again[t] for t in kept} == {t: before[t] for t in kept}
    assert [again[t] for t in again if t not in kept] == [0]
    udp(world, 99)
    assert world.daemon.rules()[1]["packets"] == 1


@pytest.mark.parametrize("text,said", [
    ("filter = { rules = ( { action = ", "syntax"),
    ("filter = { rules = ( { action = \"maybe\"; } ); };", "permit"),
    ("surprise = 1;", "surprise"),
    ("routes = ( { to = \"10.9.0.0/16\"; via = \"192.0.2.1\"; } );", "no subnet"),
])
def test_a_broken_configuration_changes_nothing(world, text, said):
    udp(world, 99)
    filter_before = world.daemon.rules()
    good = world.daemon.path.read_text(encoding="utf-8")
    answer = world.daemon.reload(good.replace(rules(), text))
    assert answer["applied"] is False and answer["status"] == "refused"
    assert answer["n_errors"] >= 1
    error = answer["errors"][0]
    assert error["file"].endswith("postern.conf") and error["line"] > 0
    assert said in f"{error['setting']} {error['text']}"
    udp(world, 99)
    assert world.daemon.drops() == {"filter-in": 2}
    assert {n: r["text"] for n, r in world.daemon.rules().items()} == {
        n: r["text"] for n, r in filter_before.items()}
    version = world.daemon.rpc("show.version")
    assert version["reloads"] == 0 and version["reloads_failed"] == 1
    assert world.daemon.reload(good)["applied"]


def test_all_errors_at_once(world):
    answer = world.daemon.reload(two_networks(world, """
routes = ( { to = "10.9.0.0/16"; via = "192.0.2.1"; }, { to = "10.8.0.1/16"; type = "blackhole"; },
           { to = "10.7.0.0/16"; via = "10.1.0.1"; } );
filter = { rules = ( { action = "permit"; proto = "smtp"; },
                     { action = "permit"; colour = 1; } ); };
"""))
    assert answer["n_errors"] == 5
    assert len({(e["line"], e["setting"]) for e in answer["errors"]}) == 5


@pytest.mark.parametrize("old,new,setting", [
    ("workers = 1", "workers = 2", "system.workers"),
    ('"sleep"', '"poll"', "system.idle"),
    ("qdisc_bypass=1", "qdisc_bypass=0", "ports[0].device"),
    ("control.sock", "other.sock", "control.socket"),
])
def test_what_needs_a_restart_says_so(world, old, new, setting):
    conf = world.daemon.path.read_text(encoding="utf-8")
    answer = world.daemon.reload(conf.replace(old, new).replace("eq 99", "eq 98"))
    assert answer["applied"] is False
    assert setting in [e["setting"] for e in answer["errors"]]
    assert "needs a restart" in answer["errors"][0]["text"]
    udp(world, 98)  # nothing of it was applied
    assert world.daemon.drops() == {}


def test_a_missing_rule_file(world):
    answer = world.daemon.reload(two_networks(world, 'filter = { files = [ "nowhere.rules" ]; };'))
    assert not answer["applied"] and "nowhere.rules" in answer["errors"][0]["text"]


def test_errors_of_a_rule_file_name_its_lines(world):
    world.write("some.rules", """# two faults
permit 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 all any 0 any 0 both both both
permit 10.0.0.0 255.0.255.0 0.0.0.0 0.0.0.0 all any 0 any 0 both both both
permit 10.0.0.0 255.0.0.0 0.0.0.0 0.0.0.0 tcp any 0 near 5 both both both
""")
    answer = world.daemon.reload(two_networks(world, 'filter = { files = [ "some.rules" ]; };'))
    assert [(e["file"].endswith("some.rules"), e["line"]) for e in answer["errors"]] == [
        (True, 3), (True, 4)]


def test_interfaces_and_routes_change(world):
    """A new VLAN, a new route, an address that goes."""
    conf = world.daemon.path.read_text(encoding="utf-8")
    changed = conf.replace("interfaces = (", """
routes = ( { to = "10.50.0.0/16"; via = "10.2.0.2"; } );
interfaces = ( { name = "v9"; port = "lan"; vlan = 9; addresses = [ "10.9.0.1/24" ]; },""").replace(
        "neighbours = (", f"""neighbours = (
    {{ interface = "v9"; address = "10.9.0.2"; mac = "{world.lan.mac}"; }},""")
    world.lan.wire.send(ether(world, vlan=9) / IP(src="10.9.0.2", dst="10.50.0.1") / UDP())
    Sentinel.send(world)
    assert world.daemon.drops() == {"eth-no-interface": 1}
    assert world.daemon.reload(changed)["applied"]
    world.lan.wire.send(ether(world, vlan=9) / IP(src="10.9.0.2", dst="10.50.0.1") / UDP())
    world.wan.wire.until(lambda f: is_ip(f, dst="10.50.0.1"))
    assert Sentinel.send(world, "lan", "10.9.0.2", "10.9.0.1", 9) == []
    assert world.daemon.reload(conf)["applied"]
    before = world.daemon.drops()
    world.lan.wire.send(ether(world, vlan=9) / IP(src="10.9.0.2", dst="10.50.0.1") / UDP(),
                        ether(world) / IP(src="10.1.0.2", dst="10.50.0.1") / UDP())
    Sentinel.send(world)
    assert exactly(before, world.daemon.drops()) == {"eth-no-interface": 1, "no-route": 1}


def test_neighbours_survive(world):
    lan, wan = world.lan, world.wan
    wan.address("10.2.0.77/24")
    world.lan.wire.send(ether(world) / IP(src="10.1.0.2", dst="10.2.0.77") / UDP(dport=9))
    wan.wire.until(lambda f: is_ip(f, dst="10.2.0.77"))
    before = world.daemon.neighbours()
    assert world.daemon.reload(two_networks(world, rules(98)))["applied"]
    after = world.daemon.neighbours()
    assert set(before) == set(after) == {"10.1.0.2", "10.2.0.2", "10.2.0.77"}
    assert after["10.2.0.77"]["mac"] == wan.mac and lan.mac == after["10.1.0.2"]["mac"]


def stream(world, work):
    """Numbered UDP packets flow while work() runs; the numbers that arrive, in their order."""
    receiver, got, stop = world.wan.wire, [], threading.Event()
    receiver.clear()

    def receive():
        while True:
            frame = receiver.receive(0.2)
            if frame is None and stop.is_set():
                return
            if frame is not None and is_ip(frame, dst="10.2.0.2", proto=17):
                got.append(int(payload(frame)))

    def send():
        frame = ether(world) / IP(src="10.1.0.2", dst="10.2.0.2") / UDP(sport=5, dport=7)
        head = None
        n = 0
        while not stop.is_set():
            text = b"%08d" % n
            if head is None:
                head = bytes(frame / Raw(text))[:-8]
                head = head[:40] + b"\0\0" + head[42:]  # no UDP checksum
            world.lan.wire.sock.send(head + text)
            n += 1
            time.sleep(0.0005)
        sent.append(n)
    sent = []
    threads = [threading.Thread(target=receive), threading.Thread(target=send)]
    for thread in threads:
        thread.start()
    try:
        work()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return sent[0], got


def test_no_packet_is_lost(world):
    """Rules are swapped under a stream, some larger than others; none is lost or overtaken."""
    def work():
        for i in range(12):
            more = "".join(f',\n{{ action = "deny"; proto = "tcp"; dport = "eq {p}"; }}'
                           for p in range(1, 2 + i % 3 * 400))
            assert world.daemon.reload(two_networks(world, rules(90 + i, more)))["applied"]
    sent, got = stream(world, work)
    assert got == list(range(sent))
    assert world.daemon.drops() == {}
    assert world.daemon.rpc("show.version")["reloads"] == 12


def test_refused_reloads_harm_no_packet(world):
    def work():
        for i in range(10):
            assert not world.daemon.reload(two_networks(world, f"surprise = {i};"))["applied"]
    sent, got = stream(world, work)
    assert got == list(range(sent))


def test_reloads_at_the_same_time(world):
    """One is done, the others are told to come again."""
    world.daemon.path.write_text(two_networks(world, rules(98, "".join(
        f',\n{{ action = "deny"; proto = "tcp"; dport = "eq {p}"; }}' for p in range(1, 2000)))))
    clients = []
    for i in range(4):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(world.daemon.socket))
        s.sendall(b'{"jsonrpc":"2.0","id":%d,"method":"config.reload"}\n' % i)
        clients.append(s)
    answers = [s.makefile().readline() for s in clients]
    for s in clients:
        s.close()
    applied = sum('"applied":true' in a for a in answers)
    busy = sum('"status":"busy"' in a for a in answers)
    assert applied >= 1 and applied + busy == 4
    assert Sentinel.send(world) == []


def test_sighup_does_not_reload(world):
    """It opens the log anew; a reload is asked for by name."""
    world.daemon.path.write_text("rubbish")
    world.daemon.process.send_signal(signal.SIGHUP)
    wait_until("the signal to be seen", lambda: "opened anew" in world.daemon.said)
    assert world.daemon.rpc("show.version")["reloads_failed"] == 0
    udp(world, 99)
    assert world.daemon.drops() == {"filter-in": 1}


def test_check_changes_nothing(world):
    bad = world.write("bad.conf", "surprise = 1;")
    good = world.write("good.conf", two_networks(world, rules(98)))
    result = world.daemon.rpc("config.check", file=str(bad))
    assert result["valid"] is False and result["errors"]
    result = world.daemon.rpc("config.check", file=str(good))
    assert result["valid"] is True
    udp(world, 98)
    assert world.daemon.drops() == {}
    with pytest.raises(Refused):
        world.daemon.rpc("config.check", file="relative.conf")


def test_log_rates_and_icmp_rates_change(world):
    assert world.daemon.reload(two_networks(world, rules() + """
routes = ( { to = "10.61.0.0/16"; type = "unreachable"; } );
""", policy=ip4("icmp-echo-rate = 1000000; icmp-error-rate = 0;")))["applied"]
    packet = ether(world) / IP(src="10.1.0.2", dst="10.61.0.1") / UDP()
    world.lan.wire.send(packet)
    assert Sentinel.send(world) == []
    assert world.daemon.reload(two_networks(world, rules() + """
routes = ( { to = "10.61.0.0/16"; type = "unreachable"; } );
"""))["applied"]
    world.lan.wire.send(packet)
    came = Sentinel.send(world)
    assert len(came) == 1 and ICMP(came[0][34:]).type == 3
