"""Neighbour discovery, duplicate addresses and router advertisements: with the kernel of Linux as
the host (RFC 4861, RFC 4862, RFC 8106), and with what scapy says.
"""
import socket
import time

import pytest
from scapy.layers.inet import UDP
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA,
                                ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_RS, ICMPv6ND_Redirect,
                                ICMPv6NDOptDNSSL, ICMPv6NDOptDstLLAddr, ICMPv6NDOptMTU,
                                ICMPv6NDOptPrefixInfo, ICMPv6NDOptRDNSS, ICMPv6NDOptSrcLLAddr,
                                IPv6)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw
from scapy.utils6 import in6_getnsma, in6_getnsmac

from lab import sh, wait_until
from world import CONTROL, PERMIT_ALL, SYSTEM, ether

ME, HOST = "2001:db8:2::1", "2001:db8:2::7"
ALL_NODES = "ff02::1"
QUICK = "nd = { retry-ms = 60; retries = 2; queue = 4; reachable-s = 1; stale-s = 20; };\n"
PATIENT = "nd = { retry-ms = 5000; };\n"


def configuration(lab, more, dad=0, ra=""):
    return f"""{SYSTEM}{lab.ports()}
interfaces = (
    {{ name = "lan"; zone = "secure"; dad-transmits = {dad};
      addresses = [ "2001:db8:1::1/64", "fe80::1/64" ]; {ra} }},
    {{ name = "wan"; zone = "nonsecure"; dad-transmits = {dad};
      addresses = [ "2001:db8:2::1/64", "fe80::1/64" ]; }}
);
neighbours = ( {{ interface = "lan"; address = "2001:db8:1::2"; mac = "{lab.lan.mac}"; }} );
ip6 = {{ icmp-error-rate = 1000000; icmp-echo-rate = 1000000; }};
{CONTROL}{PERMIT_ALL}{more}"""


def start(make_lab, more="", **rest):
    lab = make_lab("lan", "wan")
    lab.daemon = lab.start(configuration(lab, more, **rest))
    return lab


def kernel(host, on=True):
    host.run("sh", "-c", f"echo {int(not on)} >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")


def is_nd(kind, target=None, src=None):
    def is_it(frame):
        p = Ether(frame)
        return kind in p and (target is None or p[kind].tgt == target) and (
            src is None or p[IPv6].src == src)
    return is_it


def group(address):
    """(solicited-node group, its MAC)"""
    packed = in6_getnsma(socket.inet_pton(socket.AF_INET6, address))
    return socket.inet_ntop(socket.AF_INET6, packed), in6_getnsmac(packed)


def asked(lab, address, port="wan", **more):
    return Ether(lab.host[port].wire.until(is_nd(ICMPv6ND_NS, address), **more)[-1])


def answer(lab, address, port="wan", dst=ME, mac=None, flags=None):
    mac = mac or lab.host[port].mac
    lab.host[port].wire.send(
        Ether(src=mac, dst=lab.mac[port]) / IPv6(src=address, dst=dst, hlim=255)
        / ICMPv6ND_NA(tgt=address, **(flags or {"R": 0, "S": 1, "O": 1}))
        / ICMPv6NDOptDstLLAddr(lladdr=mac))


def numbered(lab, to, numbers):
    lab.lan.wire.send(*[ether(lab) / IPv6(src="2001:db8:1::2", dst=to) / UDP() / Raw(b"n%04d" % i)
                        for i in numbers])


def received(lab, n, to):
    def is_it(frame):
        p = Ether(frame)
        return UDP in p and IPv6 in p and p[IPv6].dst == to
    return [bytes(Ether(lab.wan.wire.until(is_it)[-1])[Raw]) for _ in range(n)]


