"""Hosts in network namespaces around a gateway that runs posternd.

A Lab has one namespace for the gateway and one per port, joined by veth. A Host is the far end of a
port: it runs programs in its namespace, and has a raw socket (its wire) on which a test sends and
receives frames itself. A Daemon is a running posternd with its control socket.
"""
import contextlib
import ctypes
import errno
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("POSTERN_BUILD", ROOT / "build"))
POSTERND = BUILD / "app/posternd/posternd"
POSTERNCTL = BUILD / "app/posternctl/posternctl"

PATIENCE_S = 10.0  # how long a test waits for what must come; nothing depends on it being short

SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 263, 8, 4
TP_STATUS_VLAN_VALID = 1 << 4
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3

libc = ctypes.CDLL(None, use_errno=True)


def sh(*command, check=True, **more):
    return subprocess.run([str(c) for c in command], check=check, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)


def wait_until(what, condition, patience=PATIENCE_S):
    """The first true value of condition(); fails the test when none comes."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {patience} s in vain for: {what}"
        time.sleep(0.01)


@contextlib.contextmanager
def inside(netns):
    """Sockets that are made in here belong to that namespace."""
    with open("/proc/self/ns/net", "rb") as home, open(f"/run/netns/{netns}", "rb") as there:
        assert libc.setns(there.fileno(), CLONE_NEWNET) == 0
        try:
            yield
        finally:
            assert libc.setns(home.fileno(), CLONE_NEWNET) == 0


class Wire:
    """Frames in and out of a host's interface, as they are."""

    def __init__(self, netns, iface):
        with inside(netns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.sock.bind((iface, 0))

    def send(self, *frames):
        for frame in frames:
            self.sock.send(bytes(frame))

    def receive(self, patience):
        """The next frame that came from outside, or None."""
        end = time.monotonic() + patience
        while True:
            self.sock.settimeout(max(end - time.monotonic(), 0.000001))
            try:
                data, extra, _, source = self.sock.recvmsg(65536, 256)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError as e:
                if e.errno != errno.ENETDOWN:  # said once, when the interface goes down
                    raise
                continue
            if source[2] == PACKET_OUTGOING:
                continue
            for level, kind, value in extra:
                if level == SOL_PACKET and kind == PACKET_AUXDATA:
                    status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", value[:20])
                    if status & TP_STATUS_VLAN_VALID:  # the kernel took the tag off
                        data = data[:12] + struct.pack("!HH", tpid or 0x8100, tci) + data[12:]
            return data

    def clear(self):
        while self.receive(0) is not None:
            pass

    def until(self, wanted, patience=PATIENCE_S):
        """Frames up to the first that wanted() likes; that one is the last of the list."""
        frames, end = [], time.monotonic() + patience
        while True:
            frame = self.receive(end - time.monotonic())
            assert frame is not None, f"did not come; instead: {[f.hex() for f in frames]}"
            frames.append(frame)
            if wanted(frame):
                return frames

    def close(self):
        self.sock.close()


class Host:
    def __init__(self, lab, port):
        self.port = port
        self.netns = f"{lab.prefix}-{port}"
        self.mac = None
        self.wire = None

    def command(self, *command):
        return ["ip", "netns", "exec", self.netns, *[str(c) for c in command]]

    def run(self, *command, **more):
        return sh(*self.command(*command), **more)

    def address(self, cidr, gateway=None):
        sh("ip", "-n", self.netns, "addr", "add", cidr, "dev", "eth0")
        if gateway:
            sh("ip", "-n", self.netns, "route", "add", "default", "via", gateway)

    def socket(self, *args):
        with inside(self.netns):
            return socket.socket(*args)

    def ping(self, address, *options, count=3):
        """Whether all answers came."""
        done = self.run("ping", "-n", "-c", count, "-i", "0.02", "-W", "5", *options, address,
                        check=False)
        return done.returncode == 0 and f" {count} received" in done.stdout


class Lab:
    serial = 0

    def __init__(self, *ports, mtu=1500):
        Lab.serial += 1
        self.prefix = f"pst-t{os.getpid()}n{Lab.serial}"
        self.gateway = f"{self.prefix}-gw"
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"postern-smoke.{os.getpid()}."))
        self.host = {port: Host(self, port) for port in ports}
        self.mac = {}  # of the gateway's ports
        self.daemons = []
        sh("ip", "netns", "add", self.gateway)
        for host in self.host.values():
            self._join(host, mtu)

    def _join(self, host, mtu):
        sh("ip", "netns", "add", host.netns)
        sh("ip", "link", "add", "eth0", "netns", host.netns, "mtu", mtu, "type", "veth",
           "peer", "name", host.port, "netns", self.gateway, "mtu", mtu)
        for netns, iface in ((host.netns, "eth0"), (self.gateway, host.port)):
            sh("ip", "netns", "exec", netns, "sh", "-c",
               f"echo 1 >/proc/sys/net/ipv6/conf/{iface}/disable_ipv6")
        sh("ip", "-n", host.netns, "link", "set", "lo", "up")
        host.run("ethtool", "-K", "eth0", *"tx off rx off tso off gso off gro off sg off".split())
        sh("ip", "-n", self.gateway, "link", "set", host.port, "up")
        sh("ip", "-n", host.netns, "link", "set", "eth0", "up")
        host.mac = host.run("cat", "/sys/class/net/eth0/address").stdout.strip()
        self.mac[host.port] = sh("ip", "netns", "exec", self.gateway, "cat",
                                 f"/sys/class/net/{host.port}/address").stdout.strip()
        host.wire = Wire(host.netns, "eth0")

    def __getattr__(self, name):
        try:
            return self.__dict__["host"][name]
        except KeyError:
            raise AttributeError(name) from None

    def write(self, name, text):
        path = self.dir / name
        path.write_text(text)
        return path

    # net_af_packet has the kernel put fragments together (PACKET_FANOUT_FLAG_DEFRAG), so tests of
    # fragments use pcap, which hands on what came.
    DEVICES = {
        "packet": "net_af_packet{i},iface={port},qdisc_bypass=1",
        "pcap": "net_pcap{i},iface={port},phy_mac=1",
        "xdp": "net_af_xdp{i},iface={port}",
    }

    def ports(self, kind="packet", more=""):
        """The section ports for the veths of this lab."""
        return "ports = ( " + ", ".join(
            f'{{ name = "{p}"; device = "{self.DEVICES[kind].format(i=i, port=p)}"; {more} }}'
            for i, p in enumerate(self.host)) + " );\n"

    def start(self, conf, name="postern.conf", check=True, before=":"):
        """A posternd with that configuration, once it is ready. check: False if it will not be.
        before: shell commands in its namespaces (that of mounts is its own)."""
        daemon = Daemon(self, self.write(name, conf), before)
        self.daemons.append(daemon)
        if check:
            daemon.wait_ready()
        return daemon

    def close(self):
        """Takes the world down; afterwards says what the daemons did wrong."""
        wrong = [problem for daemon in self.daemons for problem in daemon.finish()]
        for host in self.host.values():
            host.wire.close()
        remove_namespaces(self.prefix)
        shutil.rmtree(self.dir)
        assert not wrong, wrong


