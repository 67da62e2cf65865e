"""The classic rule list of the source document (config/classic.rules): it loads as it stands, and
each of its 24 lines permits and denies what it says. Networks 9.0.0.0/8 and 192.168.0.0/16 are
inside (secure), others outside (nonsecure).

Which line decides is read from the rules' counters.
"""
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

from lab import ROOT, wait_until
from world import CONTROL, SYSTEM, Sentinel, ether, exactly, ip4, is_ip

RULES = (ROOT / "config/classic.rules").read_text(encoding="utf-8")
HOST = {"in": "9.1.1.2", "lan": "192.168.1.2", "out": "198.51.100.2"}


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("in", "lan", "out")
    lab.write("classic.rules", RULES)
    neighbours = ", ".join(
        f'{{ interface = "{port}"; address = "{HOST[port]}"; mac = "{lab.host[port].mac}"; }}'
        for port in HOST)
    lab.daemon = lab.start(SYSTEM + lab.ports("pcap") + f"""
interfaces = (
    {{ name = "in"; zone = "secure"; addresses = [ "9.1.1.1/24" ]; }},
    {{ name = "lan"; zone = "secure"; addresses = [ "192.168.1.1/24" ]; }},
    {{ name = "out"; zone = "nonsecure"; addresses = [ "198.51.100.1/24" ]; }}
);
routes = ( {{ to = "0.0.0.0/0"; via = "{HOST["out"]}"; }} );
neighbours = ( {neighbours} );
filter = {{ files = [ "classic.rules" ]; }};
log = {{ to = "file"; file = "filter.log"; }};
""" + CONTROL + ip4())
    return lab


def counts(world):
    return {n: r["packets"] for n, r in world.daemon.rules().items()}


# line, from, to (a host, an address, or "us"), transport, does it get through?
# Line 24 permits everything outbound; a packet that passes is counted there as well.
EVERYTHING = [
    # 9.0.0.0/8 may use TCP 20, 21, 23
    (1, "in", "out", TCP(sport=4000, dport=20), True),
    (2, "in", "out", TCP(sport=4000, dport=21), True),
    (3, "in", "out", TCP(sport=4000, dport=23), True),
    (3, "in", "lan", TCP(sport=80, dport=23, flags="A"), True),  # the first match wins
    (17, "in", "out", TCP(sport=4000, dport=22), False),
    (4, "in", "out", UDP(sport=53, dport=4000), True),
    (5, "in", "out", UDP(sport=4000, dport=68), True),
    (6, "in", "out", TCP(sport=515, dport=600), True),
    (6, "in", "out", TCP(sport=515, dport=60000), True),
    (17, "in", "out", TCP(sport=516, dport=600), False),
    # answers of anybody's DNS and web
    (7, "out", "in", UDP(sport=53, dport=4000), True),
    (7, "out", "lan", UDP(sport=53, dport=53), True),
    (7, "lan", "out", UDP(sport=53, dport=53), True),
    (8, "out", "in", TCP(sport=80, dport=4000, flags="A"), True),
    (8, "out", "in", TCP(sport=80, dport=23, flags="SA"), True),
    (8, "out", "in", TCP(sport=80, dport=4000, flags="RA"), True),
    (9, "out", "lan", TCP(sport=443, dport=4000, flags="PA"), True),
    (17, "out", "in", TCP(sport=80, dport=23, flags="S"), False),
    (17, "out", "in", TCP(sport=443, dport=1023, flags=""), False),
    (23, "out", "in", TCP(sport=80, dport=4000, flags="S"), True),  # see line 23 below
    (10, "out", "in", TCP(sport=20, dport=4000, flags="S"), True),
    (10, "out", "in", TCP(sport=20, dport=22, flags="S"), True),
    (11, "out", "in", TCP(sport=21, dport=4000, flags="A"), True),
    (12, "out", "in", TCP(sport=23, dport=4000, flags="A"), True),
    (17, "out", "in", TCP(sport=21, dport=22, flags="S"), False),
    # 192.168.0.0/16
    (13, "lan", "out", TCP(sport=4000, dport=20), True),
    (14, "lan", "out", TCP(sport=4000, dport=21), True),
    (15, "lan", "in", TCP(sport=4000, dport=23), True),
    (16, "lan", "out", UDP(sport=4000, dport=68), True),
    (17, "lan", "out", TCP(sport=515, dport=600), False),
    (18, "lan", "out", UDP(sport=4000, dport=67), False),
    # low ports are denied to anybody
    (17, "out", "lan", TCP(sport=4000, dport=0), False),
    (17, "out", "lan", TCP(sport=4000, dport=1023), False),
    (18, "out", "in", UDP(sport=4000, dport=0), False),
    (18, "out", "in", UDP(sport=4000, dport=1023), False),
    (18, "in", "out", UDP(sport=4000, dport=67), False),
    # ICMP
    (19, "in", "out", ICMP(type=8), True),
    (19, "in", "lan", ICMP(type=3, code=3) / IP() / UDP(), True),
    (20, "lan", "out", ICMP(type=8), True),
    (21, "out", "in", ICMP(type=8), False),
    (21, "out", "lan", ICMP(type=0), False),
    # the rest of 9.0.0.0/8
    (22, "in", "out", TCP(sport=4000, dport=1024), True),
    (22, "in", "out", UDP(sport=4000, dport=1024), True),
    (22, "in", "out", Raw(bytes(20)), True),
    # line 23 has a mask of 0.0.0.0: as written it permits everybody the rest
    (23, "lan", "out", TCP(sport=4000, dport=1024), True),
    (23, "out", "in", TCP(sport=4000, dport=1024), True),
    (23, "out", "lan", UDP(sport=4000, dport=1024), True),
    (23, "out", "in", Raw(bytes(20)), True),
    # for the gateway itself ("both" scopes): the same, and its answer goes out by line 24
    (19, "in", "us", ICMP(type=8), "answered"),
    (20, "lan", "us", ICMP(type=8), "answered"),
    (21, "out", "us", ICMP(type=8), False),
    (17, "in", "us", TCP(sport=4000, dport=22), False),
]
OURS = {"in": "9.1.1.1", "lan": "192.168.1.1", "out": "198.51.100.1"}


