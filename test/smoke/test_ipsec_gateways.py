"""Two gateways, each a posternd with manual SAs, and a host behind each: what goes between the
hosts is ESP alone in the middle, and a reload on either side takes nothing of it along."""
import contextlib
import hashlib
import threading

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether

from lab import Lab, wait_until
from world import CONTROL, SYSTEM

RULES = 'filter = { rules = ( { action = "permit"; } ); };\n'
WAN = {"a": "203.0.113.1", "b": "203.0.113.2"}
LAN = {"a": "10.1.0", "b": "10.3.0"}


class Middle(threading.Thread):
    """The wire between both gateways: hands frames over and keeps what protocol they were."""

    def __init__(self, this, that):
        super().__init__(daemon=True)
        self.this, self.that = this, that
        self.ended = threading.Event()
        self.kinds = set()
        self.start()

    def run(self):
        while not self.ended.is_set():
            frame = self.this.receive(0.05)
            if frame is not None:
                packet = Ether(frame)
                self.kinds.add("arp" if ARP in packet else "ip6" if IPv6 in packet else
                               packet[IP].proto if IP in packet else "other")
                with contextlib.suppress(OSError):
                    self.that.send(frame)

    def end(self):
        self.ended.set()
        self.join()


def key(name):
    return hashlib.shake_128(name.encode()).digest(64).hex()


def sas(me, secret=None):
    """The SAs of gateway me; the other one's have the same with the directions changed."""
    out, come = ("a-b", "b-a") if me == "a" else ("b-a", "a-b")
    secret = {out: key(out), come: key(come), **(secret or {})}
    spi = {"a-b": 0x1001, "b-a": 0x2001}
    return ", ".join(f'{{ name = "{name}"; direction = "{way}"; spi = {spi[name]}; '
                     f'suite = "aes256-sha256"; key = "{secret[name]}"; }}'
                     for name, way in ((out, "out"), (come, "in")) if secret[name])


def conf(lab, me, more="", secret=None, policy=None, interface=False):
    other = "b" if me == "a" else "a"
    if policy is None:
        policy = f'src = "{LAN[me]}.0/24"; dst = "{LAN[other]}.0/24";'
    policies = "" if interface else (
        f'policies = ( {{ action = "protect"; tunnel = "t"; {policy} }} );')
    route = 'interface = "ipsec0";' if interface else f'via = "{WAN[other]}";'
    tunnel_if = ', { name = "ipsec0"; tunnel = true; }' if interface else ""
    return SYSTEM + lab.ports() + CONTROL + RULES + f"""
interfaces = ( {{ name = "lan"; zone = "secure"; addresses = "{LAN[me]}.1/24"; }},
               {{ name = "wan"; addresses = "{WAN[me]}/24"; }}{tunnel_if} );
routes = ( {{ to = "{LAN[other]}.0/24"; {route} }} );
ipsec = {{ tunnels = ( {{ name = "t"; local = "{WAN[me]}"; remote = "{WAN[other]}";
    {'interface = "ipsec0";' if interface else ""} {more} sas = ( {sas(me, secret)} ); }} );
    {policies} }};
"""


@pytest.fixture
def pair():
    """Both labs with their daemons; start(**more of conf) begins."""
    labs = {}
    middle = []

    def start(**more):
        for me in "ab":
            labs[me] = Lab("lan", "wan")
            labs[me].lan.address(f"{LAN[me]}.2/24", f"{LAN[me]}.1")
            labs[me].daemon = labs[me].start(conf(labs[me], me, **more))
        wires = labs["a"].wan.wire, labs["b"].wan.wire
        middle.extend((Middle(*wires), Middle(*reversed(wires))))
        return labs["a"], labs["b"]

    start.middle = middle
    yield start
    for m in middle:
        m.end()
    for lab in labs.values():
        lab.close()


def sad(lab):
    return {s["name"]: s for s in lab.daemon.rpc("show.sad")["sas"]}


