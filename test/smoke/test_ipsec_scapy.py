"""ESP and AH with scapy's IPsec layer as the peer: each suite that it knows, tunnel and transport
mode, both families inside and outside, byte for byte in both directions. RFC 4301, 4302, 4303,
4304, 3948; what must be refused is in test_ipsec_hostile.py.
"""
import pytest
from scapy.layers.inet import ICMP, IP, IPOption_NOP, IPOption_RR, IPOption_Router_Alert
from scapy.layers.inet6 import ICMPv6EchoReply, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, PadN
from scapy.layers.ipsec import AH
from scapy.packet import Raw

from ipsec_world import INTEG, Peer, Tunnel, answer_to, configuration, datagram, echo, esp_suites, \
    forwarded, ipsec, remade, scapy_knows
from lab import wait_until
from world import exactly

SIZES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 15, 16, 17, 31, 100, 513, 1300]
FEW = [0, 1, 13, 700]


def tunnels():
    kinds = {}

    def add(what, suite, **more):
        kinds[f"{suite} {what}"] = Tunnel(len(kinds) + 1, suite, **more)
    for suite in filter(scapy_knows, esp_suites()):
        add("ESP tunnel over IPv4", suite)
    for suite in ("aes128gcm16", "aes256-sha256", "chacha20poly1305", "aes128ctr-sha512",
                  "aes128ccm12", "null-sha1"):
        add("ESP tunnel over IPv6", suite, outer=6)
        add("ESP transport over IPv4", suite, mode="transport")
        add("ESP transport over IPv6", suite, mode="transport", outer=6)
        add("ESP in UDP over IPv4", suite, encap=True)
        add("ESP in UDP over IPv6", suite, encap=True, outer=6)
    for suite in ("aes128gcm16", "chacha20poly1305", "aes256ccm16"):
        add("ESP with ESN", suite, esn=True)  # scapy does it for combined modes only
    for suite in filter(scapy_knows, INTEG):
        for outer in (4, 6):
            add(f"AH tunnel over IPv{outer}", suite, proto="ah", outer=outer)
            add(f"AH transport over IPv{outer}", suite, proto="ah", outer=outer,
                mode="transport")
    add("AH with ESN", "sha256", proto="ah", esn=True)
    return kinds


TUNNELS = tunnels()
BY_MODE = {mode: [k for k, t in TUNNELS.items() if t.mode == mode]
           for mode in ("tunnel", "transport")}


BUNDLE = Tunnel(250, "aes128gcm16"), Tunnel(250, "sha256", proto="ah", mode="transport")


def bundle():
    """A tunnel whose packets have AH around ESP; the SAs of AH have SPIs of their own."""
    esp, ah = BUNDLE
    sas = esp.sas_conf(' protocol = "esp";') + ah.sas_conf(' protocol = "ah";', "-ah", 0x100)
    return (f'{{ name = "{esp.name}"; number = 250; protocol = "esp+ah"; local = "{esp.local}"; '
            f'remote = "{esp.remote}"; sas = ( {", ".join(sas)} ); }}')


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    lab.daemon = lab.start(configuration(
        lab.ports("pcap"), lab.wan.mac, lab.lan.mac,
        ipsec(TUNNELS.values(), BUNDLE[0].policy_conf(), extra_tunnels=[bundle()])))
    lab.peer = {kind: Peer(lab, tunnel) for kind, tunnel in TUNNELS.items()}
    return lab


def sizes(tunnel):
    return SIZES if tunnel.suite in ("aes128gcm16", "aes256-sha256", "sha256") else FEW


@pytest.mark.parametrize("kind", BY_MODE["tunnel"])
def test_out(world, kind):
    """What a host sends into the tunnel: scapy opens it, and finds it one hop older."""
    peer = world.peer[kind]
    for family in (4, 6):
        for size in sizes(peer.tunnel):
            sent = datagram(peer.tunnel, "out", family, size)
            peer.enter(sent)
            assert bytes(peer.receive()) == bytes(forwarded(sent)), (family, size)
    assert world.daemon.laws() == []


@pytest.mark.parametrize("kind", BY_MODE["tunnel"])
def test_in(world, kind):
    """What scapy sends through the tunnel comes out of it, one hop older."""
    peer = world.peer[kind]
    for family in (4, 6):
        for size in sizes(peer.tunnel):
            sent = datagram(peer.tunnel, "in", family, size)
            peer.send(peer.seal(sent))
            assert bytes(peer.leaves()) == bytes(forwarded(sent)), (family, size)
    assert world.daemon.laws() == []


@pytest.mark.parametrize("kind", BY_MODE["transport"])
def test_transport(world, kind):
    """Echo requests of the peer to the gateway, and the answers."""
    peer = world.peer[kind]
    for number, size in enumerate(sizes(peer.tunnel), 1):
        data = bytes(i & 255 for i in range(size))
        sent = echo(peer.tunnel, number, data)
        peer.send(peer.seal(sent))
        answer_to(sent, peer.receive(), data)
    assert world.daemon.laws() == []


@pytest.mark.parametrize("options", [
    [IPOption_NOP()], [IPOption_Router_Alert()],
    [IPOption_RR(length=7, pointer=4, routers=["0.0.0.0"]), IPOption_NOP()]],
    ids=["NOP", "router alert", "record route"])
