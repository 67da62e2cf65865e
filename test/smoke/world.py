"""Configurations and packets that several tests share."""
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

# Sleeping workers, so that two daemons fit two cores; small memory, no hugepages needed.
SYSTEM = 'system = { workers = 1; idle = "sleep"; memory = "no-huge"; };\n'
CONTROL = 'control = { socket = "control.sock"; };\n'
PERMIT_ALL = 'filter = { rules = ( { action = "permit"; } ); };\n'

INTERFACES = """
interfaces = (
    { name = "lan"; zone = "secure"; addresses = [ "10.1.0.1/24" ]; },
    { name = "wan"; zone = "nonsecure"; addresses = [ "10.2.0.1/24" ]; }
);
"""


def ip4(more="icmp-echo-rate = 1000000;"):
    """The section ip4. Sentinels come in numbers that the usual rate does not permit."""
    return f"ip4 = {{ {more} }};\n"


def two_networks(lab, rest=PERMIT_ALL, system=SYSTEM, interfaces=INTERFACES, static=True,
                 kind="packet", policy=ip4()):
    """lan 10.1.0.1/24 and wan 10.2.0.1/24. static: the hosts .2 need no ARP."""
    neighbours = f"""neighbours = (
    {{ interface = "lan"; address = "10.1.0.2"; mac = "{lab.lan.mac}"; }},
    {{ interface = "wan"; address = "10.2.0.2"; mac = "{lab.wan.mac}"; }}
);
""" if static else ""
    return system + lab.ports(kind) + interfaces + neighbours + CONTROL + policy + rest


def ether(lab, port="lan", vlan=None, **more):
    """The Ethernet header of a frame from the host of that port to the gateway."""
    header = Ether(**{"src": lab.host[port].mac, "dst": lab.mac[port], **more})
    return header / Dot1Q(vlan=vlan) if vlan else header


def is_icmp(frame, kind, **fields):
    """Is that an ICMP message of that type (and so on)?"""
    packet = Ether(frame)
    return ICMP in packet and packet[ICMP].type == kind and all(
        getattr(packet[ICMP], k) == v for k, v in fields.items())


def is_ip(frame, **fields):
    packet = Ether(frame)
    return IP in packet and all(getattr(packet[IP], k) == v for k, v in fields.items())


def payload(frame):
    packet = Ether(frame)
    return bytes(packet[Raw]) if Raw in packet else b""


class Sentinel:
    """A ping to the gateway whose answer shows that all that was sent before it on the same port
    was handled: the way to see that something did not come, without waiting for it."""
    serial = 0

    @classmethod
    def send(cls, lab, port="lan", src="10.1.0.2", dst="10.1.0.1", vlan=None):
        """Frames that came to the port's host before the answer, without ARP."""
        cls.serial += 1
        ident, seq = 0x5e17, cls.serial & 0xffff
        host = lab.host[port]
        host.wire.send(ether(lab, port, vlan) / IP(src=src, dst=dst) / ICMP(id=ident, seq=seq))
        came = host.wire.until(lambda f: is_icmp(f, 0, id=ident, seq=seq))[:-1]
        return [f for f in came if ARP not in Ether(f)]


def icmp_errors(frames):
    return [(p[ICMP].type, p[ICMP].code) for p in map(Ether, frames)
            if ICMP in p and p[ICMP].type in (3, 4, 5, 11, 12)]


def arps(frames, op):
    return [p[ARP] for p in map(Ether, frames) if ARP in p and p[ARP].op == op]


def exactly(before, after):
    """What counters rose by; those that did not are left out."""
    return {k: n - before.get(k, 0) for k, n in after.items() if n != before.get(k, 0)}
