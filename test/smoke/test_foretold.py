"""posternctl foretells and explains IPv6: filter test says of a packet what then becomes of it, and
show drops, show log and show ports say what it was, in words that are asserted here."""
import re

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import (ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS,
                                ICMPv6NDOptSrcLLAddr, ICMPv6ND_RS, IPv6, IPv6ExtHdrDestOpt,
                                IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN, RouterAlert)
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from lab import wait_until
from world import CONTROL, SYSTEM, ether, exactly

LAN, WAN, GATEWAY = "fd00:1::2", "fd00:2::2", "fd00:1::1"
CONF = """
interfaces = (
    { name = "lan"; zone = "secure"; dad-transmits = 0;
      addresses = [ "10.1.0.1/24", "fd00:1::1/64", "fe80::1/64" ];
      router-advertisements = { dns = [ "fd00:1::53" ]; domains = [ "example.net" ]; }; },
    { name = "wan"; zone = "nonsecure"; dad-transmits = 0; mtu = 1280;
      addresses = [ "fd00:2::1/64", "fe80::1/64" ]; },
    { name = "twice"; port = "lan"; outer-vlan = 100; vlan = 7; zone = "secure";
      dad-transmits = 0; urpf = "strict"; addresses = [ "fd00:7::1/64" ]; },
    { name = "four"; port = "lan"; vlan = 4; zone = "secure"; addresses = [ "10.4.0.1/24" ]; }
);
routes = (
    { to = "fd00:a::/32"; type = "blackhole"; }, { to = "fd00:b::/32"; type = "prohibit"; },
    { to = "fd00:c::/32"; type = "unreachable"; }
);
ip6 = { icmp-error-rate = 1000000; icmp-echo-rate = 1000000; };
filter = { rules = (
    { action = "deny"; proto = "udp"; dport = "eq 53"; log = true; },
    { action = "deny"; proto = "udp"; dport = "eq 54"; direction = "outbound"; },
    { action = "permit"; proto = "icmpv6"; }, { action = "permit"; proto = "udp"; },
    { action = "permit"; src = "fd00:1::/64"; proto = "tcp"; dport = "eq 80"; scope = "route"; },
    { action = "permit"; proto = 47; }
); };
"""


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    neighbours = ", ".join(
        f'{{ interface = "{port}"; address = "{address}"; mac = "{lab.host[port].mac}"; }}'
        for port, address in (("lan", LAN), ("lan", "fe80::2"), ("wan", WAN)))
    lab.daemon = lab.start(SYSTEM + lab.ports("pcap") + CONF + CONTROL
                           + f"neighbours = ( {neighbours} );\n")
    return lab


class Question:
    """A packet in the words of filter test, and as it is on the wire."""
    def __init__(self, name, reason, packet, interface="lan", tags=(), **words):
        self.name, self.reason, self.packet = name, reason, packet
        self.interface, self.tags, self.words = interface, tags, words

    def frame(self, lab):
        frame = ether(lab)
        for tag in self.tags:
            frame /= Dot1Q(vlan=tag)
        frame /= self.packet
        if self.tags[1:]:
            frame.type = 0x88a8
        return frame

    def ask(self, daemon):
        address = IPv6(bytes(self.packet))
        return daemon.rpc("filter.test", **{"in": self.interface, "src": address.src,
                                            "dst": address.dst, **self.words})


def ip6(dst=WAN, src=LAN, **more):
    return IPv6(src=src, dst=dst, **more)


def echo(dst=WAN, src=LAN, **more):
    return ip6(dst, src, **more) / ICMPv6EchoRequest(id=5, seq=6)


def udp(port, dst=WAN, **more):
    return ip6(dst, **more) / UDP(sport=4000, dport=port) / Raw(b"data")


