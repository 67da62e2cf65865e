"""A soak: mixed traffic of both families through two workers while configurations, routes and links
change, for POSTERN_SOAK_SECONDS (60; test/run --soak). The work goes in rounds of one seed; each
round must be right, the books must be even after it, and memory must stay what it was."""
import hashlib
import os
import random
import socket
import struct
import sys
import threading
import time

from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import (ICMPv6EchoRequest, ICMPv6ND_NS, IPv6, IPv6ExtHdrDestOpt,
                                IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, fragment6, in6_chksum)
from scapy.layers.l2 import ARP
from scapy.packet import Raw

from lab import BUILD, sh, wait_until
from test_ip6 import speak
from world import CONTROL, SYSTEM, ether, ip4

SECONDS = int(os.environ.get("POSTERN_SOAK_SECONDS", 60))
SEED = int(os.environ.get("POSTERN_SOAK_SEED", 3))
ASAN = "asan" in BUILD.name
PATIENCE_S = 60.0

# What grows by design ends growing within the warm-up: tables are small and were full by then, each
# packet buffer was used many times, each kind of configuration was in use twice, there were so many
# flows that each page of the flow caches (2 MiB a family and worker) has some, and the rings, which
# are used one slot after the other, went round: 4,096 events of each worker are the longest.
WARM_UP_ROUNDS = 12
FLOWS = 2000  # of each family, new ones in each round
UNRESOLVED, UNRESOLVED_AT_FIRST = 20, 500  # of each family
# What may come after that: some pages that malloc keeps of configurations of different sizes. It
# does not depend on the time: a leak of 64 bytes a packet, or of one configuration (some 30 KiB),
# fails a minute, one of 128 bytes a round an hour. ASan keeps what was freed, for its reports, up
# to 256 MiB: there it is LeakSanitizer that looks, at the end. Packet buffers are counted.
GROWTH_KIB = 256

HOSTS = {"lan": ("10.1.0.2", "2001:db8:1::2"), "wan": ("10.2.0.2", "2001:db8:2::2"),
         "dmz": ("10.3.0.2", "2001:db8:3::2")}
GATEWAY = {"lan": ("10.1.0.1", "2001:db8:1::1"), "wan": ("10.2.0.1", "2001:db8:2::1"),
           "dmz": ("10.3.0.1", "2001:db8:3::1")}
# who sends what is made up: nothing of it can be taken for a part of what the hosts' kernels say
FORGER = {"lan": ("10.1.0.3", "2001:db8:1::3"), "wan": ("10.2.0.3", "2001:db8:2::3")}

# Neighbours that malformed packets could lie about are static. dmz's host is found as usual.
CONF = """
interfaces = (
    {{ name = "lan"; zone = "secure"; dad-transmits = 0; {lan}
      addresses = [ "10.1.0.1/24", "2001:db8:1::1/64", "fe80::1/64" ]; }},
    {{ name = "wan"; zone = "nonsecure"; dad-transmits = 0; mtu = 1400;
      addresses = [ "10.2.0.1/24", "2001:db8:2::1/64", "fe80::1/64" ]; }},
    {{ name = "dmz"; dad-transmits = 0;
      addresses = [ "10.3.0.1/24", "2001:db8:3::1/64", "fe80::1/64" ]; }}
);
routes = ( {{ to = "2001:db8:dead::/48"; type = "unreachable"; }} {routes} );
ip6 = {{ icmp-error-rate = 1000000; icmp-echo-rate = 1000000; }};
arp = {{ entries-max = 128; retry-ms = 100; retries = 2; }};
nd = {{ entries-max = 128; retry-ms = 100; retries = 2; incomplete-max = 64;
       resolve-rate = 10000; }};
reassembly = {{ datagrams = 64; per-source = 32; timeout-s = 5; }};
filter = {{ rules = ( {rules} {{ action = "permit"; }} ); }};
"""


