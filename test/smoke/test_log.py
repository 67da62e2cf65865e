"""The filter log: its records, its rate, its files."""
import os
import re
import socket

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

from lab import wait_until
from world import Sentinel, ether, two_networks

RULES = """filter = { rules = (
    { action = "deny"; proto = "udp"; dport = "eq 99"; log = true; direction = "inbound"; },
    { action = "permit"; proto = "tcp"; log = true; direction = "inbound"; },
    { action = "deny"; proto = "tcp"; dport = "eq 23"; log = true; direction = "outbound"; },
    { action = "permit"; proto = "icmp"; },
    { action = "permit"; proto = "tcp"; },
    { action = "permit"; proto = "udp"; }
); };
"""
LOG = 'log = { to = "file"; file = "filter.log"; drops = [ "no-route", "ip4-checksum" ]; };\n'


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    lab.daemon = lab.start(two_networks(lab, RULES + LOG, kind="pcap"))
    return lab


def ip(dst="10.2.0.2", **more):
    return IP(src="10.1.0.2", dst=dst, **more)


def fields(line):
    return dict(re.findall(r'(\w+)=("(?:\\.|[^"\\])*"|\S+)', line))


class Lines:
    """What is new in the log file."""

    def __init__(self, lab):
        self.path = lab.dir / "filter.log"
        self.seen = len(self.path.read_text(encoding="utf-8").splitlines())

    def next(self, n):
        def there():
            lines = self.path.read_text(encoding="utf-8").splitlines()[self.seen:]
            return lines if len(lines) >= n else None
        lines = wait_until(f"{n} lines in {self.path.name}", there)
        self.seen += len(lines)
        return [fields(line) for line in lines]


def test_a_denied_packet(world):
    lines = Lines(world)
    world.lan.wire.send(ether(world) / ip() / UDP(sport=1234, dport=99) / Raw(b"x" * 12))
    record, = lines.next(1)
    when = record.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", when)
    assert record.pop("file").endswith("/postern.conf")
    assert int(record.pop("line")) > 0
    assert record == {
        "rule": "1", "verdict": "deny", "reason": "filter-in", "in": "lan", "out": "wan",
        "dir": "inbound", "proto": "udp", "src": "10.1.0.2", "dst": "10.2.0.2",
        "sport": "1234", "dport": "99", "len": "40"}


def test_permitted_then_denied(world):
    """One record for each rule that logs; the reason in the second."""
    lines = Lines(world)
    world.lan.wire.send(ether(world) / ip() / TCP(sport=1, dport=23, flags="SAF"))
    first, second = lines.next(2)
    assert (first["rule"], first["verdict"], first["dir"], first["reason"]) == (
        "2", "permit", "inbound", "-")
    assert (second["rule"], second["verdict"], second["dir"], second["reason"]) == (
        "3", "deny", "outbound", "filter-out")
    assert set(second["flags"]) == set("SAF")


def test_configured_drops(world):
    lines = Lines(world)
    world.lan.wire.send(ether(world) / ip("192.0.2.1") / ICMP(type=8),
                        ether(world) / ip(chksum=1) / UDP())
    one, two = sorted(lines.next(2), key=lambda r: r["reason"], reverse=True)
    assert (one["rule"], one["reason"], one["type"], one["code"]) == ("-", "no-route", "8", "0")
    assert (two["rule"], two["reason"]) == ("-", "ip4-checksum")


def test_others_are_not_logged(world):
    lines = Lines(world)
    world.lan.wire.send(ether(world) / ip(ttl=1) / UDP(), ether(world) / ip() / UDP(dport=7))
    Sentinel.send(world)
    world.lan.wire.send(ether(world) / ip() / UDP(dport=99))
    assert len(lines.next(1)) == 1


def test_fragments(world):
    lines = Lines(world)
    world.lan.wire.send(ether(world) / ip("192.0.2.1", frag=10, proto=17) / Raw(bytes(8)),
                        ether(world) / ip(flags="MF") / UDP(sport=5, dport=99) / Raw(bytes(8)))
    first, later = sorted(lines.next(2), key=lambda r: r["fragment"])
    assert later["fragment"] == "later" and "sport" not in later
    assert first["fragment"] == "first" and first["dport"] == "99"