ICMP = {"proto": "icmpv6"}
QUESTIONS = [
    Question("a rule, inbound", "filter-in", udp(53), proto="udp", dport=53),
    Question("a rule, outbound", "filter-out", udp(54), proto="udp", dport=54),
    Question("no rule, inbound", "filter-in-implicit", ip6() / TCP(dport=81, flags="S"),
             proto="tcp", dport=81, flags="S"),
    Question("routed alone", "filter-in-implicit", ip6(GATEWAY) / TCP(dport=80), proto="tcp",
             dport=80),
    Question("a later fragment", "filter-in-implicit",
             ip6() / IPv6ExtHdrFragment(offset=5, id=7, nh=6) / Raw(b"x" * 8), proto="tcp",
             fragment="later"),
    Question("no route", "no-route", echo("2001:db8::1"), **ICMP),
    Question("blackhole", "route-blackhole", echo("fd00:a::1"), **ICMP),
    Question("prohibit", "route-prohibit", echo("fd00:b::1"), **ICMP),
    Question("unreachable", "route-unreachable", echo("fd00:c::1"), **ICMP),
    Question("denied before its route", "filter-in", udp(53, "fd00:c::1"), proto="udp", dport=53),
    Question("hop limit", "ttl-exceeded", echo(hlim=1), hop_limit=1, **ICMP),
    Question("too big", "mtu-exceeded", ip6() / ICMPv6EchoRequest() / Raw(bytes(1233)),
             length=1281, **ICMP),
    Question("a port of ours", "local-no-port", udp(9, GATEWAY), proto="udp", dport=9),
    Question("a protocol of ours", "local-no-protocol", ip6(GATEWAY, nh=47) / Raw(bytes(8)),
             proto="gre"),
    Question("an answer to us", "local-icmp-ignored", ip6(GATEWAY) / ICMPv6EchoReply(),
             icmp_type=129, **ICMP),
    Question("beyond its link", "ip6-beyond-scope", echo(src="fe80::2"), **ICMP),
    Question("another's link-local", "ip6-link-local", echo("fe80::77"), **ICMP),
    Question("multicast", "ip6-multicast", echo("ff02::5"), **ICMP),
    Question("from nobody", "ip6-source-martian", echo(src="::"), **ICMP),
    Question("from us", "ip6-source-martian", echo(src=GATEWAY), **ICMP),
    Question("from many", "ip6-source-martian", echo(src="ff02::1"), **ICMP),
    Question("to the loopback", "ip6-destination-martian", echo("::1"), **ICMP),
    Question("discovery from afar", "nd-hop-limit",
             ip6(GATEWAY, "fe80::2", hlim=64) / ICMPv6ND_NS(tgt=GATEWAY), icmp_type=135,
             hop_limit=64, **ICMP),
    Question("an IPv4 interface", "ip6-not-configured", echo(), "four", (4,), **ICMP),
    Question("reverse path", "urpf", echo(), "twice", (100, 7), **ICMP),
]


def settled(lab):
    """All that was sent before it is done; frames that came meanwhile."""
    settled.serial += 1
    seq = settled.serial
    lab.lan.wire.send(ether(lab) / ip6(GATEWAY) / ICMPv6EchoRequest(id=0x5e17, seq=seq))
    return lab.lan.wire.until(lambda f: ICMPv6EchoReply in Ether(f) and
                              Ether(f)[ICMPv6EchoReply].seq == seq)


settled.serial = 100


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)
def test_what_is_foretold_happens(world, question):
    answer = question.ask(world.daemon)
    assert (answer["verdict"], answer["reason"]) == ("deny", question.reason)
    assert question.reason in [s["reason"] for s in answer["steps"]]
    before = world.daemon.drops()
    world.lan.wire.send(question.frame(world))
    settled(world)
    assert exactly(before, world.daemon.drops()) == {question.reason: 1}


PASSING = [
    Question("ping", None, echo(), **ICMP),
    Question("udp", None, udp(5353), proto="udp", dport=5353),
    Question("tcp", None, ip6() / TCP(dport=80, flags="S"), proto="tcp", dport=80, flags="S"),
    Question("behind headers", None, ip6() / IPv6ExtHdrHopByHop(options=[RouterAlert()])
             / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"0000")]) / UDP(sport=1, dport=7),
             proto="udp", dport=7),
    Question("as large as may be", None, ip6() / ICMPv6EchoRequest() / Raw(bytes(1232)),
             length=1280, **ICMP),
]


@pytest.mark.parametrize("question", PASSING, ids=lambda q: q.name)
def test_what_is_permitted_passes(world, question):
    answer = question.ask(world.daemon)
    assert (answer["verdict"], answer["answered"], answer["taken"]) == ("permit", False, False)
    world.wan.wire.clear()
    world.lan.wire.send(question.frame(world))
    world.wan.wire.until(lambda f: IPv6 in Ether(f) and Ether(f)[IPv6].dst == WAN)


def test_what_is_for_us_is_answered_or_taken(world):
    answer = Question("", None, echo(GATEWAY), **ICMP).ask(world.daemon)
    assert (answer["verdict"], answer["answered"]) == ("permit", True)
    settled(world)
    discovery = ip6("ff02::1:ff00:1", "fe80::2", hlim=255) / ICMPv6ND_NS(tgt=GATEWAY) \
        / ICMPv6NDOptSrcLLAddr(lladdr=world.lan.mac)
    answer = Question("", None, discovery, icmp_type=135, **ICMP).ask(world.daemon)
    assert (answer["verdict"], answer["taken"]) == ("permit", True)
    assert [s["step"] for s in answer["steps"]] == ["interface", "neighbour"]
    before = world.daemon.drops()
    world.lan.wire.send(Ether(src=world.lan.mac, dst="33:33:ff:00:00:01") / discovery)
    world.lan.wire.until(lambda f: Ether(f).haslayer("ICMPv6 Neighbor Discovery - Neighbor "
                                                     "Advertisement"))
    assert exactly(before, world.daemon.drops()) == {}


def sample(world, reason):
    """What show drops says of the last packet of that reason, as a person reads it."""
    code, text = world.daemon.ctl("show", "drops", "--sample", "--reason", reason, "--limit", 1,
                                  json_output=False)
    assert code == 0
    return text