def sentinel(lab, port="lan", src="2001:db8:1::2", dst="2001:db8:1::1"):
    """What came before the answer to a ping that is sent now."""
    lab.host[port].wire.send(ether(lab, port) / IPv6(src=src, dst=dst)
                             / ICMPv6EchoRequest(id=0x5e17))
    return lab.host[port].wire.until(lambda f: ICMPv6EchoReply in Ether(f))[:-1]


def interface(lab, name):
    return {i["name"]: i for i in lab.daemon.rpc("show.ports")["interfaces"]}[name]


# --- neighbours


def test_two_hosts_talk(make_lab):
    """Nothing is static, every resolution is real, in both directions."""
    lab = make_lab("lan", "wan")
    lab.daemon = lab.start(configuration(lab, "").replace("neighbours", "#"))
    for port, n in (("lan", 1), ("wan", 2)):
        kernel(lab.host[port])
        lab.host[port].run("ip", "-6", "addr", "add", f"2001:db8:{n}::55/64", "dev", "eth0",
                           "nodad")
        lab.host[port].run("ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0")
    assert lab.lan.ping("2001:db8:2::55")
    assert lab.wan.ping("2001:db8:1::55")
    assert lab.lan.ping("2001:db8:1::1")
    assert lab.lan.ping("fe80::1%eth0")
    known = lab.daemon.neighbours()
    assert known["2001:db8:2::55"]["mac"] == lab.wan.mac
    assert known["2001:db8:1::55"]["mac"] == lab.lan.mac
    code, text = lab.daemon.ctl("show", "neighbours", json_output=False)
    assert code == 0 and "2001:db8:2::55" in text


def test_asks_and_keeps_the_order(make_lab):
    """RFC 4861 section 7.2.2: what waits goes first, what comes later follows, nothing is lost."""
    lab = start(make_lab, PATIENT)
    numbered(lab, HOST, range(16))
    request = asked(lab, HOST)
    assert (request.dst, request[IPv6].dst) == group(HOST)[::-1]
    assert (request[IPv6].src, request[IPv6].hlim) == (ME, 255)
    assert request[ICMPv6NDOptSrcLLAddr].lladdr == lab.mac["wan"]
    answer(lab, HOST)
    numbered(lab, HOST, range(16, 300))
    assert received(lab, 300, HOST) == [b"n%04d" % i for i in range(300)]
    assert lab.daemon.drops() == {}
    assert lab.daemon.neighbours()[HOST] | {"age_ms": 0} == {
        "address": HOST, "interface": "wan", "mac": lab.wan.mac, "state": "reachable", "age_ms": 0,
        "tries": 0, "routes": 0, "router": False}


def test_nobody_answers(make_lab):
    """RFC 4861 section 7.2.2: address unreachable for all that waited."""
    lab = start(make_lab, QUICK)
    numbered(lab, HOST, range(2))
    for _ in range(2):
        error = Ether(lab.lan.wire.until(lambda f: ICMPv6DestUnreach in Ether(f))[-1])
        assert error[ICMPv6DestUnreach].code == 3
    assert lab.daemon.drops() == {"neighbour-failed": 2}
    assert lab.daemon.neighbours()[HOST]["state"] == "failed"


@pytest.mark.parametrize("target", ["2001:db8:2::1", "fe80::1"])
def test_answers(make_lab, target):
    """RFC 4861 section 7.2.4"""
    lab = start(make_lab, PATIENT)
    src = "fe80::7" if target.startswith("fe80") else HOST
    dst, mac = group(target)
    lab.wan.wire.send(Ether(src=lab.wan.mac, dst=mac) / IPv6(src=src, dst=dst, hlim=255)
                      / ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=lab.wan.mac))
    got = Ether(lab.wan.wire.until(
        lambda f: is_nd(ICMPv6ND_NA, target)(f) and Ether(f)[ICMPv6ND_NA].S)[-1])
    assert (got.dst, got[IPv6].dst, got[IPv6].src, got[IPv6].hlim) == (
        lab.wan.mac, src, target, 255)
    na = got[ICMPv6ND_NA]
    assert (na.R, na.S, na.O) == (1, 1, 1)
    assert got[ICMPv6NDOptDstLLAddr].lladdr == lab.mac["wan"]
    assert lab.daemon.neighbours()[src]["state"] == "stale"


