"""IPv6 through and to a running gateway: real clients and servers, and what scapy makes up."""
import contextlib
import hashlib
import random
import socket
import threading

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import (HBHOptUnknown, ICMPv6DestUnreach, ICMPv6EchoReply,
                                ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6PacketTooBig,
                                ICMPv6ParamProblem, ICMPv6TimeExceeded, IPv6, IPv6ExtHdrDestOpt,
                                IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting,
                                RouterAlert)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from world import CONTROL, PERMIT_ALL, SYSTEM, ether, exactly

LAN, WAN = "2001:db8:1::2", "2001:db8:2::2"
LAN_GATEWAY, WAN_GATEWAY = "2001:db8:1::1", "2001:db8:2::1"

CONF = """
interfaces = (
    { name = "lan"; zone = "secure"; dad-transmits = 0;
      addresses = [ "2001:db8:1::1/64", "fe80::1/64" ]; },
    { name = "wan"; zone = "nonsecure"; dad-transmits = 0; mtu = 1280;
      addresses = [ "2001:db8:2::1/64", "fe80::1/64" ]; }
);
routes = ( { to = "2001:db8:dead::/48"; type = "unreachable"; } );
ip6 = { icmp-error-rate = 1000000; icmp-echo-rate = 1000000; };
"""


def configuration(lab, kind):
    """The hosts are static neighbours: discovery has tests of its own."""
    neighbours = ", ".join(
        f'{{ interface = "{port}"; address = "{address}"; mac = "{lab.host[port].mac}"; }}'
        for port, addresses in (("lan", (LAN, "fe80::2")), ("wan", (WAN, "fe80::2")))
        for address in addresses)
    return (SYSTEM + lab.ports(kind) + CONF + f"neighbours = ( {neighbours} );\n" + CONTROL
            + PERMIT_ALL)


def speak(host, address, gateway, mac):
    """The kernel of a host speaks IPv6 with the gateway."""
    host.run("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    for what in (f"addr add {address}/64 dev eth0 nodad", "addr add fe80::2/64 dev eth0 nodad",
                 f"neigh replace {gateway} lladdr {mac} dev eth0 nud permanent",
                 f"neigh replace fe80::1 lladdr {mac} dev eth0 nud permanent",
                 f"route add default via {gateway}"):
        host.run("ip", "-6", *what.split())


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    speak(lab.lan, LAN, LAN_GATEWAY, lab.mac["lan"])
    speak(lab.wan, WAN, WAN_GATEWAY, lab.mac["wan"])
    lab.daemon = lab.start(configuration(lab, "packet"))
    return lab


@pytest.fixture(scope="module")
def wires(module_labs):
    """Hosts that say nothing by themselves; the device hands on what came."""
    lab = module_labs("lan", "wan")
    lab.daemon = lab.start(configuration(lab, "pcap"))
    return lab


def test_ping(world):
    assert world.lan.ping(WAN)
    assert world.wan.ping(LAN)


def test_ping_the_gateway(world):
    assert world.lan.ping(LAN_GATEWAY)
    assert world.lan.ping(WAN_GATEWAY)
    assert world.lan.ping("fe80::1%eth0")
    assert world.wan.ping(LAN_GATEWAY)


def test_ping_all_nodes(world):
    done = world.lan.run("ping", "-n", "-L", "-c", "1", "-W", "5", "-I", "eth0", "ff02::1",
                         check=False)
    assert "from fe80::1" in done.stdout, done.stdout


def test_ping_sizes(world):
    for size in (0, 1, 8, 555, 1232):
        assert world.lan.ping(WAN, "-s", size, "-M", "do", count=1), size
    for size in (0, 1, 1452):
        assert world.lan.ping(LAN_GATEWAY, "-s", size, "-M", "do", count=1), size


def serve_tcp(host, port, data):
    server = host.socket(socket.AF_INET6, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("::", port))
    server.listen()

    def run():
        with contextlib.suppress(OSError):  # closed before anybody came
            client, _ = server.accept()
            with client:
                client.sendall(data)
    threading.Thread(target=run, daemon=True).start()
    return server


def download(server_host, client_host, address, port):
    data = random.Random(6).randbytes(2_000_000)
    with serve_tcp(server_host, port, data), client_host.socket(
            socket.AF_INET6, socket.SOCK_STREAM) as client:
        client.settimeout(30)
        client.connect((address, port))
        got = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()