def test_ah_options(world, options):
    """RFC 4302 section 3.3.3.1.1 and appendix A: what may change on the way counts as zero, the
    rest is covered."""
    peer = world.peer["sha256 AH transport over IPv4"]
    sent = echo(peer.tunnel, 99, b"with options", options=options)
    sealed = peer.seal(sent)
    sealed.ttl, sealed.tos = 3, 0x48
    del sealed.chksum
    peer.send(sealed)
    answer = peer.receive()
    assert answer[ICMP].type == 0 and bytes(answer).endswith(b"with options")


@pytest.mark.parametrize("chain", [
    IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0\0\0\0")]),
    IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0\0\0\0")])],
    ids=["hop-by-hop", "destination options"])
def test_ah_extension_headers(world, chain):
    """RFC 4302 section 3.3.3.1.2: so it is with extension headers."""
    peer = world.peer["sha256 AH transport over IPv6"]
    sent = echo(peer.tunnel, 99, b"with a chain", chain=chain)
    sealed = peer.seal(sent)
    sealed.hlim, sealed.tc, sealed.fl = 3, 0x48, 0x12345
    peer.send(sealed)
    answer = peer.receive()
    assert ICMPv6EchoReply in answer and bytes(answer).endswith(b"with a chain")


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("traffic_class", [0x00, 0xb8, 0x01, 0x02, 0x03, 0xba])
def test_class_is_copied(world, outer, family, traffic_class):
    """DSCP (RFC 4301 section 5.1.2) and ECN (RFC 6040 section 4.1) of the outer header."""
    peer = world.peer[f"aes128gcm16 ESP tunnel over IPv{outer}"]
    sent = datagram(peer.tunnel, "out", family, 40, traffic_class=traffic_class)
    peer.enter(sent)
    packet = peer.receive_outer()
    assert (packet.tc if outer == 6 else packet.tos) == traffic_class
    assert bytes(peer.open(packet)) == bytes(forwarded(sent))


# inner, outer: what comes out; RFC 6040 section 4.2, figure 4
@pytest.mark.parametrize("inner,outer,out", [
    (0, 0, 0), (0, 1, 0), (0, 2, 0), (2, 0, 2), (2, 1, 1), (2, 2, 2), (2, 3, 3), (1, 0, 1),
    (1, 1, 1), (1, 2, 1), (1, 3, 3), (3, 0, 3), (3, 1, 3), (3, 2, 3), (3, 3, 3)])
@pytest.mark.parametrize("family", [4, 6])
def test_ecn_in(world, inner, outer, out, family):
    peer = world.peer["aes128gcm16 ESP tunnel over IPv4"]
    sent = datagram(peer.tunnel, "in", family, 40, traffic_class=0xb8 | inner)
    sealed = peer.seal(sent)
    sealed.tos = 0x28 | outer
    del sealed.chksum
    peer.send(sealed)
    came = peer.leaves()
    assert (came.tc if isinstance(came, IPv6) else came.tos) == 0xb8 | out


@pytest.mark.parametrize("df", ["DF", ""])
def test_df_is_copied(world, df):
    """RFC 4301 section 8.1."""
    peer = world.peer["aes128gcm16 ESP tunnel over IPv4"]
    peer.enter(datagram(peer.tunnel, "out", 4, 40, flags=df))
    packet = peer.receive_outer()
    assert str(packet.flags) == df
    peer.open(packet)


def around(sa, packet):
    """AH around a packet with ESP: scapy would sign its ESP instead, if it knew that it is one."""
    sealed = IP(src=packet.src, dst=packet.dst, id=packet.id, proto=51, len=len(packet) + 28) / AH(
        nh=50, payloadlen=5, spi=sa.spi, seq=sa.seq_num, icv=bytes(16)) / Raw(
            bytes(packet.payload))
    sa.seq_num += 1
    return remade(sa.auth_algo.sign(sealed, sa.auth_key))


def test_ah_around_esp(world):
    """RFC 4301 section 4.3, with an SA of each for either direction; one is not enough."""
    esp, ah = (Peer(world, tunnel) for tunnel in BUNDLE)
    ah.sa_in.spi += 0x100
    ah.sa_out.spi += 0x100
    for family in (4, 6):
        for size in SIZES:
            sent = datagram(esp.tunnel, "in", family, size)
            esp.send(around(ah.sa_in, esp.seal(sent)))
            assert bytes(esp.leaves()) == bytes(forwarded(sent)), (family, size)
            sent = datagram(esp.tunnel, "out", family, size)
            esp.enter(sent)
            outer = esp.receive_outer()
            assert outer[AH].nh == 50 and outer[AH].seq == esp.last + 1
            assert bytes(esp.open(remade(ah.sa_out.decrypt(outer)))) == bytes(forwarded(sent))
    before = world.daemon.drops()
    esp.send(esp.seal(datagram(esp.tunnel, "in", 4, 10)))
    wait_until("a drop", lambda: exactly(before, world.daemon.drops()))
    assert exactly(before, world.daemon.drops()) == {"ipsec-bundle": 1}
    assert world.daemon.laws() == []