def test_a_used_neighbour_is_probed(make_lab):
    """RFC 4861 section 7.3.3: REACHABLE, STALE, five seconds of DELAY, unicast probes, and gone;
    all the while it is used, which confirms nothing."""
    lab = start(make_lab, QUICK)
    numbered(lab, HOST, [0])
    asked(lab, HOST)
    answer(lab, HOST)
    received(lab, 1, HOST)
    state = lambda: lab.daemon.neighbours().get(HOST, {"state": "gone"})["state"]
    wait_until("stale", lambda: state() == "stale")

    def used_until(wanted):
        numbered(lab, HOST, [1])
        return state() == wanted
    wait_until("delay", lambda: used_until("delay"))
    lab.wan.wire.clear()
    request = asked(lab, HOST, patience=20)
    assert (request.dst, request[IPv6].dst) == (lab.wan.mac, HOST)  # by unicast
    answer(lab, HOST)
    wait_until("fresh", lambda: state() == "reachable")
    wait_until("gone", lambda: used_until("gone") or state() == "incomplete", patience=30)


def test_a_neighbour_moves(make_lab):
    """RFC 4861 section 7.2.5: with the override flag, and not without."""
    lab = start(make_lab, PATIENT)
    numbered(lab, HOST, [0])
    asked(lab, HOST)
    answer(lab, HOST)
    received(lab, 1, HOST)
    known = lambda: lab.daemon.neighbours()[HOST]
    answer(lab, HOST, mac="02:00:00:00:00:77", flags={"R": 0, "S": 0, "O": 0})
    wait_until("stale", lambda: known()["state"] == "stale")
    assert known()["mac"] == lab.wan.mac
    answer(lab, HOST, mac="02:00:00:00:00:77", flags={"R": 1, "S": 0, "O": 1})
    wait_until("the new MAC", lambda: known()["mac"] == "02:00:00:00:00:77")
    assert known()["router"] is True


