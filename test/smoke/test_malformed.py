"""Packets cut at every length, and packets with bytes turned over: each is counted once, nothing
crashes, and the gateway goes on."""
import random

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.l2 import ARP, Dot1Q
from scapy.packet import Raw

from test_drops import resummed
from world import Sentinel, ether, exactly, ip4, two_networks


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    lab.daemon = lab.start(two_networks(
        lab, kind="pcap", policy=ip4("icmp-echo-rate = 1000000; icmp-error-rate = 0;")))
    return lab


def ip(**more):
    return IP(src="10.1.0.2", dst="10.2.0.2", **more)


WHOLE = {
    "TCP": ip() / TCP(options=[("MSS", 1460)]) / Raw(b"x" * 11),
    "UDP": ip() / UDP() / Raw(b"x" * 11),
    "ICMP": ip() / ICMP() / Raw(b"x" * 11),
    "ICMP error": ip() / ICMP(type=3, code=3) / ip() / UDP(),
    "options": ip(options=[IPOption_RR(routers=["0.0.0.0"] * 5)]) / TCP(),
    "fragment": ip(flags="MF", frag=100) / Raw(b"x" * 64),
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("tag", [None, 0])
def test_frames_cut_at_every_length(world, name, tag):
    """The packet says how long it is, the frame ends before."""
    frame = bytes(ether(world, vlan=tag) / WHOLE[name])
    least = 18 if tag is not None else 14
    before = world.daemon.drops()
    for n in range(least, len(frame)):
        world.lan.wire.send(frame[:n])
    Sentinel.send(world)
    assert exactly(before, world.daemon.drops()) == {"ip4-truncated": len(frame) - least}
    assert Sentinel.send(world, "wan", "10.2.0.2", "10.2.0.1") == []


@pytest.mark.parametrize("name,header", [("TCP", 24), ("UDP", 8), ("ICMP", 8)])
def test_packets_cut_at_every_length(world, name, header):
    """The packet admits that it is short: what lacks its transport header is dropped."""
    packet = bytes(WHOLE[name])
    before = world.daemon.drops()
    world.wan.wire.clear()
    for n in range(20, len(packet) + 1):
        world.lan.wire.send(ether(world, type=0x0800) / resummed(packet[:n], 2,
                                                                 n.to_bytes(2, "big")))
    Sentinel.send(world)
    # from its own header on each of them passes
    assert exactly(before, world.daemon.drops()) == {"ip4-l4-truncated": header}
    came = Sentinel.send(world, "wan", "10.2.0.2", "10.2.0.1")
    assert len(came) == len(packet) + 1 - 20 - header


def test_arp_cut_at_every_length(world):
    frame = bytes(ether(world) / ARP(psrc="10.1.0.2", pdst="10.1.0.1", hwsrc=world.lan.mac))
    before = world.daemon.drops()
    for n in range(14, len(frame)):
        world.lan.wire.send(frame[:n])
    Sentinel.send(world)
    assert exactly(before, world.daemon.drops()) == {"arp-invalid": len(frame) - 14}


def test_every_value_of_every_header_byte_of_a_local_packet(world):
    """... each with a checksum that is right: whatever the byte now means, it harms nobody."""
    packet = bytes(IP(src="10.1.0.2", dst="10.1.0.1", id=1) / ICMP() / Raw(b"x" * 20))
    for offset in range(20):
        for value in range(0, 256, 5):
            data = bytearray(packet)
            data[offset] = value
            if (data[0] & 15) * 4 <= len(data):
                data = bytes(resummed(bytes(data), 0, data[:1])) if data[0] & 15 else data
            world.lan.wire.send(ether(world, type=0x0800) / Raw(bytes(data)))
        Sentinel.send(world)


@pytest.mark.parametrize("seed", range(4))
def test_noise(world, seed):
    """Good frames with some bytes turned over, and frames of noise (seeded)."""
    r = random.Random(seed)
    frames = [bytes(ether(world, vlan=r.choice([None, 0, 7])) / p) for p in WHOLE.values()]
    for i in range(600):
        if i % 3:
            frame = bytearray(r.choice(frames))
            for _ in range(r.randint(1, 6)):
                frame[r.randrange(12, len(frame))] = r.randrange(256)
        else:
            frame = bytes(ether(world, type=r.choice([0x0800, 0x0806, 0x8100]))) \
                + r.randbytes(r.randint(4, 200))
        world.lan.wire.send(bytes(frame))
        if i % 100 == 0:
            Sentinel.send(world)
    Sentinel.send(world)
    assert world.daemon.laws() == []


def test_tags_upon_tags(world):
    before = world.daemon.drops()
    frame = ether(world)
    for _ in range(5):
        frame = frame / Dot1Q(vlan=0)
    world.lan.wire.send(frame / ip() / UDP())
    Sentinel.send(world)
    assert exactly(before, world.daemon.drops()) == {"eth-unknown-type": 1}