def test_drops_are_told(world):
    """Each header and field of what was dropped."""
    world.lan.wire.send(ether(world) / IPv6(src=LAN, dst=WAN, tc=0xb8, fl=0x12345, hlim=9)
                        / IPv6ExtHdrHopByHop(options=[RouterAlert()])
                        / IPv6ExtHdrFragment(id=77, m=1)
                        / UDP(sport=4000, dport=53, len=500) / Raw(bytes(16)))
    settled(world)
    text = sample(world, "filter-in")
    assert f"{world.lan.mac} > {world.mac['lan']}, IPv6 [{LAN}]:4000 > [{WAN}]:53 " in text
    assert "53 hop-by-hop router alert 0 fragment id 77 offset 0+ udp data 492 " in text
    assert "hop limit 9 class 0xb8 flow 0x12345 length 80" in text
    rule = r"rule 1, \S*postern.conf:\d+: deny any any any any udp any 0 eq 53"
    assert re.search(rule, text), text
    world.lan.wire.send(ether(world) / ip6(GATEWAY, "fe80::2", hlim=3) / ICMPv6ND_NS(tgt=GATEWAY)
                        / ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:09"))
    settled(world)
    text = sample(world, "nd-hop-limit")
    assert f"IPv6 fe80::2 > {GATEWAY} icmpv6 neighbour solicitation (type 135 code 0) " in text
    assert f") target {GATEWAY} (source MAC 02:00:00:00:00:09) hop limit 3 " in text
    tagged = ether(world) / Dot1Q(vlan=100, prio=5) / Dot1Q(vlan=7) / echo()
    tagged.type = 0x88a8
    world.lan.wire.send(tagged)
    settled(world)
    assert ("outer vlan 100 priority 5, vlan 7, IPv6 fd00:1::2 > fd00:2::2 icmpv6 echo request "
            "(type 128 code 0) id 5 seq 6") in sample(world, "urpf")


def test_log_has_brackets_where_a_port_follows(world):
    world.lan.wire.send(ether(world) / udp(53))
    wait_until("its record", lambda: any(
        r["src"] == LAN and r["dport"] == 53 for r in world.daemon.rpc("show.log")["records"]))
    code, text = world.daemon.ctl("show", "log", "--limit", 1, json_output=False)
    assert code == 0
    assert f"udp    [{LAN}]:4000  [{WAN}]:53" in text, text


def test_ports(world):
    code, text = world.daemon.ctl("show", "ports", json_output=False)
    assert code == 0
    lines = [re.sub(r" +", " ", line).strip() for line in text.splitlines()]
    at = next(i for i, line in enumerate(lines) if line.startswith("lan secure"))
    assert lines[at].endswith("10.1.0.1/24")
    assert lines[at + 1:at + 3] == ["fd00:1::1/64", "fe80::1/64"]
    assert any(line.startswith("twice secure enabled lan 100.7 ") for line in lines)
    assert "lan 10 min 30 min SLAAC fd00:1::/64 fd00:1::53 example.net" in lines
    twice = next(i for i in world.daemon.rpc("show.ports")["interfaces"] if i["name"] == "twice")
    assert (twice["outer_vlan"], twice["vlan"]) == (100, 7)
    assert twice["addresses"] == ["fd00:7::1/64", twice["link_local"] + "/64"]


def test_messages_name_the_option(world):
    """What posternctl says names its own options, and what was expected."""
    packet = ["filter", "test", "--in", "lan", "--src", LAN, "--dst", WAN]
    for words, said in ((["--proto", "icmp"], "--proto must be icmpv6 for IPv6"),
                        (["--proto", "icmpv6", "--hop-limit", 0],
                         "--hop-limit must be an integer from 1 to 255"),
                        (["--proto", "udp"], "--dport must be given: this protocol has ports")):
        code, text = world.daemon.ctl(*packet, *words, json_output=False)
        assert (code, text) == (4, f"posternctl: {said}\n")
    code, text = world.daemon.ctl(*packet[:4], "--src", "fe80::2%lan", "--dst", WAN, "--proto",
                                  "icmpv6", json_output=False)
    assert code == 4 and "without a zone" in text
    code, text = world.daemon.ctl(*packet, "--proto", "ICMPV6", json_output=False)
    assert code == 0 and text.endswith("\nPERMIT\n")


def test_solicitations_are_no_drops(world):
    """A host that looks for a router is answered, and nothing of it is filtered."""
    settled(world)
    before = world.daemon.drops()
    world.lan.wire.send(Ether(src=world.lan.mac, dst="33:33:00:00:00:02")
                        / ip6("ff02::2", "fe80::2", hlim=255) / ICMPv6ND_RS()
                        / ICMPv6NDOptSrcLLAddr(lladdr=world.lan.mac))
    world.lan.wire.until(lambda f: Ether(f).haslayer("ICMPv6 Neighbor Discovery - Router "
                                                     "Advertisement"))
    settled(world)
    assert exactly(before, world.daemon.drops()) == {}