def settle(world, by, counted):
    """Sends a packet of its own behind those that came by that port, and takes it out of what was
    counted: (frames that came there before its answer, what the others counted)."""
    if by == "out":  # line 21 denies its pings
        world.host["out"].wire.send(ether(world, "out") / IP(
            src=HOST["out"], dst=HOST["lan"], id=4712) / UDP(sport=53, dport=53))
        world.host["lan"].wire.until(lambda f: is_ip(f, id=4712))
        came, lines = [], (7, 24)
    else:
        came, lines = Sentinel.send(world, by, HOST[by], OURS[by]), \
            (19 if by == "in" else 20, 24)
    rose = exactly(counted, counts(world))
    for line in lines:
        rose[line] -= 1
    return came, {line: n for line, n in rose.items() if n}


def name(case):
    line, by, to, l4, _ = case
    return f"line {line}: {by} to {to}, {l4.summary()}"


@pytest.mark.parametrize("case", EVERYTHING, ids=name)
def test_line(world, case):
    line, by, to, l4, expected = case
    packet = IP(src=HOST[by], dst=OURS[by] if to == "us" else HOST[to], id=4711,
                **({"proto": 99} if isinstance(l4, Raw) else {})) / l4
    before = counts(world), world.daemon.drops()
    for host in world.host.values():
        host.wire.clear()
    world.host[by].wire.send(ether(world, by) / packet)
    came, rose = settle(world, by, before[0])
    dropped = exactly(before[1], world.daemon.drops())
    if expected:
        assert rose == {line: 1, 24: 1} and dropped == {}
        if to == "us":
            assert any(is_ip(f, src=OURS[by]) for f in came)
        elif (by, to) != ("out", "lan"):  # there settle looked already
            world.host[to].wire.until(lambda f: is_ip(f, id=4711))
    else:
        assert rose == {line: 1} and dropped == {"filter-in": 1}


def test_every_line_was_met(world):
    assert {case[0] for case in EVERYTHING} | {24} == set(range(1, 25))


def test_lines_17_18_and_21_log(world):
    """And no other line does."""
    records = wait_until("records", lambda: world.daemon.rpc("show.log")["records"])
    assert {r["rule"]["line"] for r in records} == {17, 18, 21}
    assert {r["verdict"] for r in records} == {"deny"}


def test_later_fragments(world):
    """Lines that name ports or types can't match one; line 22 and 23 can."""
    for by, line in (("in", 22), ("lan", 23), ("out", 23)):
        before = counts(world)
        to = "out" if by != "out" else "in"
        world.host[by].wire.send(ether(world, by) / IP(
            src=HOST[by], dst=HOST[to], frag=64, proto=6) / Raw(bytes(40)))
        assert settle(world, by, before)[1] == {line: 1, 24: 1}


def test_filter_test_says_the_same(world):
    """posternctl filter test foretells each of the verdicts above."""
    for line, by, to, l4, expected in EVERYTHING:
        dst = OURS[by] if to == "us" else HOST[to]
        question = ["filter", "test", "--in", by, "--src", HOST[by], "--dst", dst]
        if isinstance(l4, (TCP, UDP)):
            question += ["--proto", "tcp" if isinstance(l4, TCP) else "udp",
                         "--sport", l4.sport, "--dport", l4.dport]
            if isinstance(l4, TCP) and l4.flags:
                question += ["--flags", str(l4.flags)]
        elif isinstance(l4, ICMP):
            question += ["--proto", "icmp", "--icmp-type", l4.type, "--icmp-code", l4.code]
        else:
            question += ["--proto", 99]
        code, result = world.daemon.ctl(*question)
        inbound = next(s for s in result["steps"] if s["step"] == "inbound")
        assert inbound["rule"]["line"] == line, question
        assert inbound["rule"]["file"].endswith("classic.rules")
        # of a ping through us the answer counts; TCP for us is refused later
        assert (code == 0) == bool(expected), question
        assert result["verdict"] == ("permit" if expected else "deny")
