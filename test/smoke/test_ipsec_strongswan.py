"""ESP with strongSwan's user-space implementation. Two charons agree by IKE on a Child SA per
suite; then one of them is killed, and posternd takes over where it was, with the same addresses,
SPIs and keys, as manual tunnels in UDP (RFC 3948). What goes through then is ESP that two
independent implementations agree about, with keys as IKE makes them (RFC 7296 section 2.17).
"""
import dataclasses

import pytest

import strongswan
from ipsec_world import Tunnel, configuration, ipsec, refused
from lab import sh

SUITES = ["aes128gcm16", "aes192gcm16", "aes256gcm16", "aes128gcm12", "aes256gcm12", "aes128gcm8",
          "aes256gcm8", "aes128ccm16", "aes256ccm12", "aes128ccm8", "chacha20poly1305",
          "aes128-sha1", "aes192-sha1", "aes128-sha256", "aes256-sha256", "aes192-sha384",
          "aes256-sha512", "aes128ctr-sha256", "aes256ctr-sha512", "3des-md5", "3des-sha1",
          "null-sha256", "null-sha1", "aes128-aesxcbc", "aes256-aescmac", "aes128-md5"]


@dataclasses.dataclass
class Agreed(Tunnel):
    """A tunnel as IKE made it; the peer is the host of wan."""
    spis: dict = None
    keys: dict = None

    @property
    def remote(self):
        return "10.2.0.2" if self.outer == 4 else "fd00:2::2"

    def spi(self, direction):
        return self.spis[direction]

    def key(self, direction):
        return self.keys[direction]


@pytest.fixture(scope="module", params=[4, 6], ids=["IPv4", "IPv6"])
def world(request, module_labs):
    why = strongswan.missing()
    if why:
        pytest.skip(why)
    lab = module_labs("lan", "wan")
    lab.lan.address("10.1.0.2/24", "10.1.0.1")
    ends = ("10.2.0.1", "10.2.0.2") if request.param == 4 else ("fd00:2::1", "fd00:2::2")
    address(lab.gateway, "wan", ends[0])
    address(lab.wan.netns, "eth0", ends[1])
    sh("ip", "-n", lab.gateway, "link", "set", "lo", "up")
    sh("ip", "-n", lab.gateway, "addr", "add", "10.1.0.1/32", "dev", "lo")
    charons = []
    try:
        charons += [strongswan.Charon(lab, lab.gateway, "left"),
                    strongswan.Charon(lab, lab.wan.netns, "right")]
        yield take_over(lab, ends, *charons)
    finally:
        for charon in charons:
            charon.kill()


def address(netns, iface, text):
    if ":" in text:
        no_kernel_ip6(netns, iface, 0)
        sh("ip", "-n", netns, "addr", "add", f"{text}/64", "dev", iface, "nodad")
    else:
        sh("ip", "-n", netns, "addr", "add", f"{text}/24", "dev", iface)


def no_kernel_ip6(netns, iface, off):
    sh("ip", "netns", "exec", netns, "sh", "-c",
       f"echo {off} >/proc/sys/net/ipv6/conf/{iface}/disable_ipv6")


def take_over(lab, ends, left, right):
    nets = {n: f"10.100.{n}" for n in range(1, len(SUITES) + 1)}
    for n, net in nets.items():
        sh("ip", "-n", lab.wan.netns, "addr", "add", f"{net}.5/32", "dev", "lo")
    here = "10.1.0.0/24"
    left.load(strongswan.connection(*ends, [
        (f"c{n}", SUITES[n - 1], here, f"{net}.0/24") for n, net in nets.items()]))
    right.load(strongswan.connection(*reversed(ends), [
        (f"c{n}", SUITES[n - 1], f"{net}.0/24", here) for n, net in nets.items()]))
    for n in nets:
        left.initiate(f"c{n}")
    agreed = left.children()
    left.kill()
    for iface in ("lo", "wan"):  # they are posternd's now
        sh("ip", "-n", lab.gateway, "addr", "flush", "dev", iface)
    no_kernel_ip6(lab.gateway, "wan", 1)

    lab.tunnels = {}
    for n in nets:
        spi_in, spi_out, initiator, responder = agreed[f"c{n}"]
        lab.tunnels[SUITES[n - 1]] = Agreed(
            n, SUITES[n - 1], encap=True, outer=6 if ":" in ends[0] else 4,
            spis={"in": spi_in, "out": spi_out}, keys={"in": responder, "out": initiator})
    lab.daemon = lab.start(configuration(lab.ports("pcap"), lab.wan.mac, lab.lan.mac,
                                         ipsec(lab.tunnels.values())))
    return lab


@pytest.mark.parametrize("suite", SUITES)
def test_ping(world, suite):
    """From the host to the peer's network, and from there to the host."""
    there = world.tunnels[suite].inner(4)
    assert world.lan.ping(there)
    for size in (1, 13, 14, 1300):
        assert world.lan.ping(there, "-s", size, count=1), size
    assert world.wan.ping("10.1.0.2", "-I", there)
    assert refused(world.daemon) == {}
    assert world.daemon.laws() == []