def remove_namespaces(prefix):
    """Ends what runs in namespaces of that prefix, by its id, and removes them."""
    names = [n for n in os.listdir("/run/netns") if n.startswith(prefix + "-")]
    for name in names:
        for pid in sh("ip", "netns", "pids", name, check=False).stdout.split():
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(pid), signal.SIGKILL)
    for name in names:
        sh("ip", "netns", "del", name, check=False)


def reclaim():
    """Removes what test runs that were killed have left."""
    with contextlib.suppress(FileNotFoundError):
        for prefix in {m[0] for m in map(re.compile(r"pst-t(\d+)n\d+").match,
                                         os.listdir("/run/netns")) if m}:
            pid = re.match(r"pst-t(\d+)", prefix)[1]
            if not os.path.exists(f"/proc/{pid}"):
                remove_namespaces(prefix)
    for folder in pathlib.Path(tempfile.gettempdir()).glob("postern-smoke.*.*"):
        if not os.path.exists(f"/proc/{folder.name.split('.')[1]}"):
            shutil.rmtree(folder, ignore_errors=True)


class Refused(Exception):
    """The daemon answered with an error; args[0] is its error object."""


class Daemon:
    def __init__(self, lab, path, before):
        self.lab = lab
        self.path = path
        self.socket = lab.dir / "control.sock"
        self.log = lab.dir / f"{path.name}.{len(lab.daemons)}.log"
        self.expected = 0  # exit code at the end; None: nobody asks
        self.calls = 0
        self.connection = None
        # READY=1, as systemd would hear it
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify = lab.dir / f"notify.{len(lab.daemons)}"
        self.notify.bind(str(notify))
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", lab.gateway, "sh", "-ec", before + '\nexec "$@"', "sh",
                 POSTERND, "-c", path], stdout=log, stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": str(notify)})

    @property
    def said(self):
        return self.log.read_text(encoding="utf-8")

    def wait_ready(self):
        end = time.monotonic() + 30
        self.notify.settimeout(0.1)
        while True:
            assert self.process.poll() is None and time.monotonic() < end, self.said
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in self.notify.recv(256):
                    return

    # --- control

    def rpc(self, method, **params):
        """The result of a method, over a connection that stays."""
        if self.connection is None:
            self.connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.connection.settimeout(PATIENCE_S * 3)
            self.connection.connect(str(self.socket))
            self.stream = self.connection.makefile("rb")
        self.calls += 1
        self.connection.sendall(json.dumps(
            {"jsonrpc": "2.0", "id": self.calls, "method": method, "params": params}).encode()
            + b"\n")
        answer = json.loads(self.stream.readline())
        assert answer["id"] == self.calls
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["result"]

    def ctl(self, *command, json_output=True, socket_path=None):
        """posternctl: (exit code, result or text)."""
        done = subprocess.run(
            [POSTERNCTL, "--socket", str(socket_path or self.socket),
             *(["--json"] if json_output else []), *map(str, command)],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False,
            stdin=subprocess.DEVNULL)
        if json_output and done.stdout.strip():
            return done.returncode, json.loads(done.stdout)
        return done.returncode, done.stdout + done.stderr

    def drops(self):
        return {d["reason"]: d["packets"] for d in self.rpc("show.drops")["drops"]}

    def rules(self):
        """Packets by number of rule, 0 for the implicit deny."""
        rules, offset = {}, 0
        while True:
            page = self.rpc("show.filter", offset=offset)
            rules.update({r["number"]: r for r in page["rules"]})
            offset += len(page["rules"])
            if offset >= page["total"] or not page["rules"]:
                return rules

    def totals(self):
        return self.rpc("show.workers")["totals"]

    def neighbours(self):
        return {n["address"]: n for n in self.rpc("show.neighbours")["neighbours"]}

    def reload(self, conf=None):
        if conf is not None:
            self.path.write_text(conf)
        return self.rpc("config.reload")

    def settle_routes(self):
        """Waits until routes have followed what links did: a change of routes comes after that."""
        self.rpc("route.add", to="203.0.199.0/24", type="blackhole")
        self.rpc("route.delete", to="203.0.199.0/24")

    # --- the end

    def disconnect(self):
        if self.connection:
            self.stream.close()
            self.connection.close()
            self.connection = None

    def laws(self):
        """What is wrong with the books. Packets in motion are waited for."""
        totals = {}
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            totals = self.totals()
            if totals["balance"] == 0:
                break
            time.sleep(0.02)
        else:
            return [f"packets do not add up: {totals}"]
        grown = {n["name"]: n["reallocs"] for n in self.rpc("show.graph")["nodes"] if n["reallocs"]}
        return [f"streams of the graph grew: {grown}"] if grown else []

    def stop(self, sig=signal.SIGTERM):
        """The exit code."""
        self.disconnect()
        self.process.send_signal(sig)
        return self.process.wait(30)

    def kill(self):
        self.expected = None
        return self.stop(signal.SIGKILL)

    def finish(self):
        """Ends the daemon if it still runs; what was wrong, as sentences."""
        wrong = []
        try:
            if self.process.poll() is None:
                wrong += self.laws()
                code = self.stop()
                if self.expected is not None and code != self.expected:
                    wrong.append(f"exit code {code}")
                if self.socket.exists() and self.expected == 0:
                    wrong.append("the control socket was left behind")
            elif self.expected is not None and self.process.returncode != self.expected:
                wrong.append(f"it ended by itself with {self.process.returncode}: {self.said}")
        except (AssertionError, OSError, ValueError, subprocess.TimeoutExpired) as e:
            wrong.append(f"{type(e).__name__} {e}: {self.said}")
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.disconnect()
            self.notify.close()
        if "AddressSanitizer" in self.said or "runtime error:" in self.said:
            wrong.append(self.said)
        return wrong
