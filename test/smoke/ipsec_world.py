"""Manual tunnels for tests against other implementations: one description of a tunnel, from which
come posternd's configuration, scapy's SecurityAssociation and the kernel's `ip xfrm` commands.

lan is the inside, 10.1.0.0/24 and fd00:1::/64 with the host .2. wan is the outside: the neighbour
10.2.0.2 (fd00:2::2) has the outer addresses of all peers, 10.3.0.N and fd00:3::N, and behind peer N
are the networks 10.100.N.0/24 and fd00:100:N::/64.
"""
import dataclasses
import random

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6, in6_chksum
from scapy.layers.ipsec import AH, ESP, SecurityAssociation
from scapy.packet import Raw
from scapy.utils import checksum

from world import CONTROL, PERMIT_ALL, SYSTEM, ether

# name: bytes of key and salt, scapy's name, the kernel's, bits of the ICV
ENC = {
    "aes128": (16, "AES-CBC", "cbc(aes)"), "aes192": (24, "AES-CBC", "cbc(aes)"),
    "aes256": (32, "AES-CBC", "cbc(aes)"),
    "aes128ctr": (20, "AES-CTR", "rfc3686(ctr(aes))"),
    "aes192ctr": (28, "AES-CTR", "rfc3686(ctr(aes))"),
    "aes256ctr": (36, "AES-CTR", "rfc3686(ctr(aes))"),
    "null": (0, "NULL", "ecb(cipher_null)"),
    "3des": (24, "3DES", "cbc(des3_ede)"), "des": (8, "DES", "cbc(des)"),
}
INTEG = {
    "sha1": (20, "HMAC-SHA1-96", "hmac(sha1)", 96),
    "sha256": (32, "SHA2-256-128", "hmac(sha256)", 128),
    "sha384": (48, "SHA2-384-192", "hmac(sha384)", 192),
    "sha512": (64, "SHA2-512-256", "hmac(sha512)", 256),
    "aescmac": (16, "AES-CMAC-96", "cmac(aes)", 96),
    "md5": (16, "HMAC-MD5-96", "hmac(md5)", 96),
    "aesxcbc": (16, None, "xcbc(aes)", 96),
}
AEAD = {
    **{f"aes{bits}gcm{icv}": (bits // 8 + 4, "AES-GCM" if icv == 16 else None,
                              "rfc4106(gcm(aes))", icv * 8)
       for bits in (128, 192, 256) for icv in (16, 12, 8)},
    **{f"aes{bits}ccm{icv}": (bits // 8 + 3, "AES-CCM", "rfc4309(ccm(aes))", icv * 8)
       for bits in (128, 256) for icv in (16, 12, 8)},
    **{f"aes{bits}gmac": (bits // 8 + 4, None, "rfc4543(gcm(aes))", 128)
       for bits in (128, 192, 256)},
    "chacha20poly1305": (36, "CHACHA20-POLY1305", "rfc7539esp(chacha20,poly1305)", 128),
}


def esp_suites():
    """Every suite of ESP, by name."""
    return [*AEAD, *(f"{e}-{i}" for e in ENC for i in INTEG)]


def key_bytes(suite, proto="esp"):
    if suite in AEAD:
        return AEAD[suite][0]
    enc, _, integ = suite.rpartition("-")
    return (ENC[enc][0] if enc else 0) + INTEG[integ][0]


def scapy_knows(suite):
    if suite in AEAD:
        return AEAD[suite][1] is not None
    return INTEG[suite.rpartition("-")[2]][1] is not None


@dataclasses.dataclass
class Tunnel:
    """One tunnel with an SA each way. "in" and "out" are posternd's view."""
    number: int
    suite: str
    proto: str = "esp"  # "esp" or "ah"
    mode: str = "tunnel"
    outer: int = 4  # family
    encap: bool = False
    esn: bool = False
    window: int = 64
    more: str = ""  # settings of the tunnel
    more_encap: str = ""
    more_in: str = ""  # and of its SAs
    more_out: str = ""
    policies: bool = True

    @property
    def name(self):
        return f"t{self.number}"

    @property
    def local(self):
        return "10.2.0.1" if self.outer == 4 else "fd00:2::1"

    @property
    def remote(self):
        return f"10.3.0.{self.number}" if self.outer == 4 else f"fd00:3::{self.number:x}"

    def spi(self, direction):
        return {"in": 0x1000, "out": 0x2000}[direction] + self.number

    def key(self, direction):
        return random.Random(f"{self.number} {direction}").randbytes(key_bytes(self.suite))

    def inner(self, family, host=5):
        """An address behind the peer; of transport mode, the peer."""
        if self.mode == "transport":
            return self.remote
        return f"10.100.{self.number}.{host}" if family == 4 else \
            f"fd00:100:{self.number:x}::{host}"

    # --- posternd

    def _sa(self, direction, more="", suffix="", spi_more=0):
        more += self.more_out if direction == "out" else f"window = {self.window}; {self.more_in}"
        return (f'{{ name = "{self.name}-{direction}{suffix}"; direction = "{direction}"; '
                f'spi = {self.spi(direction) + spi_more}; suite = "{self.suite}"; '
                f'key = "{self.key(direction).hex()}"; esn = {str(self.esn).lower()}; {more} }}')

    def sas_conf(self, *more, sas=("in", "out")):
        return [self._sa(direction, *more) for direction in sas]

    def conf(self, sas=("in", "out")):
        encap = f"encap = {{ {self.more_encap} }}; " if self.encap else ""
        return (f'{{ name = "{self.name}"; number = {self.number}; mode = "{self.mode}"; '
                f'protocol = "{self.proto}"; local = "{self.local}"; remote = "{self.remote}"; '
                f'{encap}{self.more} sas = ( {", ".join(self.sas_conf(sas=sas))} ); }}')

    def policy_conf(self):
        if not self.policies:
            return []
        if self.mode == "transport":
            pairs = [(self.local, self.remote)]
        else:
            pairs = [("10.1.0.0/24", f"10.100.{self.number}.0/24"),
                     ("fd00:1::/64", f"fd00:100:{self.number:x}::/64")]
        return [f'{{ name = "{self.name}-{i}"; action = "protect"; tunnel = "{self.name}"; '
                f'src = "{src}"; dst = "{dst}"; }}' for i, (src, dst) in enumerate(pairs)]

    # --- scapy

    def scapy(self, direction, **more):
        """The peer's SA: for "in" it makes what posternd gets, for "out" it opens what it sent."""
        ends = (self.remote, self.local) if direction == "in" else (self.local, self.remote)
        key = self.key(direction)
        header = (IP if self.outer == 4 else IPv6)(src=ends[0], dst=ends[1])
        if self.mode == "tunnel":
            more["tunnel_header"] = header
        if self.encap:
            more["nat_t_header"] = UDP(sport=4500, dport=4500)
        if self.proto == "ah":
            return SecurityAssociation(
                AH, spi=self.spi(direction), auth_algo=INTEG[self.suite][1], auth_key=key,
                esn_en=self.esn, **more)
        if self.suite in AEAD:
            _, name, _, bits = AEAD[self.suite]
            return SecurityAssociation(
                ESP, spi=self.spi(direction), crypt_algo=name, crypt_key=key,
                crypt_icv_size=bits // 8, esn_en=self.esn, **more)
        enc, integ = self.suite.split("-")
        at = ENC[enc][0]
        return SecurityAssociation(
            ESP, spi=self.spi(direction), crypt_algo=ENC[enc][1], crypt_key=key[:at],
            auth_algo=INTEG[integ][1], auth_key=key[at:], **more)

    # --- the Linux kernel

    def _algorithm(self, direction):
        key = self.key(direction)
        if self.suite in AEAD:
            _, _, name, bits = AEAD[self.suite]
            return f"aead '{name}' 0x{key.hex()} {bits}"
        enc, _, integ = self.suite.rpartition("-")
        _, _, name, bits = INTEG[integ]
        at = ENC[enc][0] if enc else 0
        auth = f"auth-trunc '{name}' 0x{key[at:].hex()} {bits}"
        if not enc:
            return auth
        return f"enc '{ENC[enc][2]}' {'0x' + key[:at].hex() if at else repr('')} {auth}"

    def xfrm(self):
        """Commands of ip that make the peer of a Linux machine that has its addresses."""
        commands = []
        for direction, src, dst in (("in", self.remote, self.local),
                                    ("out", self.local, self.remote)):
            flags = ["flag"] + ["af-unspec"] * (self.mode == "tunnel") + ["esn"] * self.esn
            if self.proto == "ah" and self.outer == 4:
                flags.append("align4")  # as RFC 4302 says: Linux pads to 8 bytes otherwise
            extra = f"{' '.join(flags)} " if len(flags) > 1 else ""
            commands.append(
                f"xfrm state add src {src} dst {dst} proto {self.proto} "
                f"spi {self.spi(direction)} reqid {self.number} mode {self.mode} "
                f"replay-window 64 {extra}{self._algorithm(direction)}"
                + (" encap espinudp 4500 4500 0.0.0.0" if self.encap else ""))
        template = f"proto {self.proto} reqid {self.number} mode {self.mode}"
        if self.mode == "transport":
            pairs = [(self.remote, self.local)]
        else:
            pairs = [(self.inner(4) + "/32", "10.1.0.0/24"),
                     (self.inner(6) + "/128", "fd00:1::/64")]
        for near, far in pairs:
            commands += [
                f"xfrm policy add src {near} dst {far} dir out "
                f"tmpl src {self.remote} dst {self.local} {template}",
                f"xfrm policy add src {far} dst {near} dir in "
                f"tmpl src {self.local} dst {self.remote} {template}"]
        return commands

    def addresses(self):
        """Commands of ip for the addresses of the Linux machine."""
        own = [(self.remote, 32 if self.outer == 4 else 128)]
        if self.mode == "tunnel":
            own += [(self.inner(4), 32), (self.inner(6), 128)]
        return [f"addr add {a}/{n} dev lo nodad" if ":" in a else f"addr add {a}/{n} dev lo"
                for a, n in own]


NETWORK = """
interfaces = (
    { name = "lan"; zone = "secure"; dad-transmits = 0;
      addresses = [ "10.1.0.1/24", "fd00:1::1/64" ]; },
    { name = "wan"; zone = "nonsecure"; dad-transmits = 0;
      addresses = [ "10.2.0.1/24", "fd00:2::1/64" ]; }
);
routes = (
    { to = "10.3.0.0/16"; via = "10.2.0.2"; }, { to = "fd00:3::/64"; via = "fd00:2::2"; },
    { to = "10.100.0.0/16"; via = "10.2.0.2"; }, { to = "fd00:100::/32"; via = "fd00:2::2"; }
);
ip4 = { icmp-echo-rate = 1000000; icmp-error-rate = 1000000; };
ip6 = { icmp-echo-rate = 1000000; icmp-error-rate = 1000000; };
"""


def ipsec(tunnels, policies=(), more="", extra_tunnels=()):
    """The section ipsec."""
    every = [t.conf() for t in tunnels] + list(extra_tunnels)
    policy = [*policies, *(p for t in tunnels for p in t.policy_conf())]
    return ("ipsec = {\n  allow-legacy = true; " + more + "\n  tunnels = (\n    "
            + ",\n    ".join(every) + " );\n  policies = (\n    " + ",\n    ".join(policy)
            + " );\n};\n")


def configuration(ports, wan_mac, lan_mac, section, rest=PERMIT_ALL, system=SYSTEM):
    neighbours = ", ".join(
        f'{{ interface = "{i}"; address = "{a}"; mac = "{mac}"; }}'
        for i, mac, addresses in (("lan", lan_mac, ("10.1.0.2", "fd00:1::2")),
                                  ("wan", wan_mac, ("10.2.0.2", "fd00:2::2")))
        for a in addresses)
    return (system + ports + NETWORK + f"neighbours = ( {neighbours} );\n" + CONTROL + section
            + rest)


def refused(daemon):
    """Packets that IPsec dropped, by reason: real hosts say other things, too."""
    return {reason: n for reason, n in daemon.drops().items()
            if reason.startswith(("ipsec-", "policy-", "filter-"))}


# --- packets

def remade(packet):
    """The same packet with its bytes made up."""
    return type(packet)(bytes(packet))


def datagram(tunnel, direction, family, size, src=None, dst=None, **more):
    """UDP between the host of lan and one behind the peer. more: fields of IPv4's header;
    traffic_class: of either."""
    lan = "10.1.0.2" if family == 4 else "fd00:1::2"
    ends = [src or lan, dst or tunnel.inner(family)]
    if direction == "in":
        ends = [src or tunnel.inner(family), dst or lan]
    traffic_class = more.pop("traffic_class", 0)
    if family == 4:
        header = IP(src=ends[0], dst=ends[1], ttl=60, tos=traffic_class,
                    **{"id": size + 1, **more})
    else:
        header = IPv6(src=ends[0], dst=ends[1], hlim=60, tc=traffic_class, fl=0x54321, **more)
    return remade(header / UDP(sport=4000, dport=5000) / Raw(bytes(i & 255 for i in range(size))))


def echo(tunnel, number, data, options=(), chain=None):
    """An echo request of the peer itself."""
    if tunnel.outer == 4:
        return remade(IP(src=tunnel.remote, dst=tunnel.local, options=list(options))
                      / ICMP(id=7, seq=number) / Raw(data))
    header = IPv6(src=tunnel.remote, dst=tunnel.local)
    return remade((header / chain if chain else header)
                  / ICMPv6EchoRequest(id=7, seq=number, data=data))


def answer_to(request, answer, data):
    """The answer to an echo request, right in each respect."""
    assert (answer.src, answer.dst) == (request.dst, request.src)
    message = answer[ICMP] if answer.version == 4 else answer[ICMPv6EchoReply]
    assert message.type == (0 if answer.version == 4 else 129)
    assert (message.id, message.seq) == (7, request[type(request.payload)].seq)
    assert bytes(message)[8:] == data
    sound(answer)
    summed = checksum(bytes(message)) if answer.version == 4 else \
        in6_chksum(58, answer, bytes(message))
    assert summed == 0, "checksum of ICMP"


def forwarded(packet):
    """What becomes of it on one hop."""
    packet = packet.copy()
    if packet.version == 4:
        packet.ttl -= 1
        del packet.chksum
    else:
        packet.hlim -= 1
    return remade(packet)


def network_packet(frame):
    """The IP packet of a frame, without padding."""
    return parsed(frame[14:])


def parsed(data):
    """The IP packet that the bytes begin with."""
    if data[0] >> 4 == 4:
        return IP(data[:int.from_bytes(data[2:4], "big")])
    return IPv6(data[:40 + int.from_bytes(data[4:6], "big")])


def sound(packet):
    """Lengths and IPv4's checksum are right."""
    data = bytes(packet)
    if packet.version == 4:
        assert packet.len == len(data) and checksum(data[:packet.ihl * 4]) == 0
    else:
        assert packet.plen == len(data) - 40


class Peer:
    """The far end of a tunnel, on the wire of wan; and the host of lan, on its wire."""

    def __init__(self, lab, tunnel):
        self.lab, self.tunnel = lab, tunnel
        self.sa_in, self.sa_out = tunnel.scapy("in"), tunnel.scapy("out")
        self.last = 0  # sequence number that posternd sent

    def enter(self, *packets):
        """The host of lan sends plain packets."""
        self.lab.lan.wire.send(*(ether(self.lab) / p for p in packets))

    def leaves(self):
        """The next plain packet of the tunnel that the host of lan gets."""
        t = self.tunnel

        def ours(frame):
            return frame[12:14] in (b"\x08\0", b"\x86\xdd") and \
                network_packet(frame).src in (t.inner(4), t.inner(6))
        return network_packet(self.lab.lan.wire.until(ours)[-1])

    def seal(self, packet, **more):
        """The peer protects a packet."""
        sealed = self.sa_in.encrypt(packet.copy(), **more)
        if self.tunnel.encap:
            del sealed[UDP].len  # which scapy gets wrong
        return remade(sealed)

    def send(self, *packets):
        """The peer sends packets, as they are: bytes too."""
        kind = {4: 0x0800, 6: 0x86dd}[self.tunnel.outer]
        self.lab.wan.wire.send(*(ether(self.lab, "wan", type=kind) / p for p in packets))

    def is_outer(self, frame):
        if frame[12:14] not in (b"\x08\0", b"\x86\xdd"):
            return False
        packet = network_packet(frame)
        return (packet.src, packet.dst) == (self.tunnel.local, self.tunnel.remote)

    def receive_outer(self):
        """The next packet of posternd to the peer, as it is on the wire."""
        packet = network_packet(self.lab.wan.wire.until(self.is_outer)[-1])
        sound(packet)
        return packet

    def open(self, packet):
        """Takes the protection off. posternd's sequence numbers have no gaps."""
        kind = AH if self.tunnel.proto == "ah" else ESP
        assert kind in packet, packet.summary()
        assert packet[kind].spi == self.tunnel.spi("out")
        self.last += 1
        assert packet[kind].seq == self.last
        if self.tunnel.encap:
            assert (packet[UDP].sport, packet[UDP].dport) == (4500, 4500)
            assert packet[UDP].len == len(packet[UDP])
        inner = bytes(self.sa_out.decrypt(remade(packet)))  # of AH, scapy does not know IPv4
        assert inner[0] >> 4 in (4, 6), inner.hex()
        inner = parsed(inner)
        sound(inner)
        return inner

    def receive(self):
        return self.open(self.receive_outer())