def test_tcp(world):
    download(world.wan, world.lan, WAN, 8080)


def test_path_mtu(world):
    """RFC 8201: the server's segments do not fit, and it learns that from packet too big."""
    download(world.lan, world.wan, LAN, 8081)
    assert world.daemon.drops()["mtu-exceeded"] > 0
    done = world.lan.run("ip", "-6", "route", "get", WAN)
    assert "mtu 1280" in done.stdout, done.stdout


def test_udp(world):
    with world.wan.socket(socket.AF_INET6, socket.SOCK_DGRAM) as server, \
            world.lan.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
        server.bind(("::", 5353))
        server.settimeout(10)
        client.settimeout(10)
        for size in (0, 1, 100, 1231):
            client.sendto(b"q" * size, (WAN, 5353))
            data, peer = server.recvfrom(2048)
            assert len(data) == size and peer[0] == LAN
            server.sendto(data[::-1] + b"a", peer)
            assert len(client.recv(2048)) == size + 1


def test_nobody_listens(world):
    with world.lan.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.connect((LAN_GATEWAY, 9))
        client.send(b"x")
        with pytest.raises(ConnectionRefusedError):
            client.recv(10)


def test_hop_limit_ends_here(world):
    """As traceroute does it."""
    done = world.lan.run("ping", "-n", "-c", "1", "-W", "5", "-t", "1", WAN, check=False)
    assert f"From {LAN_GATEWAY} icmp_seq=1 Time exceeded: Hop limit" in done.stdout


def test_no_route(world):
    done = world.lan.run("ping", "-n", "-c", "1", "-W", "5", "2001:db8:99::1", check=False)
    assert f"From {LAN_GATEWAY} icmp_seq=1 Destination unreachable: No route" in done.stdout
    done = world.lan.run("ping", "-n", "-c", "1", "-W", "5", "2001:db8:dead::1", check=False)
    assert f"From {LAN_GATEWAY} icmp_seq=1 Destination unreachable: Address unr" in done.stdout


# --- by hand

class Sentinel:
    """A ping to the gateway: when its answer comes, all before it was handled."""
    serial = 0

    @classmethod
    def send(cls, lab):
        cls.serial += 1
        seq = cls.serial & 0xffff
        lab.lan.wire.send(ether(lab) / IPv6(src=LAN, dst=LAN_GATEWAY)
                          / ICMPv6EchoRequest(id=0x5e17, seq=seq))

        def answer(frame):
            p = Ether(frame)
            return ICMPv6EchoReply in p and p[ICMPv6EchoReply].id == 0x5e17 \
                and p[ICMPv6EchoReply].seq == seq
        return lab.lan.wire.until(answer)[:-1]


def ip6(dst=WAN, **more):
    return IPv6(src=LAN, dst=dst, **more)


def built(packet):
    return IPv6(bytes(packet))


def forwarded(wires, packet):
    """What the far host got; all but the hop limit must be as it was."""
    packet = built(packet)
    wires.wan.wire.clear()
    wires.lan.wire.send(ether(wires) / packet)
    # discovery, to groups, may come between
    frame = wires.wan.wire.until(lambda f: IPv6 in Ether(f) and not f[0] & 1)[-1]
    got = Ether(frame)
    assert (got.src, got.dst) == (wires.mac["wan"], wires.wan.mac)
    packet.hlim -= 1
    assert frame[14:14 + len(packet)] == bytes(packet), got.show(dump=True)


def dropped(wires, packet, reason):
    """Errors that came instead. Exactly one packet was dropped, for that reason."""
    before = wires.daemon.drops()
    wires.lan.wire.clear()
    wires.lan.wire.send(ether(wires) / packet)
    came = [Ether(f) for f in Sentinel.send(wires)]
    assert exactly(before, wires.daemon.drops()) == {reason: 1}
    return [p for p in came if IPv6 in p and p.dst == wires.lan.mac]


PAYLOAD = UDP(sport=4000, dport=53) / Raw(b"0123456789abcdef")


def test_class_and_label_are_kept(wires):
    forwarded(wires, ip6(tc=0xb9, fl=0x9abcd, hlim=33) / PAYLOAD)
    forwarded(wires, ip6(tc=0, fl=0) / TCP(sport=1, dport=2))