def configuration(lab, kind):
    """One of four: with more or fewer rules and routes, or with another MTU."""
    rules = "".join(f'{{ action = "deny"; proto = "udp"; dport = "eq {20000 + i}"; }}, '
                    for i in range((1, 300, 20, 150)[kind]))
    routes = "".join(f', {{ to = "172.16.{i}.0/24"; via = "10.2.0.2"; }}'
                     f', {{ to = "2001:db8:f:{i:x}::/64"; via = "2001:db8:2::2"; }}'
                     for i in range((0, 10, 200, 50)[kind]))
    neighbours = ", ".join(
        f'{{ interface = "{port}"; address = "{address}"; mac = "{lab.host[port].mac}"; }}'
        for port in ("lan", "wan") for address in (*HOSTS[port], *FORGER[port], "fe80::2"))
    # net_af_packet has the kernel put fragments together; pcap hands on what came
    ports = ", ".join(
        f'{{ name = "{p}"; device = "{lab.DEVICES[device].format(i=i, port=p)}"; }}'
        for i, (p, device) in enumerate((("lan", "pcap"), ("wan", "pcap"), ("dmz", "packet"))))
    return (SYSTEM.replace("workers = 1;", "workers = 2; mbufs = 4096;") + f"ports = ( {ports} );\n"
            + CONF.format(lan="mtu = 1492;" if kind == 2 else "", rules=rules, routes=routes)
            + f"neighbours = ( {neighbours} );\n" + CONTROL
            + ip4("icmp-echo-rate = 1000000; icmp-error-rate = 1000000;"))


def begin(make_lab):
    lab = make_lab("lan", "wan", "dmz")
    for port, (v4, v6) in HOSTS.items():
        host = lab.host[port]
        host.address(f"{v4}/24", GATEWAY[port][0])
        speak(host, v6, GATEWAY[port][1], lab.mac[port])
    lab.daemon = lab.start(configuration(lab, 0))
    return lab


# --- what a round does

def tcp_flows(lab, data, flows=3):
    """Downloads of both families, several at once, through the gateway; returns what ends them:
    it waits, and says what was wrong."""
    wrong, threads = [], []

    def serve(server):
        with server:
            client, _ = server.accept()
            with client:
                client.sendall(data)

    def fetch(client, to):
        try:
            with client:
                client.connect(to)
                got = b"".join(iter(lambda: client.recv(1 << 16), b""))
            if hashlib.sha256(got).digest() != hashlib.sha256(data).digest():
                wrong.append(f"TCP from {to}: {len(got)} other bytes than the {len(data)} sent")
        except OSError as e:
            wrong.append(f"TCP from {to}: {e!r}")

    for family, address in zip((socket.AF_INET, socket.AF_INET6), HOSTS["wan"]):
        for _ in range(flows):
            # threads only use them: sockets are made here, as namespaces are a thread's own
            server = lab.wan.socket(family, socket.SOCK_STREAM)
            server.bind((address, 0))
            server.listen()
            client = lab.lan.socket(family, socket.SOCK_STREAM)
            for s in (server, client):
                s.settimeout(PATIENCE_S)
            to = server.getsockname()[:2]
            threads += [threading.Thread(target=serve, args=(server,), daemon=True),
                        threading.Thread(target=fetch, args=(client, to), daemon=True)]
    for t in threads:
        t.start()

    def finish():
        for t in threads:
            t.join(PATIENCE_S * 2)
            assert not t.is_alive(), "a TCP connection does not end"
        assert not wrong, wrong
    return finish