def losses(lab):
    """Drops that have to do with IPsec."""
    return {r: n for r, n in lab.daemon.drops().items() if r.startswith(("ipsec-", "policy-"))}


def test_ping_between_the_networks(pair):
    a, b = pair()
    assert a.lan.ping("10.3.0.2", count=5) and b.lan.ping("10.1.0.2", count=5)
    assert [m.kinds for m in pair.middle] == [{"arp", 50}] * 2
    for lab, out, come in ((a, "a-b", "b-a"), (b, "b-a", "a-b")):
        seen = sad(lab)
        assert seen[out]["packets"] == seen[come]["packets"] == 10, seen
        assert seen[out]["sequence"] == seen[come]["sequence"] == 10, seen
        assert losses(lab) == {}
        assert lab.daemon.rpc("show.ipsec")["tunnels"][0]["state"] == "up"


def test_sequence_and_window_outlive_a_reload(pair):
    a, b = pair()
    assert a.lan.ping("10.3.0.2", count=3)
    for lab, me in ((a, "a"), (b, "b")):
        assert lab.daemon.reload(conf(lab, me) + "ip4 = { ttl = 33; };\n")["applied"]
    assert a.lan.ping("10.3.0.2", count=3)
    assert sad(a)["a-b"]["sequence"] == sad(b)["a-b"]["sequence"] == 6
    assert losses(a) == losses(b) == {}
    # another key at one end is another SA, which counts from 1: nothing of it is taken (the window
    # is asked before the ICV, RFC 4303 section 3.4), until the other end has it too
    new = {"a-b": key("new")}
    assert a.daemon.reload(conf(a, "a", secret=new))["applied"]
    assert not a.lan.ping("10.3.0.2", "-W", "1", count=1)
    assert losses(b) == {"ipsec-replay": 1} and losses(a) == {}
    assert b.daemon.reload(conf(b, "b", secret=new))["applied"]
    assert a.lan.ping("10.3.0.2", count=3)
    assert sad(b)["a-b"]["packets"] == 3 and sad(b)["b-a"]["packets"] == 9


def test_a_changed_tunnel_counts_on(pair):
    """RFC 4303 section 3.3.3: with the same key no sequence number comes twice; so the other end,
    which knows of no change, takes what comes."""
    a, b = pair()
    assert a.lan.ping("10.3.0.2", count=3)
    assert a.daemon.reload(conf(a, "a", more="ttl = 9;"))["applied"]
    assert a.lan.ping("10.3.0.2", count=3)
    assert sad(b)["a-b"]["packets"] == 6 and sad(b)["a-b"]["sequence"] > 65536
    assert losses(a) == losses(b) == {}


def test_a_tunnel_interface(pair):
    a, b = pair(interface=True)
    assert a.lan.ping("10.3.0.2", count=3) and b.lan.ping("10.1.0.2", count=3)
    assert [m.kinds for m in pair.middle] == [{"arp", 50}] * 2
    assert losses(a) == losses(b) == {}


def test_what_comes_out_is_what_a_policy_is_about(pair):
    """RFC 4301 section 5.2, step 4: here the other end protects more than we agreed to."""
    a, b = pair()
    assert a.lan.ping("10.3.0.2")
    assert b.daemon.reload(conf(b, "b", policy='src = "10.3.0.2"; dst = "10.1.0.0/24";'))["applied"]
    assert a.lan.ping("10.3.0.2")
    a.lan.wire.send(Ether(src=a.lan.mac, dst=a.mac["lan"]) / IP(src="10.1.0.2", dst="10.3.0.77") /
                    ICMP())
    wait_until("the drop", lambda: losses(b) == {"ipsec-selector": 1})


def test_no_sa_to_send_by(pair):
    a, _ = pair(secret={"a-b": ""})
    assert not a.lan.ping("10.3.0.2", "-W", "1", count=1)
    assert losses(a) == {"ipsec-no-sa": 1}
    wait_until("the line", lambda: "tunnel t has no SA to send by" in a.daemon.said)
    assert a.daemon.said.count("no SA to send by") == 1
