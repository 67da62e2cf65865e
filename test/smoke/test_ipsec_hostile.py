"""What IPsec must refuse, survive or put right, with scapy's IPsec layer as the peer: each packet
that is dropped has the reason that it should have, and the books are right. RFC 4301, 4303, 4304,
6040.
"""
import random

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, defragment, fragment
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6, IPv6ExtHdrFragment, defragment6
from scapy.layers.ipsec import AH, ESP
from scapy.packet import Raw
from scapy.utils import checksum

from ipsec_world import Peer, Tunnel, configuration, datagram, echo, forwarded, ipsec, \
    network_packet, remade
from lab import wait_until
from world import Sentinel, exactly

SEED = 4303

KINDS = {
    "gcm": {"suite": "aes128gcm16"},
    "gcm6": {"suite": "aes256gcm16", "outer": 6},
    "cbc": {"suite": "aes256-sha256"},
    "ctr": {"suite": "aes128ctr-sha512"},
    "chacha": {"suite": "chacha20poly1305"},
    "ccm": {"suite": "aes128ccm16"},
    "null": {"suite": "null-sha1"},
    "3des": {"suite": "3des-md5"},
    "cmac": {"suite": "aes128-aescmac"},
    "udp": {"suite": "aes128gcm16", "encap": True},
    "udp6": {"suite": "aes128gcm16", "encap": True, "outer": 6},
    "ah": {"suite": "sha256", "proto": "ah"},
    "ah6": {"suite": "sha384", "proto": "ah", "outer": 6},
    "transport": {"suite": "aes128gcm16", "mode": "transport"},
    "transport6": {"suite": "aes128-sha256", "mode": "transport", "outer": 6},
    "ah transport": {"suite": "sha1", "proto": "ah", "mode": "transport"},
    "window 0": {"suite": "aes128gcm16", "window": 0},
    "window 32": {"suite": "aes128gcm16", "window": 32},
    "window 1024": {"suite": "aes128gcm16", "window": 1024},
    "window 65536": {"suite": "null-sha1", "window": 65536},
    "esn": {"suite": "aes128gcm16", "esn": True, "window": 1024},
    "ah esn": {"suite": "sha256", "proto": "ah", "esn": True},
    "loss": {"suite": "aes128gcm16"},
    "limits": {"suite": "aes128gcm16", "more_in": "lifetime = { hard-packets = 3; };",
               "more_out": "lifetime = { hard-packets = 3; };"},
    "after": {"suite": "aes128-sha256", "more": 'fragment = "after"; df = "clear";'},
    "before": {"suite": "aes128gcm16", "more": 'fragment = "before";'},
    "after6": {"suite": "aes128gcm16", "outer": 6, "more": 'fragment = "after";'},
    "before6": {"suite": "aes128-sha1", "outer": 6, "more": 'fragment = "before";'},
    "only in": {"suite": "aes128gcm16"},
    "padding": {"suite": "null-sha256"},
    "settings": {"suite": "aes128gcm16",
                 "more": 'dscp = 46; ecn = false; df = "set"; ttl = 77; mss = 1000;'},
    "settings6": {"suite": "aes128gcm16", "outer": 6, "more": "dscp = 0; flow-label = true;"},
    "follow": {"suite": "aes128gcm16", "encap": True,
               "more_encap": "local-port = 4500; remote-port = 4500; follow = true;"},
    "filtered": {"suite": "aes128gcm16"},
}
TUNNELS = {name: Tunnel(number, **more) for number, (name, more) in enumerate(KINDS.items(), 1)}
FILTER = f"""filter = {{ rules = (
    {{ action = "deny"; src = "{TUNNELS['filtered'].remote}"; proto = "esp"; }},
    {{ action = "permit"; }}
); }};
"""
POLICIES = [
    '{ name = "no"; action = "discard"; src = "any"; dst = "10.101.0.0/16"; }',
    '{ name = "plain"; action = "bypass"; src = "any"; dst = "10.102.0.0/16"; }',
]


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    whole = [t for name, t in TUNNELS.items() if name != "only in"]
    half = TUNNELS["only in"]
    section = ipsec(whole, [*POLICIES, *half.policy_conf()],
                    'unmatched = "bypass"; nesting-max = 2; generated-rules = false;',
                    [half.conf(sas=["in"])])
    conf = configuration(lab.ports("pcap"), lab.wan.mac, lab.lan.mac, section, FILTER)
    conf = conf.replace("routes = (", """routes = ( { to = "10.101.0.0/16"; via = "10.2.0.2"; },
    { to = "10.102.0.0/16"; via = "10.2.0.2"; },""")
    lab.daemon = lab.start(conf)
    lab.peer = {name: Peer(lab, tunnel) for name, tunnel in TUNNELS.items()}
    return lab