def udp_flows(lab, r, number):
    """Each of several flows' datagrams of both families comes out, small ones and ones that have to
    be cut or put together by the receiver."""
    for i, family in enumerate((socket.AF_INET, socket.AF_INET6)):
        with lab.wan.socket(family, socket.SOCK_DGRAM) as receiver:
            receiver.bind((HOSTS["wan"][i], 0))
            receiver.settimeout(PATIENCE_S)
            for _ in range(6):
                with lab.lan.socket(family, socket.SOCK_DGRAM) as sender:
                    if family == socket.AF_INET:  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT: may be cut
                        sender.setsockopt(socket.IPPROTO_IP, 10, 0)
                    else:  # IPV6_MTU: pieces that fit wan
                        sender.setsockopt(socket.IPPROTO_IPV6, 24, 1280)
                    for size in (1, 512, (1440, 1200)[i], 3000, r.randint(1500, 8000)):
                        sent = number.to_bytes(4, "big") + r.randbytes(size)
                        sender.sendto(sent, receiver.getsockname()[:2])
                        assert receiver.recv(65536) == sent


def pings(lab):
    """Of both families, with packets that have to be cut too; and dmz's host, by its neighbour."""
    for i in (0, 1):
        for size in (56, 1300, 4000):
            for host, to in ((lab.lan, HOSTS["wan"][i]), (lab.wan, HOSTS["lan"][i]),
                             (lab.lan, GATEWAY["lan"][i])):
                # the first of them may tell a host of IPv6 how large packets may be on their way
                options = (to, "-s", size, "-M", "dont")
                assert host.ping(*options) or host.ping(*options), options
        assert lab.wan.ping(HOSTS["dmz"][i]) and lab.dmz.ping(GATEWAY["wan"][i])


def both(src, dst, **more):
    """Headers of both families from one port's forger to another's host, or to the gateway."""
    there = GATEWAY[src] if dst == "gateway" else HOSTS[dst]
    return [IP(src=FORGER[src][0], dst=there[0], **more), IPv6(src=FORGER[src][1], dst=there[1])]


def unresolved(r, n):
    """To neighbours that are not there, through the gateway."""
    for _ in range(n):
        yield IP(src=HOSTS["lan"][0], dst=f"10.2.0.{r.randint(50, 250)}") / UDP(dport=9)
        yield IPv6(src=HOSTS["lan"][1], dst=f"2001:db8:2::{r.randint(50, 999):x}") / UDP(dport=9)


def scan(lab, r):
    """Short packets of many flows of both families: from any port to any port."""
    for header in (IP(src=FORGER["lan"][0], dst=FORGER["wan"][0]),
                   IPv6(src=FORGER["lan"][1], dst=FORGER["wan"][1])):
        frame = bytearray(bytes(ether(lab) / header / UDP(dport=9, chksum=0)))
        for _ in range(FLOWS):
            struct.pack_into("!I", frame, len(frame) - 8, r.randrange(1 << 32))
            yield bytes(frame)


def fragments(r):
    """Some datagrams in pieces of any order, with pieces missing, twice there, or overlapping, for
    the gateway and for a host behind it."""
    for dst in ("gateway", "wan"):
        four, six = both("lan", dst, id=r.randrange(65536))
        pieces = fragment(four / ICMP() / Raw(r.randbytes(3000)), 800)
        whole = six / IPv6ExtHdrFragment(id=r.randrange(1 << 32)) / ICMPv6EchoRequest(
            data=r.randbytes(3000), cksum=0)
        whole[ICMPv6EchoRequest].cksum = in6_chksum(58, six, bytes(whole[ICMPv6EchoRequest]))
        pieces += fragment6(whole, 1280)
        pieces.append(four / Raw(r.randbytes(80)))
        pieces[-1].frag, pieces[-1].flags, pieces[-1].proto = r.randrange(300), r.choice([0, 1]), 1
        pieces = [bytes(p) for p in pieces]
        for _ in range(2):
            if r.random() < 0.5:
                pieces.pop(r.randrange(len(pieces)))
            else:
                pieces.append(r.choice(pieces))
        r.shuffle(pieces)
        yield from pieces


