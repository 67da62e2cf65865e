"""ESP and AH with the Linux kernel: a guest with manual SAs (`ip xfrm`) on the wan side, a real
host on the lan side. Each ping goes through an SA of each direction; the guest's kernel judges what
comes as strictly as posternd does. RFC 4301, 4302, 4303, 4304, 3948.
"""
import pytest

import guest
from ipsec_world import Tunnel, configuration, ipsec, refused
from lab import sh

SUITES = ["aes128gcm16", "aes192gcm12", "aes256gcm8", "aes128ccm16", "aes256ccm8",
          "chacha20poly1305", "aes128gmac", "aes256gmac", "aes128-sha256", "aes192-sha384",
          "aes256-sha512", "aes128-sha1", "aes256-aesxcbc", "aes128-aescmac", "aes128ctr-sha256",
          "aes256ctr-sha1", "null-sha256", "null-sha1", "3des-md5", "des-sha1"]
AH_SUITES = ["sha1", "sha256", "sha384", "sha512", "md5", "aesxcbc", "aescmac"]


def tunnels():
    """By what they are, for the names of the tests."""
    kinds = {}

    def add(what, suite, **more):
        kinds[f"{suite} {what}"] = Tunnel(len(kinds) + 1, suite, **more)
    for suite in SUITES:
        add("ESP tunnel over IPv4", suite)
    for suite in ("aes128gcm16", "aes256-sha256", "chacha20poly1305", "aes128gmac"):
        add("ESP tunnel over IPv6", suite, outer=6)
    for suite in SUITES:
        add("ESP transport over IPv4", suite, mode="transport")
    for suite in ("aes128gcm16", "aes128-sha1", "chacha20poly1305"):
        add("ESP transport over IPv6", suite, mode="transport", outer=6)
    for suite in ("aes128gcm16", "aes128-sha256", "aes128ctr-sha512", "null-sha256"):
        add("ESP with ESN", suite, esn=True)
        add("ESP with ESN in transport", suite, esn=True, mode="transport", outer=6)
    for suite in ("aes128gcm16", "aes256-sha256", "chacha20poly1305"):
        for outer in (4, 6):
            add(f"ESP in UDP over IPv{outer}", suite, encap=True, outer=outer)
        add("ESP in UDP in transport", suite, encap=True, mode="transport")
    for suite in AH_SUITES:
        add("AH tunnel over IPv4", suite, proto="ah")
        add("AH tunnel over IPv6", suite, proto="ah", outer=6)
        add("AH transport over IPv4", suite, proto="ah", mode="transport")
        add("AH transport over IPv6", suite, proto="ah", mode="transport", outer=6)
    add("AH with ESN", "sha256", proto="ah", esn=True)
    return kinds


TUNNELS = tunnels()


@pytest.fixture(scope="module")
def world(module_labs):
    why = guest.missing()
    if why:
        pytest.skip(why)
    lab = module_labs("lan")
    linux = guest.Guest(lab, "wan")
    try:
        yield start(lab, linux)
    finally:
        linux.close()


def start(lab, linux):
    """One guest and one posternd with all tunnels, while the guest still boots."""
    lab.lan.address("10.1.0.2/24", "10.1.0.1")
    lab.lan.run("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    for what in ("addr add fd00:1::2/64 dev eth0 nodad", "route add default via fd00:1::1"):
        lab.lan.run("ip", "-6", *what.split())
    ports = """ports = ( { name = "lan"; device = "net_pcap0,iface=lan,phy_mac=1"; },
          { name = "wan"; device = "net_pcap1,iface=wan,phy_mac=1"; } );\n"""
    lab.daemon = lab.start(configuration(ports, linux.mac, lab.lan.mac,
                                         ipsec(TUNNELS.values())))
    linux.wait()
    linux.run("udpencap 4500")
    mac = sh("ip", "netns", "exec", lab.gateway, "cat", "/sys/class/net/wan/address").stdout.strip()
    linux.ip("addr add 10.2.0.2/24 dev eth0", "addr add fd00:2::2/64 dev eth0 nodad",
             "link set eth0 up", "route add 10.1.0.0/24 via 10.2.0.1",
             "route add fd00:1::/64 via fd00:2::1",
             *(f"neigh add {a} lladdr {mac} dev eth0 nud permanent"
               for a in ("10.2.0.1", "fd00:2::1")),
             *(command for t in TUNNELS.values() for command in t.addresses() + t.xfrm()))
    lab.linux = linux
    return lab


@pytest.mark.parametrize("kind", TUNNELS)
def test_ping(world, kind):
    """Through the tunnel from the host and to it; in transport mode between guest and gateway."""
    tunnel = TUNNELS[kind]
    if tunnel.mode == "transport":
        assert world.linux.ping(tunnel.remote, tunnel.local)
        assert world.linux.ping(tunnel.remote, tunnel.local, "-s", 1301, count=1)
    else:
        for family in (4, 6):
            there = tunnel.inner(family)
            assert world.lan.ping(there)
            assert world.lan.ping(there, "-s", 1203, count=1)
    assert refused(world.daemon) == {}
    assert world.daemon.laws() == []


def test_the_kernel_is_content(world):
    """What it says of all of it: no packet without its policy or state, none that did not
    authenticate or came twice."""
    errors = world.linux.run("grep -v '[[:space:]]0$' /proc/net/xfrm_stat || true")[1]
    assert errors.strip() == ""
    stats = world.linux.run("ip -s xfrm state | grep -A 1 stats: | grep failed | sort | uniq -c")[1]
    assert stats.split()[1:] == "replay-window 0 replay 0 failed 0".split(), stats