def test_show_log_has_the_same(world):
    lines = Lines(world)
    world.lan.wire.send(ether(world) / ip() / UDP(sport=77, dport=99))
    line, = lines.next(1)
    record = world.daemon.rpc("show.log", limit=1)["records"][0]
    assert record["time"] == line["time"] and record["sport"] == 77
    assert record["rule"]["number"] == 1 and record["direction"] == "inbound"
    stats = world.daemon.rpc("show.log")["stats"]
    assert stats["lost"] == 0
    assert len(world.daemon.rpc("show.log", limit=2)["records"]) == 2


def test_reopened_on_sighup(world):
    """As after logrotate: the old file stays as it is, a new one begins."""
    path, old = world.dir / "filter.log", world.dir / "filter.log.1"
    Lines(world)
    os.rename(path, old)
    world.lan.wire.send(ether(world) / ip() / UDP(sport=1, dport=99))
    wait_until("the record in the old file",
               lambda: " sport=1 " in old.read_text(encoding="utf-8"))
    assert not path.exists()
    world.daemon.process.send_signal(1)
    wait_until("the new file", path.exists)
    world.lan.wire.send(ether(world) / ip() / UDP(sport=2, dport=99))
    assert Lines(world).seen in (0, 1)
    wait_until("the record in the new file",
               lambda: " sport=2 " in path.read_text(encoding="utf-8"))
    assert " sport=2 " not in old.read_text(encoding="utf-8")
    assert oct(path.stat().st_mode & 0o777) == "0o640"


def test_rate(make_lab):
    """Of a flood some are written; the next record says how many were left out."""
    lab = make_lab("lan", "wan")
    daemon = lab.start(two_networks(lab, RULES + LOG.replace("drops", "rate = 5; burst = 10; drops")
                                    ))
    lab.lan.wire.send(*[ether(lab) / ip() / UDP(sport=i, dport=99) for i in range(1, 501)])
    Sentinel.send(lab)
    lines = Lines(lab)
    lines.seen = 0
    first = lines.next(10)
    assert [r["sport"] for r in first[:10]] == [str(i) for i in range(1, 11)]
    # one that comes later carries the count
    def more():
        lab.lan.wire.send(ether(lab) / ip() / UDP(sport=9999, dport=99))
        Sentinel.send(lab)
        text = lines.path.read_text(encoding="utf-8")
        return "sport=9999" in text
    wait_until("the rate to permit another", more)
    everything = [fields(t) for t in lines.path.read_text(encoding="utf-8").splitlines()]
    told = sum(int(r.get("left_out", 0)) for r in everything)
    sent = daemon.rules()[1]["packets"]
    pending = sum(w["log_left_out"] for w in daemon.rpc("show.workers")["workers"]) - told
    assert told > 0 and len(everything) + told + pending == sent


def test_syslog(make_lab):
    """RFC 5424 over a socket of our own in the place of /dev/log."""
    lab = make_lab("lan", "wan")
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(lab.dir / "syslog"))
    receiver.settimeout(10)
    daemon = lab.start(two_networks(lab, RULES + 'log = { to = "syslog"; };\n'), before=f"""
        mkdir {lab.dir}/dev
        mount -t tmpfs none {lab.dir}/dev
        cp -a /dev/null /dev/zero /dev/random /dev/urandom {lab.dir}/dev
        ln -s {lab.dir}/syslog {lab.dir}/dev/log
        mount --bind {lab.dir}/dev /dev
    """)
    lab.lan.wire.send(ether(lab) / ip() / UDP(sport=4, dport=99))
    message = receiver.recv(4096).decode()
    assert re.match(r"<133>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ postern \d+ FILTER \[filter@32473 ",
                    message)
    assert 'rule="1"' in message and 'sport="4"' in message and 'reason="filter-in"' in message
    # nobody there any more: counted as lost, and the daemon lives
    receiver.close()
    os.unlink(lab.dir / "syslog")
    lab.lan.wire.send(ether(lab) / ip() / UDP(sport=5, dport=99))
    wait_until("a lost record", lambda: daemon.rpc("show.log")["stats"]["lost"] == 1)
    assert Sentinel.send(lab) == []