def malformed(lab, r, port, other):
    """Frames with some bytes turned over or an end cut off, and noise."""
    kinds = [h / body for dst in (other, "gateway") for h in both(port, dst)
             for body in (TCP(dport=9) / Raw(b"x" * 9), UDP(dport=9) / Raw(b"x" * 40))]
    six = both(port, other)[1]
    kinds += [six / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / UDP(dport=9),
              six / IPv6ExtHdrFragment(m=1) / Raw(b"x" * 64),
              IPv6(src=HOSTS[port][1] + "2", dst=GATEWAY[port][1])
              / ICMPv6ND_NS(tgt=GATEWAY[port][1]),
              ARP(psrc=HOSTS[port][0] + "2", pdst=GATEWAY[port][0])]
    kinds = [bytes(ether(lab, port) / k) for k in kinds]
    for i in range(60):
        frame = bytearray(r.choice(kinds))
        for _ in range(r.randint(0, 6)):
            frame[r.randrange(12, len(frame))] = r.randrange(256)
        if i % 4 == 0:
            del frame[r.randrange(14, len(frame)):]
        elif i % 4 == 1:
            frame[14:] = r.randbytes(r.randint(1, 200))
        yield bytes(frame)


def routes(daemon, number):
    """Routes of both families come, are replaced and go."""
    to = [f"203.{number % 200}.{i}.0/24" for i in range(50)]
    to += [f"2001:db8:{number % 200 + 0x100:x}:{i:x}::/64" for i in range(50)]
    ways = [("10.2.0.2", "10.3.0.2"), ("2001:db8:2::2", "2001:db8:3::2")]
    for method, way in (("route.add", 0), ("route.replace", 1)):
        done = daemon.rpc(method, routes=[{"to": t, "via": ways[":" in t][way]} for t in to])
        assert done["changed"] == len(to)
    assert daemon.ctl("route", "add", "198.51.100.0/24", "--via", "10.2.0.2,10.3.0.2")[0] == 0
    assert daemon.ctl("route", "delete", "198.51.100.0/24")[0] == 0
    assert daemon.rpc("route.delete", routes=[{"to": t} for t in to])["changed"] == len(to)


def flap(lab):
    """dmz's link goes and comes, and its host is there again."""
    for state in ("down", "up"):
        sh("ip", "-n", lab.dmz.netns, "link", "set", "eth0", state)
        wait_until(f"link of dmz {state}", lambda s=state: any(
            p["name"] == "dmz" and p["link"]["state"] == s
            for p in lab.daemon.rpc("show.ports")["ports"]), PATIENCE_S)
    # with the link the host's kernel forgot its routes, and all of IPv6
    v4, v6 = GATEWAY["dmz"]
    for what in (f"-4 route replace default via {v4}",
                 f"-6 addr replace {HOSTS['dmz'][1]}/64 dev eth0 nodad",
                 "-6 addr replace fe80::2/64 dev eth0 nodad",
                 f"-6 neigh replace {v6} lladdr {lab.mac['dmz']} dev eth0 nud permanent",
                 f"-6 route replace default via {v6}"):
        lab.dmz.run("ip", *what.split())
    for i in (0, 1):
        wait_until("dmz answers", lambda i=i: lab.wan.ping(HOSTS["dmz"][i], count=1), PATIENCE_S)


def show(daemon):
    for what in ("version", "workers", "fragments", "ports", "neighbours", "routes", "filter",
                 "drops", "graph", "log"):
        code, text = daemon.ctl("show", what, json_output=False)
        assert code == 0 and text, (what, text)


