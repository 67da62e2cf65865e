"""Multicast listener discovery with scapy as the querier, the switch and the router (RFC 3810, RFC
2710): which groups a running gateway reports, when, and how it answers.
"""
import socket

import pytest
from scapy.layers.inet6 import (ICMPv6MLDMultAddrRec, ICMPv6MLDone, ICMPv6MLQuery, ICMPv6MLQuery2,
                                ICMPv6MLReport, ICMPv6MLReport2, ICMPv6ND_NS, IPv6,
                                IPv6ExtHdrHopByHop, RouterAlert)
from scapy.layers.l2 import Ether

from lab import wait_until
from test_nd import configuration, group, interface
from world import exactly

IS_EXCLUDE, TO_INCLUDE, TO_EXCLUDE = 2, 3, 4
OURS = {"ff02::2", "ff02::1:ff00:1", "ff02::1:ff00:0"}


def reported(frame, src="fe80::1"):
    """{(record type, group)} of a report of ours, after a look at its headers."""
    packet = Ether(frame)
    assert (packet.dst, packet[IPv6].dst) == ("33:33:00:00:00:16", "ff02::16")
    assert (packet[IPv6].src, packet[IPv6].hlim) == (src, 1)
    assert packet[IPv6ExtHdrHopByHop].options[0].otype == 5
    again = packet[IPv6].copy()
    del again[ICMPv6MLReport2].cksum
    assert IPv6(bytes(again))[ICMPv6MLReport2].cksum == packet[ICMPv6MLReport2].cksum
    records, rest = [], packet[ICMPv6MLReport2].records[0]
    while ICMPv6MLDMultAddrRec in rest:  # scapy takes each for what the one before carries
        records.append(rest)
        rest = rest.payload
    assert all(r.sources_number == r.auxdata_len == 0 for r in records)
    assert len(records) == packet[ICMPv6MLReport2].records_number
    return {(r.rtype, r.dst) for r in records}


def is_report(kind=ICMPv6MLReport2):
    return lambda f: kind in Ether(f)


def heard(lab, query, dst="ff02::1", src="fe80::9", hlim=1, alert=True):
    header = IPv6(src=src, dst=dst, hlim=hlim)
    if alert:
        header = header / IPv6ExtHdrHopByHop(options=[RouterAlert()])
    mac = "33:33:" + socket.inet_pton(socket.AF_INET6, dst)[12:].hex(":")
    lab.lan.wire.send(Ether(src=lab.lan.mac, dst=mac) / header / query)


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    lab.daemon = lab.start(configuration(lab, "nd = { retry-ms = 200; };\n"))
    return lab


def settled(world):
    """No report comes any more."""
    wait_until("silence", lambda: world.lan.wire.receive(0.7) is None)


def test_joins(make_lab):
    """RFC 3810 section 6.1, before any address is probed for (RFC 4862 section 5.4.2); from "::" at
    first, and again when the address is ours (RFC 3590)."""
    lab = make_lab("lan", "wan")
    lab.daemon = lab.start(configuration(lab, "nd = { retry-ms = 300; };\n", dad=1))
    came = lab.lan.wire.until(is_report())
    assert not [f for f in came if ICMPv6ND_NS in Ether(f)]
    assert reported(came[-1], "::") == {(TO_EXCLUDE, g) for g in OURS}
    named = lab.lan.wire.until(lambda f: is_report()(f) and Ether(f)[IPv6].src != "::")[-1]
    assert reported(named) == {(TO_EXCLUDE, g) for g in OURS}
    assert interface(lab, "lan")["tentative"] == [] or "fe80::1" not in interface(
        lab, "lan")["tentative"]
    shown = interface(lab, "lan")["multicast"]
    assert set(shown["groups"]) == OURS and shown["version"] == 2
    assert shown["reports_sent"] >= 2


def test_a_reload_joins_and_leaves(world):
    settled(world)
    conf = world.daemon.path.read_text()
    world.daemon.reload(conf.replace('"2001:db8:1::1/64"', '"2001:db8:1::77/64"'))
    came = world.lan.wire.until(is_report())[-1]
    # fe80::1 has the group of ::1 as well
    assert reported(came) == {(TO_EXCLUDE, group("2001:db8:1::77")[0])}
    settled(world)
    world.daemon.reload(conf)
    assert reported(world.lan.wire.until(is_report())[-1]) == {
        (TO_INCLUDE, group("2001:db8:1::77")[0])}
    settled(world)


def test_answers(world):
    """RFC 3810 section 6.2"""
    settled(world)
    before = interface(world, "lan")["multicast"]
    heard(world, ICMPv6MLQuery2(mrd=100))
    assert reported(world.lan.wire.until(is_report())[-1]) == {(IS_EXCLUDE, g) for g in OURS}
    heard(world, ICMPv6MLQuery2(mladdr="ff02::1:ff00:1", mrd=100), dst="ff02::1:ff00:1")
    assert reported(world.lan.wire.until(is_report())[-1]) == {(IS_EXCLUDE, "ff02::1:ff00:1")}
    after = interface(world, "lan")["multicast"]
    assert exactly(before, after) == {"reports_sent": 2, "queries_received": 2}


@pytest.mark.parametrize("how", [{"hlim": 2}, {"src": "2001:db8:1::9"}, {"alert": False}],
                         ids=lambda h: next(iter(h)))
def test_invalid(world, how):
    """RFC 3810 section 6.2"""
    before = world.daemon.drops()
    heard(world, ICMPv6MLQuery2(mrd=0), **how)
    wait_until("the drop", lambda: exactly(before, world.daemon.drops()) == {"mld-invalid": 1})


def test_an_old_querier(world):
    """RFC 3810 section 8.2.1: RFC 2710's words, one message a group. The last test here: it stays
    so for minutes."""
    settled(world)
    heard(world, ICMPv6MLQuery(mrd=50))
    groups = set()
    for _ in OURS:
        packet = Ether(world.lan.wire.until(is_report(ICMPv6MLReport))[-1])
        assert packet[IPv6].dst == packet[ICMPv6MLReport].mladdr
        groups.add(packet[IPv6].dst)
    assert groups == OURS
    assert interface(world, "lan")["multicast"]["version"] == 1
    conf = world.daemon.path.read_text()
    world.daemon.reload(conf.replace('"2001:db8:1::1/64"', '"2001:db8:1::1/127"'))
    done = Ether(world.lan.wire.until(is_report(ICMPv6MLDone))[-1])
    assert (done[IPv6].dst, done[ICMPv6MLDone].mladdr) == ("ff02::2", "ff02::1:ff00:0")