def test_extension_headers_are_forwarded(wires):
    unknown = HBHOptUnknown(otype=0xde, optdata=b"abcd")
    for chain in (IPv6ExtHdrHopByHop(options=[RouterAlert()]),
                  IPv6ExtHdrHopByHop(options=[unknown]),
                  IPv6ExtHdrDestOpt(options=[unknown]),
                  IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment(id=9)
                  / IPv6ExtHdrDestOpt(),
                  IPv6ExtHdrRouting(type=4, segleft=0)):
        forwarded(wires, ip6() / chain / PAYLOAD)


def test_too_many_extension_headers(wires):
    chain = IPv6ExtHdrDestOpt()
    for _ in range(8):
        chain = chain / IPv6ExtHdrDestOpt()
    assert not dropped(wires, ip6() / chain / PAYLOAD, "ip6-extension-headers-max")


def test_routing_header_0(wires):
    """RFC 5095"""
    for segments in (0, 1):
        assert not dropped(wires, ip6() / IPv6ExtHdrRouting(
            type=0, segleft=segments, addresses=["2001:db8:2::9"]) / PAYLOAD,
            "ip6-routing-header")
    error, = dropped(wires, ip6(LAN_GATEWAY) / IPv6ExtHdrRouting(
        type=0, segleft=1, addresses=[WAN]) / PAYLOAD, "ip6-routing-header")
    assert (error[ICMPv6ParamProblem].code, error[ICMPv6ParamProblem].ptr) == (0, 42)


def test_fragments_are_forwarded(wires):
    """As they are, the atomic one too (RFC 6946)."""
    forwarded(wires, ip6() / IPv6ExtHdrFragment(id=1) / PAYLOAD)
    forwarded(wires, ip6() / IPv6ExtHdrFragment(id=2, m=1) / PAYLOAD)
    forwarded(wires, ip6() / IPv6ExtHdrFragment(id=2, offset=3, nh=17) / Raw(b"the rest"))


def test_unknown_options_for_us(wires):
    """RFC 8200 section 4.2"""
    def option(kind):
        return ip6(LAN_GATEWAY) / IPv6ExtHdrDestOpt(
            options=[HBHOptUnknown(otype=kind, optdata=b"abcd")]) / ICMPv6EchoRequest()
    assert not dropped(wires, option(0x5e), "ip6-option")
    for kind in (0x9e, 0xde):
        error, = dropped(wires, option(kind), "ip6-option")
        assert (error[ICMPv6ParamProblem].code, error[ICMPv6ParamProblem].ptr) == (2, 42)


def test_errors(wires):
    """RFC 4443: their fields, checksum and size."""
    def check(error, sent):
        assert (error.src, error.dst) == (wires.mac["lan"], wires.lan.mac)
        header = error[IPv6]
        assert (header.src, header.dst, header.nh, header.hlim) == (LAN_GATEWAY, LAN, 58, 64)
        again = header.copy()
        del again.payload.cksum
        assert built(again).payload.cksum == header.payload.cksum
        assert bytes(header.payload)[8:] == bytes(sent)[:1232]
        assert len(bytes(header)) <= 1280
        return header.payload

    sent = built(ip6(hlim=1) / PAYLOAD)
    error, = dropped(wires, sent, "ttl-exceeded")
    assert check(error, sent)[ICMPv6TimeExceeded].code == 0
    sent = built(ip6() / UDP() / Raw(bytes(1400)))
    error, = dropped(wires, sent, "mtu-exceeded")
    assert check(error, sent)[ICMPv6PacketTooBig].mtu == 1280
    sent = built(ip6("2001:db8:99::1") / PAYLOAD)
    error, = dropped(wires, sent, "no-route")
    assert check(error, sent)[ICMPv6DestUnreach].code == 0
    sent = built(ip6(LAN_GATEWAY, nh=132) / Raw(bytes(20)))
    error, = dropped(wires, sent, "local-no-protocol")
    assert (check(error, sent)[ICMPv6ParamProblem].code,
            error[ICMPv6ParamProblem].ptr) == (1, 6)


def test_no_errors_to_errors(wires):
    assert not dropped(wires, ip6(hlim=1) / ICMPv6DestUnreach() / Raw(bytes(40)), "ttl-exceeded")