class Soak:
    """The daemon under test and what was counted of it."""

    def __init__(self, lab):
        self.lab, self.daemon, self.r = lab, lab.daemon, random.Random(SEED)
        self.rounds = self.reloads = self.refused = 0
        self.first = None  # memory and files after the warm-up

    def reload(self):
        """Another configuration than that in use, with a broken one before it now and then."""
        if self.rounds % 4 == 3:
            done = self.daemon.reload(configuration(self.lab, 0) + "surprise = 1;\n")
            assert not done["applied"], done
            self.refused += 1
        done = self.daemon.reload(configuration(self.lab, (self.rounds + 1) % 4))
        assert done["applied"], done
        self.reloads += 1

    def round(self):
        lab, r = self.lab, self.r
        finish = tcp_flows(lab, r.randbytes(300_000))
        self.reload()
        for p in fragments(r):
            lab.lan.wire.send(ether(lab, type=0x0800 if p[0] >> 4 == 4 else 0x86dd) / Raw(p))
        n = UNRESOLVED_AT_FIRST if self.rounds < WARM_UP_ROUNDS else UNRESOLVED
        lab.lan.wire.send(*[ether(lab) / p for p in unresolved(r, n)])
        lab.lan.wire.send(*scan(lab, r))
        lab.lan.wire.send(*malformed(lab, r, "lan", "wan"))
        lab.wan.wire.send(*malformed(lab, r, "wan", "lan"))
        routes(self.daemon, self.rounds)
        finish()
        udp_flows(lab, r, self.rounds)
        pings(lab)
        if self.rounds % 3 == 2:
            flap(lab)
        show(self.daemon)
        self.rounds += 1
        self.check()

    # --- what is looked at

    def memory_kib(self):
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def files(self):
        return len(os.listdir(f"/proc/{self.daemon.process.pid}/fd"))

    def check(self):
        daemon = self.daemon
        assert daemon.process.poll() is None, daemon.said
        assert daemon.laws() == []
        version = daemon.rpc("show.version")
        assert (version["reloads"], version["reloads_failed"]) == (self.reloads, self.refused)
        ports = daemon.rpc("show.ports")["ports"]
        # a leak of packet buffers ends with none being free
        assert all(p["errors"]["rx_nombuf"] == 0 for p in ports), ports
        errors = [line for line in daemon.said.splitlines()
                  if line.startswith("posternd: error:")]
        # of a broken configuration: what is wrong with it, and that it is refused
        assert len(errors) == 2 * self.refused and all(
            "surprise: unknown" in e or "reload: refused" in e for e in errors), errors[:20]
        if self.rounds == WARM_UP_ROUNDS:
            self.first = (self.memory_kib(), self.files())
        elif self.rounds > WARM_UP_ROUNDS:
            assert self.files() <= self.first[1], "files are left open"
            if not ASAN:
                grown = self.memory_kib() - self.first[0]
                assert grown <= GROWTH_KIB, f"{grown} KiB more after {self.rounds} rounds"

    def progress(self, seconds):
        totals = self.daemon.totals()
        grown = f"{self.memory_kib() - self.first[0]:+d}" if self.first else "warming up"
        return (f"soak {seconds:4.0f} s: {self.rounds} rounds, {totals['received']} packets in, "
                f"{totals['sent']} out, {totals['dropped']} dropped, {self.reloads} reloads, "
                f"{self.memory_kib()} KiB ({grown})")


def test_soak(make_lab, capsys):
    """At least as long as is asked for, and at least two rounds longer than the warm-up."""
    def say(text):
        with capsys.disabled():
            print(text, file=sys.stderr, flush=True)

    say(f"\nsoak: {SECONDS} s, seed {SEED} (POSTERN_SOAK_SEED)")
    soak = Soak(begin(make_lab))
    start = said = time.monotonic()
    while time.monotonic() - start < SECONDS or soak.rounds < WARM_UP_ROUNDS + 2:
        soak.round()
        if time.monotonic() - said >= 10:
            said = time.monotonic()
            say(soak.progress(said - start))
    # what waited for neighbours and for fragments was let go: nothing is held for ever
    wait_until("nothing to be in flight", lambda: soak.daemon.totals()["in_flight"] == 0,
               PATIENCE_S)
    soak.check()
    # a packet that was counted but not freed; these devices copy, and hold no buffers themselves
    held = soak.daemon.rpc("show.workers")["memory"]["mbufs_in_use"]
    assert held == 0, f"{held} packet buffers were not freed"
    say(soak.progress(time.monotonic() - start))