class Drops:
    """with Drops(world, n) as d: n packets are dropped in here; d.reasons says why, and the laws
    hold."""

    def __init__(self, world, expected):
        self.world, self.expected, self.reasons = world, expected, {}

    def __enter__(self):
        self.before = self.world.daemon.drops()
        return self

    def risen(self):
        self.reasons = exactly(self.before, self.world.daemon.drops())
        return sum(self.reasons.values()) >= self.expected

    def __exit__(self, kind, value, trace):
        if kind:
            return
        wait_until(f"{self.expected} drops", self.risen)
        # what the gateway tells all nodes does not count
        assert [f for f in Sentinel.send(self.world) if not f[0] & 1] == [], "one came through"
        self.risen()
        assert sum(self.reasons.values()) == self.expected, self.reasons
        assert self.world.daemon.laws() == []


def inbound(peer, number=1):
    """What the peer protects: a datagram to lan, or an echo request of its own."""
    if peer.tunnel.mode == "transport":
        return echo(peer.tunnel, number, b"from the peer itself")
    return datagram(peer.tunnel, "in", 4, 60)


def taken(peer):
    """What posternd makes of it: forwards it, or answers. Returns that."""
    return peer.receive() if peer.tunnel.mode == "transport" else peer.leaves()


def send_many(peer, packets):
    """As many at a time as a device on a busy machine certainly takes: the answer of the gateway
    shows that it has them."""
    for at in range(0, len(packets), 16):
        peer.send(*packets[at:at + 16])
        Sentinel.send(peer.lab, "wan", "10.2.0.2", "10.2.0.1")


def passes(peer):
    """A packet of the peer is taken."""
    sent = inbound(peer)
    peer.send(peer.seal(sent))
    came = taken(peer)
    if peer.tunnel.mode == "tunnel":
        assert bytes(came) == bytes(forwarded(sent))


def change(packet, at):
    """The packet with one bit different."""
    data = bytearray(bytes(packet))
    data[at] ^= 0x40
    return type(packet)(bytes(data))


INTEGRITY = ["gcm", "gcm6", "cbc", "ctr", "chacha", "ccm", "null", "3des", "cmac", "udp", "udp6",
             "ah", "ah6", "transport", "transport6", "ah transport"]


def spi_at(packet):
    """Where ESP or AH begins: their SPI."""
    return bytes(packet).index(bytes(packet[AH] if AH in packet else packet[ESP]))