def test_redirects_are_ignored(make_lab):
    """RFC 4861 section 8.2: a router does not heed them."""
    lab = start(make_lab, PATIENT)
    lab.wan.wire.send(Ether(src=lab.wan.mac, dst=lab.mac["wan"])
                      / IPv6(src="fe80::7", dst="fe80::1", hlim=255)
                      / ICMPv6ND_Redirect(tgt="fe80::8", dst="2001:db8:99::1")
                      / ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:88"))
    wait_until("it to be counted",
               lambda: interface(lab, "wan")["router_discovery"]["redirects_ignored"] == 1)
    assert "fe80::8" not in lab.daemon.neighbours()


def test_a_scan_evicts_nobody(make_lab):
    """RFC 6583: a scan of the /64 is asked for at a limited rate; who answered stays, and a host
    that is there is found."""
    lab = start(make_lab, "nd = { resolve-rate = 50; incomplete-max = 64; entries-max = 256;"
                          " queue = 2; };\n")
    numbered(lab, HOST, [0])
    asked(lab, HOST)
    answer(lab, HOST)
    received(lab, 1, HOST)
    began = time.monotonic()
    for i in range(2000):
        numbered(lab, f"2001:db8:2::5:{i:x}", [i])
        if i % 100 == 0:
            sentinel(lab)
    sentinel(lab)
    took = time.monotonic() - began
    assert HOST in lab.daemon.neighbours()
    asks = {Ether(f)[ICMPv6ND_NS].tgt for f in iter(lambda: lab.wan.wire.receive(0), None)
            if ICMPv6ND_NS in Ether(f)}
    assert len(asks) <= 50 * (took + 1) + 5
    assert lab.daemon.drops().get("neighbour-refused", 0) > 0

    def found():
        numbered(lab, "2001:db8:2::9", [9])
        frame = lab.wan.wire.receive(0.05)
        return frame and is_nd(ICMPv6ND_NS, "2001:db8:2::9")(frame)
    wait_until("a host to be asked for", found)
    answer(lab, "2001:db8:2::9")
    assert b"n0009" in received(lab, 1, "2001:db8:2::9")


# --- duplicates


def test_addresses_are_probed_and_announced(make_lab):
    """RFC 4862 section 5.4.2 and RFC 4861 section 7.2.6"""
    lab = start(make_lab, "nd = { retry-ms = 500; };\n", dad=2)
    for _ in range(2):
        probe = asked(lab, ME)
        assert (probe[IPv6].src, probe[IPv6].dst) == ("::", group(ME)[0])
        assert probe.dst == group(ME)[1]
        assert ICMPv6NDOptSrcLLAddr not in probe
    announced = Ether(lab.wan.wire.until(is_nd(ICMPv6ND_NA, ME))[-1])
    assert announced[IPv6].dst == ALL_NODES
    na = announced[ICMPv6ND_NA]
    assert (na.R, na.S, na.O) == (1, 0, 1)
    wait_until("both to be usable", lambda: interface(lab, "wan")["tentative"] == [])
    assert interface(lab, "wan")["duplicate"] == []


@pytest.mark.parametrize("how", ["advertised", "probed"])
def test_a_duplicate(make_lab, how):
    """RFC 4862 sections 5.4.3 and 5.4.4: said once, shown, not used; the other address works."""
    lab = start(make_lab, "nd = { retry-ms = 3000; };\n", dad=1)
    asked(lab, ME)
    assert ME in interface(lab, "wan")["tentative"]
    dst, mac = group(ME)
    if how == "advertised":
        answer(lab, ME, dst=ALL_NODES, flags={"R": 0, "S": 0, "O": 1})
        answer(lab, ME, dst=ALL_NODES, flags={"R": 0, "S": 0, "O": 1})
    else:
        lab.wan.wire.send(Ether(src=lab.wan.mac, dst=mac) / IPv6(src="::", dst=dst, hlim=255)
                          / ICMPv6ND_NS(tgt=ME))
    wait_until("the duplicate", lambda: interface(lab, "wan")["duplicate"] == [ME])
    wait_until("the other", lambda: interface(lab, "wan")["tentative"] == [])
    assert lab.daemon.said.count("is a duplicate") == 1
    assert f"{ME} on wan is a duplicate" in lab.daemon.said
    code, text = lab.daemon.ctl("show", "ports", json_output=False)
    assert code == 0 and "duplicate" in text
    # it neither answers nor is it answered for
    lab.wan.wire.clear()
    lab.wan.wire.send(ether(lab, "wan") / IPv6(src=HOST, dst=ME) / ICMPv6EchoRequest(id=1),
                      Ether(src=lab.wan.mac, dst=mac) / IPv6(src=HOST, dst=dst, hlim=255)
                      / ICMPv6ND_NS(tgt=ME) / ICMPv6NDOptSrcLLAddr(lladdr=lab.wan.mac))
    lab.wan.wire.send(Ether(src=lab.wan.mac, dst=group("fe80::1")[1])
                      / IPv6(src="fe80::7", dst=group("fe80::1")[0], hlim=255)
                      / ICMPv6ND_NS(tgt="fe80::1") / ICMPv6NDOptSrcLLAddr(lladdr=lab.wan.mac))
    came = lab.wan.wire.until(lambda f: is_nd(ICMPv6ND_NA, "fe80::1")(f)
                              and Ether(f)[ICMPv6ND_NA].S)
    assert not [f for f in came if is_nd(ICMPv6ND_NA, ME)(f) or ICMPv6EchoReply in Ether(f)]
    assert lab.daemon.drops()["local-tentative"] == 1


def test_a_duplicate_mac(make_lab):
    """RFC 4862 section 5.4.5: the link-local address that is made from the MAC is another host's:
    no IPv6 there, in or out; all else goes on."""
    lab = make_lab("lan", "wan")
    conf = configuration(lab, "nd = { retry-ms = 2000; };\n", dad=1)
    conf = conf.replace('"2001:db8:2::1/64", "fe80::1/64"', '"2001:db8:2::1/64", "10.2.0.1/24"')
    lab.daemon = lab.start(conf)
    made = interface(lab, "wan")["link_local"]
    assert "ff:fe" in made
    asked(lab, made)
    answer(lab, made, dst=ALL_NODES, flags={"R": 0, "S": 0, "O": 1})
    wait_until("IPv6 to be off", lambda: interface(lab, "wan")["ip6_off"])
    assert f"{made} on wan is a duplicate" in lab.daemon.said
    assert "IPv6 is off on wan" in lab.daemon.said
    code, text = lab.daemon.ctl("show", "ports", json_output=False)
    assert code == 0 and "IPv6 is off" in text
    before = lab.daemon.drops().get("ip6-off", 0)
    lab.wan.wire.send(ether(lab, "wan") / IPv6(src=HOST, dst=ME) / ICMPv6EchoRequest(id=1))
    numbered(lab, HOST, [1])
    wait_until("both to be dropped", lambda: lab.daemon.drops().get("ip6-off") == before + 2)
    # lan is another link, and IPv4 another matter
    wait_until("lan", lambda: interface(lab, "lan")["tentative"] == [])
    sentinel(lab)
    lab.wan.wire.send(ether(lab, "wan", dst="ff:ff:ff:ff:ff:ff")
                      / ARP(psrc="10.2.0.2", hwsrc=lab.wan.mac, pdst="10.2.0.1"))
    lab.wan.wire.until(lambda f: ARP in Ether(f) and Ether(f)[ARP].op == 2)
    assert not interface(lab, "lan")["ip6_off"]


# --- links


def test_link_down_and_up(make_lab):
    """Neighbours are forgotten at once; afterwards duplicates are looked for anew (RFC 4862 section
    5.4), and addresses announced."""
    lab = make_lab("lan", "wan")
    conf = configuration(lab, "nd = { retry-ms = 300; };\n", dad=1)
    conf = conf.replace("net_af_packet1,iface=wan,qdisc_bypass=1", "net_tap0,iface=tap0")
    lab.daemon = lab.start(conf)
    for name in ("lan", "wan"):  # each waits a random time before it probes
        wait_until("its addresses", lambda: interface(lab, name)["tentative"] == [])
    daemon = lab.daemon
    sh("ip", "-n", lab.gateway, "link", "set", "tap0", "down")
    wait_until("the link to go down", lambda: "port wan: link down" in daemon.said)
    numbered(lab, HOST, [1])
    sentinel(lab)
    assert HOST not in daemon.neighbours()
    sh("ip", "-n", lab.gateway, "link", "set", "tap0", "up")
    wait_until("the link to come up", lambda: "port wan: link up" in daemon.said)
    assert set(interface(lab, "wan")["tentative"]) <= {ME, "fe80::1"}
    wait_until("its addresses", lambda: interface(lab, "wan")["tentative"] == [])


# --- router advertisements

RA = """router-advertisements = { interval-s = 4; mtu = 1400; other-config = true;
    dns = [ "2001:db8:1::53" ]; domains = [ "example.org" ]; };"""


def test_advertises(make_lab):
    """RFC 4861 section 6.2.3, RFC 8106, and the last one of section 6.2.5."""
    lab = start(make_lab, "", ra=RA)
    is_ra = lambda f: ICMPv6ND_RA in Ether(f)
    got = Ether(lab.lan.wire.until(is_ra)[-1])
    assert (got.dst, got[IPv6].dst, got[IPv6].src, got[IPv6].hlim) == (
        "33:33:00:00:00:01", ALL_NODES, "fe80::1", 255)
    ra = got[ICMPv6ND_RA]
    assert (ra.chlim, ra.M, ra.O, ra.routerlifetime) == (64, 0, 1, 12)
    assert got[ICMPv6NDOptSrcLLAddr].lladdr == lab.mac["lan"]
    assert got[ICMPv6NDOptMTU].mtu == 1400
    prefix = got[ICMPv6NDOptPrefixInfo]
    assert (prefix.prefix, prefix.prefixlen, prefix.L, prefix.A) == ("2001:db8:1::", 64, 1, 1)
    assert (prefix.validlifetime, prefix.preferredlifetime) == (86400, 14400)
    assert got[ICMPv6NDOptRDNSS].dns == ["2001:db8:1::53"]
    assert got[ICMPv6NDOptDNSSL].searchlist == ["example.org."]
    lab.lan.wire.send(Ether(src=lab.lan.mac, dst="33:33:00:00:00:02")
                      / IPv6(src="fe80::2", dst="ff02::2", hlim=255) / ICMPv6ND_RS())
    lab.lan.wire.until(is_ra)
    counts = interface(lab, "lan")["router_discovery"]
    assert counts["advertisements_sent"] >= 2 and counts["solicitations_received"] == 1
    assert interface(lab, "wan")["router_discovery"]["advertisements_sent"] == 0
    lab.lan.wire.clear()
    assert lab.daemon.stop() == 0
    last = [Ether(f) for f in lab.lan.wire.until(
        lambda f: is_ra(f) and Ether(f)[ICMPv6ND_RA].routerlifetime == 0)][-1]
    assert last[IPv6].src == "fe80::1"


def test_a_host_configures_itself(make_lab):
    """Linux: address and default route by our advertisements alone, and no route when we end."""
    lab = start(make_lab, "", ra=RA)
    kernel(lab.wan)
    lab.wan.run("ip", "-6", "addr", "add", "2001:db8:2::55/64", "dev", "eth0", "nodad")
    lab.wan.run("ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0")
    for name, value in (("accept_ra", 2), ("dad_transmits", 0)):
        lab.lan.run("sh", "-c", f"echo {value} >/proc/sys/net/ipv6/conf/eth0/{name}")
    kernel(lab.lan)
    shown = lambda what: lab.lan.run("ip", "-6", what, "show", "dev", "eth0").stdout
    wait_until("an address", lambda: "2001:db8:1:" in shown("addr"), patience=30)
    assert "default via fe80::1" in shown("route")
    wait_until("an answer", lambda: lab.lan.ping("2001:db8:2::55", count=1))
    assert lab.daemon.stop() == 0
    wait_until("the route to go", lambda: "default via fe80::1" not in shown("route"))


def test_other_routers_are_ignored(make_lab):
    """RFC 4861 section 6.2.7: nothing is learned of them; what contradicts ours is said."""
    lab = start(make_lab, "", ra=RA)
    for chlim in (64, 33, 33):
        lab.lan.wire.send(Ether(src=lab.lan.mac, dst="33:33:00:00:00:01")
                          / IPv6(src="fe80::9", dst=ALL_NODES, hlim=255)
                          / ICMPv6ND_RA(chlim=chlim, M=0, O=1, routerlifetime=1800)
                          / ICMPv6NDOptSrcLLAddr(lladdr=lab.lan.mac))
    wait_until("all three", lambda: interface(lab, "lan")["router_discovery"][
        "advertisements_received"] == 3)
    assert interface(lab, "lan")["router_discovery"]["advertisements_inconsistent"] == 2
    assert lab.daemon.said.count("router fe80::9 on lan advertises the hop limit otherwise") == 1
    assert "fe80::9" not in lab.daemon.neighbours()
    assert [r for r in lab.daemon.rpc("show.routes")["routes"] if r["to"] == "::/0"] == []
