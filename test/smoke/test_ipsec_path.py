"""What lies between the ends of a tunnel: routers that say that its packets are too large (RFC 4301
section 8.2), and NATs that forget it when it is silent (RFC 3948 section 4)."""
import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from lab import wait_until
from world import ether, is_icmp, two_networks

CONF = """
routes = ( { to = "10.9.0.0/16"; via = "10.2.0.2"; } );
filter = { rules = ( { action = "permit"; } ); };
ipsec = {
    tunnels = ( {
        name = "a"; local = "10.2.0.1"; remote = "10.2.0.2"; encap = { };
        sas = ( { name = "a-out"; direction = "out"; spi = 0x1001; suite = "aes256-sha256";
                  key = "%s"; } );
    } );
    policies = ( { name = "p"; action = "protect"; tunnel = "a"; direction = "out";
                   src = "10.1.0.0/24"; dst = "10.9.0.0/16"; } );
};
""" % bytes(range(64)).hex()


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    lab.daemon = lab.start(two_networks(lab, CONF))
    return lab


def in_udp(frame):
    packet = Ether(frame)
    return UDP in packet and packet[IP].src == "10.2.0.1" and packet[UDP].dport == 4500


def send(world):
    world.lan.wire.send(ether(world) / IP(src="10.1.0.2", dst="10.9.0.5", flags="DF") /
                        UDP(sport=1, dport=2) / Raw(bytes(1300)))


def path_mtu(world):
    return world.daemon.rpc("show.sad")["sas"][0]["path_mtu"]


def test_a_router_says_that_it_is_too_large(world):
    world.wan.wire.clear()
    send(world)
    esp = Ether(world.wan.wire.until(in_udp)[-1])[IP]
    assert esp.len > 1300 and path_mtu(world) is None

    def tell(spi, mtu):
        quoted = bytearray(bytes(esp)[:40])
        quoted[28:32] = spi.to_bytes(4, "big")
        world.wan.wire.send(ether(world, "wan") / IP(src="10.2.0.2", dst="10.2.0.1") /
                            ICMP(type=3, code=4, nexthopmtu=mtu) / Raw(bytes(quoted)))

    tell(0x1002, 1100)  # nobody here sends by that SPI
    tell(0x1001, 1200)
    wait_until("the path MTU is known", lambda: path_mtu(world) == 1200)
    world.lan.wire.clear()
    send(world)
    error = Ether(world.lan.wire.until(lambda f: is_icmp(f, 3))[-1])
    # 20 + 8 + 8 + 16 in front, 2 to 17 and 16 behind, and the text is a multiple of 16
    assert error[ICMP].nexthopmtu == (1200 - 20 - 8 - 8 - 16 - 16) // 16 * 16 - 2
    tell(0x1001, 1250)  # it only falls
    tell(0x1001, 1150)
    wait_until("it falls again", lambda: path_mtu(world) == 1150)


def test_a_keepalive_goes_out_when_it_is_silent(world):
    world.wan.wire.clear()
    frame = Ether(world.wan.wire.until(in_udp, patience=30)[-1])
    assert (frame[IP].src, frame[IP].dst) == ("10.2.0.1", "10.2.0.2")
    assert (frame[UDP].sport, frame[UDP].len, frame[UDP].chksum) == (4500, 9, 0)
    assert bytes(frame[UDP].payload)[:1] == b"\xff"