@pytest.mark.parametrize("name", INTEGRITY)
def test_corrupted(world, name):
    """A bit in the ICV, in the middle, in the IV (RFC 4303 section 3.4.4): and it leaves the window
    as it was, so that the very packet is still taken."""
    peer = world.peer[name]
    sealed = peer.seal(inbound(peer))
    begin = spi_at(sealed) + (12 if peer.tunnel.proto == "ah" else 8)
    places = [-1, len(sealed) - 20, begin, (begin + len(sealed)) // 2]
    with Drops(world, len(places)) as d:
        peer.send(*(change(sealed, at) for at in places))
    assert d.reasons == {"ipsec-integrity": len(places)}
    peer.send(sealed)
    taken(peer)


@pytest.mark.parametrize("name", INTEGRITY)
def test_wrong_sequence_number(world, name):
    """The sequence number is covered: a higher one does not move the window."""
    peer = world.peer[name]
    sealed = peer.seal(inbound(peer))
    at = spi_at(sealed) + (8 if peer.tunnel.proto == "ah" else 4)
    with Drops(world, 1) as d:
        peer.send(change(sealed, at))
    assert d.reasons == {"ipsec-integrity": 1}
    passes(peer)


@pytest.mark.parametrize("name", INTEGRITY)
def test_unknown_spi(world, name):
    peer = world.peer[name]
    sealed = peer.seal(inbound(peer))
    at = spi_at(sealed) + (4 if peer.tunnel.proto == "ah" else 0)
    with Drops(world, 1) as d:
        peer.send(change(sealed, at))
    assert d.reasons == {"ipsec-unknown-spi": 1}


@pytest.mark.parametrize("name", INTEGRITY)
def test_replay(world, name):
    """RFC 4303 section 3.4.3: once is enough, in one burst or later."""
    peer = world.peer[name]
    sealed = peer.seal(inbound(peer))
    with Drops(world, 9) as d:
        peer.send(*[sealed] * 10)
        taken(peer)
    assert d.reasons == {"ipsec-replay": 9}
    with Drops(world, 1) as d:
        peer.send(sealed)
    assert d.reasons == {"ipsec-replay": 1}


@pytest.mark.parametrize("name", INTEGRITY)
def test_sequence_number_0(world, name):
    peer = world.peer[name]
    peer.sa_in.seq_num, kept = 0, peer.sa_in.seq_num
    sealed = peer.seal(inbound(peer))
    peer.sa_in.seq_num = kept
    with Drops(world, 1) as d:
        peer.send(sealed)
    assert set(d.reasons) <= {"ipsec-replay", "ipsec-sequence"}


@pytest.mark.parametrize("name", INTEGRITY)
def test_truncated_at_every_length(world, name):
    """Each beginning of a good packet, with its length put right."""
    peer = world.peer[name]
    whole = peer.seal(inbound(peer))
    cut = [shortened(whole, n) for n in range(len(whole) - len(whole.payload), len(whole))]
    with Drops(world, len(cut)) as d:
        send_many(peer, cut)
    allowed = {"ipsec-truncated", "ipsec-integrity", "ip4-l4-truncated", "ip6-l4-truncated",
               "ip6-extension-truncated", "local-no-port", "ipsec-unknown-spi"}
    assert set(d.reasons) <= allowed and d.reasons.get("ipsec-truncated"), d.reasons
    passes(peer)


def shortened(packet, length):
    """Its first bytes, with lengths and checksum put right."""
    data = bytearray(bytes(packet)[:length])
    if packet.version == 4:
        data[2:4] = length.to_bytes(2, "big")
        data[10:12] = bytes(2)
        data[10:12] = checksum(bytes(data[:20])).to_bytes(2, "big")
    else:
        data[4:6] = (length - 40).to_bytes(2, "big")
    at = len(packet) - len(packet.payload)
    if UDP in packet and length >= at + 8:
        data[at + 4:at + 6] = (length - at).to_bytes(2, "big")
    return Raw(bytes(data))


def shuffled(numbers, reach, rng):
    """The numbers in an order in which none comes behind one that is more than reach ahead."""
    left, order, highest = list(numbers), [], 0
    while left:
        due = highest - left[0] >= reach
        order.append(left.pop(0 if due else rng.randrange(min(reach, len(left)))))
        highest = max(highest, order[-1])
    return order


@pytest.mark.parametrize("name,window", [("window 32", 32), ("window 1024", 1024)])
def test_reordered(world, name, window):
    """Packets that are up to a window late are taken (RFC 4303 section 3.4.3, appendix A)."""
    peer = world.peer[name]
    rng = random.Random(SEED)
    count = min(4 * window, 1500)
    sent = {n: datagram(peer.tunnel, "in", 4, n % 50, id=n) for n in range(1, count + 1)}
    sealed = {n: peer.seal(sent[n]) for n in sent}
    order = shuffled(range(1, count + 1), window // 2, rng)
    came = []
    for at in range(0, count, 16):
        peer.send(*(sealed[n] for n in order[at:at + 16]))
        came += [peer.leaves().id for _ in order[at:at + 16]]
    assert sorted(came) == sorted(order), f"seed {SEED}"
    with Drops(world, 50) as d:
        send_many(peer, [sealed[n] for n in rng.sample(order, 50)])
    assert d.reasons == {"ipsec-replay": 50}


def test_left_of_the_window(world):
    peer = world.peer["window 32"]
    late = peer.seal(inbound(peer))
    for _ in range(64):
        passes(peer)
    with Drops(world, 1) as d:
        peer.send(late)
    assert d.reasons == {"ipsec-replay": 1}


def test_window_of_65536(world):
    """A packet that is 65,000 behind."""
    peer = world.peer["window 65536"]
    early = [peer.seal(inbound(peer)) for _ in range(3)]
    peer.sa_in.seq_num = 65_000
    passes(peer)
    for packet in early:
        peer.send(packet)
        peer.leaves()
    with Drops(world, 3) as d:
        peer.send(*early)
    assert d.reasons == {"ipsec-replay": 3}
    peer.sa_in.seq_num = 200_000
    passes(peer)
    peer.sa_in.seq_num = 200_000 - 70_000
    with Drops(world, 1) as d:
        peer.send(peer.seal(inbound(peer)))
    assert d.reasons == {"ipsec-replay": 1}


def test_window_0(world):
    """No replay protection was asked for."""
    peer = world.peer["window 0"]
    sealed = peer.seal(inbound(peer))
    for _ in range(3):
        peer.send(sealed)
        peer.leaves()


@pytest.mark.parametrize("name", ["esn", "ah esn"])
def test_esn_wraps_inbound(world, name):
    """RFC 4304, RFC 4303 appendix A2: the high half is inferred from the low one."""
    peer = world.peer[name]
    for seq in (1, 2000, 0x7fffffff, 0xfffffffe, 0xffffffff):
        peer.sa_in.seq_num = seq
        passes(peer)
    # the low half begins again, the high half is 1
    for seq in (0, 1, 5, 70_000):
        passes_with(peer, seq, 1)
    with Drops(world, 1) as d:
        peer.send(sealed_with(peer, 70_000, 1))
    assert d.reasons == {"ipsec-replay": 1}
    with Drops(world, 1) as d:
        peer.send(sealed_with(peer, 70_001, 0))  # what a peer without ESN would send
    assert d.reasons == {"ipsec-integrity": 1}


def sealed_with(peer, low, high):
    """scapy takes 0 for "not given", so it goes by the SA."""
    sa = peer.sa_in
    sa.seq_num, sa.esn = low, high
    sealed = peer.seal(inbound(peer))
    sa.esn = 0
    return sealed


def passes_with(peer, low, high):
    peer.send(sealed_with(peer, low, high))
    peer.leaves()


def test_loss(world):
    """Gaps are nobody's business."""
    peer = world.peer["loss"]
    rng = random.Random(SEED)
    for _ in range(200):
        sealed = peer.seal(inbound(peer))
        if rng.random() < 0.5:
            peer.send(sealed)
            peer.leaves()


def test_hard_limits(world):
    """Packets in a lifetime (RFC 4301 section 4.4.2.1): neither way goes on."""
    peer = world.peer["limits"]
    for _ in range(3):
        passes(peer)
    with Drops(world, 1) as d:
        peer.send(peer.seal(inbound(peer)))
    assert d.reasons.keys() <= {"ipsec-lifetime", "ipsec-unknown-spi"}
    sent = datagram(peer.tunnel, "out", 4, 10)
    for _ in range(3):
        peer.enter(sent)
        peer.receive()
    with Drops(world, 1) as d:
        peer.enter(sent)
    assert d.reasons.keys() <= {"ipsec-lifetime", "ipsec-no-sa"}


# --- fragments

@pytest.mark.parametrize("name", ["gcm", "gcm6", "cbc", "udp", "udp6", "ah", "ah6"])
def test_outer_fragments_in(world, name):
    """A large protected packet comes in fragments, put together before (RFC 4303 section 3.4.1)."""
    peer = world.peer[name]
    sent = datagram(peer.tunnel, "in", 4, 1450)
    sealed = peer.seal(sent)
    pieces = fragment(sealed, 600) if peer.tunnel.outer == 4 else fragments6(sealed, 600)
    peer.send(*reversed(pieces))
    assert bytes(peer.leaves()) == bytes(forwarded(sent))


def fragments6(packet, size):
    """Fragments of an IPv6 packet without extension headers."""
    data, pieces = bytes(packet.payload), []
    step = (size - 48) // 8 * 8
    for at in range(0, len(data), step):
        piece = data[at:at + step]
        pieces.append(IPv6(src=packet.src, dst=packet.dst, hlim=packet.hlim)
                      / IPv6ExtHdrFragment(nh=packet.nh, offset=at // 8, id=77,
                                           m=int(at + step < len(data))) / Raw(piece))
    return pieces


@pytest.mark.parametrize("name", ["after", "after6"])
def test_cut_behind(world, name):
    """Too large behind ESP: the outer packet is in fragments."""
    peer = world.peer[name]
    sent = datagram(peer.tunnel, "out", 4, 1472 - 28, id=4000)
    peer.enter(sent)
    pieces = [peer.receive_outer()]
    while len(pieces) < 2:
        pieces.append(peer.receive_outer())
    assert all(len(p) <= 1500 for p in pieces)
    whole = defragment(pieces)[0] if peer.tunnel.outer == 4 else defragment6(pieces)
    assert bytes(peer.open(remade(whole))) == bytes(forwarded(sent))


@pytest.mark.parametrize("name", ["before", "before6"])
def test_cut_before(world, name):
    """Too large for the tunnel: the inner packet is cut, each piece protected by itself."""
    peer = world.peer[name]
    sent = datagram(peer.tunnel, "out", 4, 1472, id=4000)
    peer.enter(sent)
    pieces = [peer.receive(), peer.receive()]
    whole = remade(defragment([remade(p) for p in pieces])[0])
    assert bytes(whole.payload) == bytes(sent.payload)
    assert (whole.src, whole.dst, whole.ttl) == (sent.src, sent.dst, sent.ttl - 1)


class Told:
    """with Told(world) as t: a packet is too big, and its sender learns t.mtu."""

    def __init__(self, world):
        self.world, self.mtu = world, None

    def __enter__(self):
        self.world.lan.wire.clear()
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            return

        def tells(frame):
            if frame[12:14] not in (b"\x08\0", b"\x86\xdd"):
                return False
            packet = network_packet(frame)
            if ICMP in packet and (packet[ICMP].type, packet[ICMP].code) == (3, 4):
                self.mtu = packet[ICMP].nexthopmtu
            elif ICMPv6PacketTooBig in packet:
                self.mtu = packet[ICMPv6PacketTooBig].mtu
            return self.mtu is not None
        self.world.lan.wire.until(tells)


@pytest.mark.parametrize("name", ["gcm", "cbc", "chacha", "ah", "before6", "udp"])
@pytest.mark.parametrize("family", [4, 6])
def test_too_big(world, name, family):
    """RFC 4301 section 8.2: the sender is told what fits, and exactly that does fit."""
    peer = world.peer[name]
    more = {"flags": "DF"} if family == 4 else {}
    headers = 28 if family == 4 else 48
    with Told(world) as told:
        peer.enter(datagram(peer.tunnel, "out", family, 1500 - headers, **more))
    mtu = told.mtu
    assert 1380 < mtu < 1480
    sent = datagram(peer.tunnel, "out", family, mtu - headers, **more)
    peer.enter(sent)
    outer = peer.receive_outer()
    assert len(outer) <= 1500
    assert bytes(peer.open(outer)) == bytes(forwarded(sent))
    with Told(world) as told:
        peer.enter(datagram(peer.tunnel, "out", family, mtu + 1 - headers, **more))
    assert told.mtu == mtu


def test_inner_fragments(world):
    """Fragments of others pass a tunnel as they are, both ways."""
    peer = world.peer["gcm"]
    for piece in fragment(datagram(peer.tunnel, "out", 4, 1300, id=9), 500):
        piece = remade(piece)
        peer.enter(piece)
        assert bytes(peer.receive()) == bytes(forwarded(piece))


def test_mss_is_clamped(world):
    """A TCP connection learns what fits, in each direction."""
    def syn(src, dst, mss):
        return remade(IP(src=src, dst=dst) / TCP(sport=1, dport=80, flags="S",
                                                 options=[("MSS", mss)]))

    def mss_of(packet):
        return dict(packet[TCP].options)["MSS"]

    for name, low, high in (("gcm", 1340, 1420), ("settings", 1000, 1000)):
        peer = world.peer[name]
        there = peer.tunnel.inner(4)
        peer.enter(syn("10.1.0.2", there, 1460))
        out = peer.receive()
        assert low <= mss_of(out) <= high
        summed = out.copy()
        del summed[TCP].chksum
        assert bytes(remade(summed)) == bytes(out)
        peer.send(peer.seal(syn(there, "10.1.0.2", 1460)))
        assert low <= mss_of(peer.leaves()) <= high
        peer.enter(syn("10.1.0.2", there, 536))
        assert mss_of(peer.receive()) == 536


# --- policies

def test_in_clear(world):
    """RFC 4301 section 5.2: what policy wants protected is not taken in clear."""
    peer = world.peer["gcm"]
    with Drops(world, 3) as d:
        peer.send(datagram(peer.tunnel, "in", 4, 10),
                  datagram(world.peer["ah"].tunnel, "in", 4, 10))
        world.peer["gcm6"].send(datagram(peer.tunnel, "in", 6, 10))
    assert d.reasons == {"policy-in-clear": 3}


def test_selectors(world):
    """RFC 4301 section 5.2: what an SA carries must be what it is for."""
    peer, other = world.peer["gcm"], world.peer["cbc"]
    with Drops(world, 3) as d:
        peer.send(peer.seal(datagram(other.tunnel, "in", 4, 10)),
                  peer.seal(datagram(other.tunnel, "in", 6, 10)),
                  peer.seal(datagram(peer.tunnel, "in", 4, 10, src="10.2.0.2")))
    assert d.reasons == {"ipsec-selector": 3}


def test_discard(world):
    with Drops(world, 1) as d:
        world.peer["gcm"].enter(datagram(TUNNELS["gcm"], "out", 4, 10, dst="10.101.0.9"))
    assert d.reasons == {"policy-out-discard": 1}
    with Drops(world, 1) as d:
        world.peer["gcm"].send(datagram(TUNNELS["gcm"], "in", 4, 10, src="10.101.0.9"))
    assert d.reasons == {"policy-in-discard": 1}


def test_bypass(world):
    sent = datagram(TUNNELS["gcm"], "out", 4, 10, dst="10.102.0.9")
    world.peer["gcm"].enter(sent)
    frame = world.wan.wire.until(lambda f: f[12:14] == b"\x08\0"
                                 and network_packet(f).dst == "10.102.0.9")[-1]
    assert bytes(network_packet(frame)) == bytes(forwarded(sent))


def test_no_sa(world):
    """Protect without an SA: dropped, not sent in clear."""
    peer = world.peer["only in"]
    with Drops(world, 1) as d:
        peer.enter(datagram(peer.tunnel, "out", 4, 10))
    assert d.reasons == {"ipsec-no-sa": 1}
    passes(peer)


def test_predecap_filter(world):
    """The filter sees ESP before it is taken off."""
    peer = world.peer["filtered"]
    with Drops(world, 1) as d:
        peer.send(peer.seal(inbound(peer)))
    assert d.reasons == {"filter-in": 1}


# --- what is inside

def test_ecn_that_cannot_be(world):
    """RFC 6040 section 4.2: congestion on a packet that cannot say so."""
    peer = world.peer["gcm"]
    sealed = peer.seal(datagram(peer.tunnel, "in", 4, 10))
    sealed.tos = 3
    del sealed.chksum
    with Drops(world, 1) as d:
        peer.send(sealed)
    assert d.reasons == {"ipsec-ecn": 1}


def esp_of(peer, inner, next_header, pad=None, pad_len=None):
    """An ESP packet of null-sha256 by hand."""
    tunnel, sa = peer.tunnel, peer.sa_in
    pad = bytes(range(1, (-len(inner) - 2) % 4 + 1)) if pad is None else pad
    body = inner + pad + bytes([len(pad) if pad_len is None else pad_len, next_header])
    packet = sa.auth_algo.sign(ESP(spi=sa.spi, seq=sa.seq_num, data=body), sa.auth_key)
    sa.seq_num += 1
    return remade(IP(src=tunnel.remote, dst=tunnel.local, proto=50) / packet)


def test_padding(world):
    """RFC 4303 section 2.4: padding counts from 1, and is not longer than what there is."""
    peer = world.peer["padding"]
    inner = bytes(datagram(peer.tunnel, "in", 4, 10))
    with Drops(world, 2) as d:
        peer.send(esp_of(peer, inner, 4, pad=b"\x01\x02\x07\x04"),
                  esp_of(peer, inner, 4, pad=b"\x01\x02\x03\x04", pad_len=255))
    assert d.reasons == {"ipsec-padding": 2}
    # more than is needed is fine (section 2.4)
    peer.send(esp_of(peer, inner, 4, pad=bytes(range(1, 253 + 1 - (len(inner) + 255) % 4))))
    peer.leaves()


def test_no_tunnel_inside(world):
    """A tunnel SA carries IP and nothing else."""
    peer = world.peer["padding"]
    udp = bytes(UDP(sport=1, dport=2) / Raw(b"x" * 20))
    with Drops(world, 1) as d:
        peer.send(esp_of(peer, udp, 17))
    assert d.reasons == {"ipsec-mode": 1}


def test_dummies(world):
    """RFC 4303 section 2.6: next header 59 is absorbed, whatever is inside."""
    peer = world.peer["padding"]
    before = world.daemon.totals()["absorbed"]
    with Drops(world, 0):
        peer.send(*(esp_of(peer, random.Random(SEED).randbytes(n), 59) for n in (0, 2, 40, 900)))
        wait_until("absorbed", lambda: world.daemon.totals()["absorbed"] == before + 4)


def test_tfc_padding(world):
    """RFC 4303 section 2.7: what lies behind the inner packet is cut off."""
    peer = world.peer["padding"]
    for family in (4, 6):
        sent = datagram(peer.tunnel, "in", family, 10)
        peer.send(esp_of(peer, bytes(sent) + bytes(700), 4 if family == 4 else 41))
        assert bytes(peer.leaves()) == bytes(forwarded(sent))


def test_hostile_inside(world):
    """What comes out is judged like anything that comes in."""
    peer = world.peer["padding"]
    inner = bytearray(bytes(datagram(peer.tunnel, "in", 4, 10)))
    inner[10] ^= 1
    with Drops(world, 1) as d:
        peer.send(esp_of(peer, bytes(inner), 4))
    assert d.reasons == {"ip4-checksum": 1}
    with Drops(world, 2) as d:
        peer.send(esp_of(peer, b"", 4), esp_of(peer, b"\x45" + bytes(11), 4))
    assert sum(d.reasons.values()) == 2


def test_nesting(world):
    """An SA within an SA within an SA: one too many."""
    packet = datagram(world.peer["cbc"].tunnel, "in", 4, 10)
    for name in ("cbc", "chacha", "ccm"):
        packet = world.peer[name].seal(packet)
    with Drops(world, 1) as d:
        world.peer["ccm"].send(packet)
    assert set(d.reasons) <= {"ipsec-nesting", "ipsec-selector"}


# --- settings of the outer header

def test_settings(world):
    peer = world.peer["settings"]
    peer.enter(datagram(peer.tunnel, "out", 4, 10, traffic_class=0x03))
    outer = peer.receive_outer()
    assert (outer.tos, str(outer.flags), outer.ttl) == (46 << 2, "DF", 77)
    peer.open(outer)


def test_flow_label(world):
    """RFC 6438: a flow keeps its label, two flows have two."""
    peer = world.peer["settings6"]
    labels = []
    for port in (4000, 4000, 4001, 4002):
        sent = datagram(peer.tunnel, "out", 4, 10, traffic_class=0xb8)
        sent[UDP].sport = port
        del sent[UDP].chksum
        peer.enter(remade(sent))
        outer = peer.receive_outer()
        assert outer.tc == 0
        labels.append(outer.fl)
        peer.open(outer)
    assert labels[0] == labels[1] and len(set(labels)) > 1 and 0 not in labels


# --- UDP

def test_keepalive(world):
    """RFC 3948 section 2.3: absorbed, and it proves nothing."""
    peer = world.peer["udp"]
    before = world.daemon.totals()["absorbed"]
    with Drops(world, 0):
        peer.send(IP(src=peer.tunnel.remote, dst=peer.tunnel.local)
                  / UDP(sport=4500, dport=4500) / Raw(b"\xff"))
        wait_until("absorbed", lambda: world.daemon.totals()["absorbed"] == before + 1)


def test_follow(world):
    """The peer is where its last packet that authenticated came from (RFC 3948 section 3.3)."""
    peer = world.peer["follow"]
    out = datagram(peer.tunnel, "out", 4, 10)

    def ports():
        peer.enter(out)
        outer = peer.receive_outer()
        peer.last += 1
        return outer[UDP].sport, outer[UDP].dport
    assert ports() == (4500, 4500)
    sealed = peer.seal(inbound(peer))
    sealed[UDP].sport = 61000
    false = remade(sealed)
    false[UDP].sport = 61001
    with Drops(world, 1):
        peer.send(change(false, -1))
    assert ports() == (4500, 4500)
    peer.send(sealed)
    peer.leaves()
    # the control core looks once a second
    wait_until("packets to the new port", lambda: ports() == (4500, 61000))


def test_with_and_without_udp(world):
    """RFC 7296 section 2.23: whatever NATs were found, either is taken, wherever the SA is."""
    peer = world.peer["udp"]
    sent = inbound(peer)
    sealed = peer.seal(sent)
    peer.send(remade(IP(src=sealed.src, dst=sealed.dst, proto=50) / sealed[ESP]))
    assert bytes(peer.leaves()) == bytes(forwarded(sent))
    peer = world.peer["gcm"]
    sent = inbound(peer)
    sealed = peer.seal(sent)
    peer.send(remade(IP(src=sealed.src, dst=sealed.dst) / UDP(sport=4500, dport=4500, chksum=0)
                     / sealed[ESP]))
    assert bytes(peer.leaves()) == bytes(forwarded(sent))


def test_samples(world):
    """RFC 4303 section 4: what was dropped can be looked at."""
    peer = world.peer["gcm"]
    sealed = peer.seal(inbound(peer))
    with Drops(world, 1):
        peer.send(change(sealed, -1))
    code, text = world.daemon.ctl("show", "drops", "--sample", json_output=False)
    part = text.split("ipsec-integrity", 1)[1].split("\n\n")[0]
    assert code == 0 and f"{peer.tunnel.remote} > {peer.tunnel.local}" in part
    assert f"{peer.tunnel.spi('in'):x}" in part and f"seq {sealed[ESP].seq}" in part