def raw(kind, data, dst=WAN):
    """A packet whose bytes behind the IPv6 header are these."""
    return ip6(dst, nh=kind) / Raw(data)


OPTIONS = bytes([60, 0, 1, 4, 0, 0, 0, 0])
NS = bytes(ICMPv6ND_NS(tgt=LAN_GATEWAY))
INVALID = [
    ("ip6-truncated", ip6(plen=60) / PAYLOAD),
    ("ip6-version", IPv6(src=LAN, dst=WAN, version=5) / PAYLOAD),
    ("ip6-jumbo", ip6(plen=0) / IPv6ExtHdrHopByHop() / PAYLOAD),
    ("ip6-extension-truncated", raw(60, b"\x11\xff" + bytes(30))),
    ("ip6-hop-by-hop-place", raw(60, b"\0" + OPTIONS[1:] + b"\x11" + OPTIONS[1:] + bytes(8))),
    ("ip6-l4-truncated", raw(6, bytes(19))),
    ("ip6-l4-truncated", raw(17, bytes(7))),
    ("ip6-l4-truncated", raw(58, bytes(7))),
    ("ip6-tiny-fragment", raw(44, bytes([6, 0, 0, 1, 0, 0, 0, 1]) + bytes(16))),
    ("ip6-tiny-fragment", raw(44, bytes([60, 0, 0, 1, 0, 0, 0, 1, 6, 1, 0, 0, 0, 0, 0, 0]))),
    ("ip6-fragment-invalid", raw(44, bytes([17, 0, 0, 1, 0, 0, 0, 1]) + bytes(17))),
    ("ip6-fragment-invalid", raw(44, bytes([44, 0, 0, 0, 0, 0, 0, 1]) * 2 + bytes(8))),
    ("nd-hop-limit", ip6("ff02::1:ff00:1", hlim=254, nh=58) / Raw(NS)),
    ("nd-invalid", ip6("ff02::1:ff00:1", hlim=255, nh=58) / Raw(NS)),  # without checksum
    ("nd-fragment", ip6("ff02::1:ff00:1", hlim=255) / IPv6ExtHdrFragment(nh=58) / Raw(NS)),
]


@pytest.mark.parametrize("reason,packet", INVALID, ids=[f"{i} {r}" for i, (r, _) in
                                                       enumerate(INVALID)])
def test_invalid(wires, reason, packet):
    assert not dropped(wires, packet, reason)


def test_tiny_fragment_for_us(wires):
    """RFC 7112 section 5: the source is told."""
    sent = raw(44, bytes([6, 0, 0, 1, 0, 0, 0, 1]) + bytes(16), dst=LAN_GATEWAY)
    error, = dropped(wires, sent, "ip6-tiny-fragment")
    assert (error[IPv6].src, error[IPv6].dst) == (LAN_GATEWAY, LAN)
    assert (error[ICMPv6ParamProblem].code, error[ICMPv6ParamProblem].ptr) == (3, 0)


def test_unicast_in_multicast(wires):
    before = wires.daemon.drops()
    wires.lan.wire.send(ether(wires, dst="33:33:00:00:00:01") / ip6() / PAYLOAD)
    Sentinel.send(wires)
    assert exactly(before, wires.daemon.drops()) == {"ip6-unicast-in-multicast": 1}


def test_addresses(wires):
    """RFC 4291: what is no address of another host, or of another link."""
    for src in ("::1", "::ffff:10.1.0.2", "ff02::1", LAN_GATEWAY, "::"):
        assert not dropped(wires, IPv6(src=src, dst=WAN) / PAYLOAD, "ip6-source-martian")
    for dst in ("::1", "::", "::ffff:10.2.0.2"):
        assert not dropped(wires, ip6(dst) / PAYLOAD, "ip6-destination-martian")
    assert not dropped(wires, ip6("ff0e::1") / PAYLOAD, "ip6-multicast")
    assert not dropped(wires, ip6("fe80::9") / PAYLOAD, "ip6-link-local")
    error, = dropped(wires, IPv6(src="fe80::2", dst=WAN) / PAYLOAD, "ip6-beyond-scope")
    assert (error[IPv6].src, error[IPv6].dst) == ("fe80::1", "fe80::2")
    assert (error[ICMPv6DestUnreach].type, error[ICMPv6DestUnreach].code) == (1, 2)
