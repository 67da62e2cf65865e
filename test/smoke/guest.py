"""A Linux guest in QEMU, for tests against the kernel's own IPsec: the machine that the tests run
on need not have any. It has one network card, whose wire is a tap in the gateway's namespace, where
a port of posternd picks it up; commands go in over a serial line. test/guest/ is what it is made
of.
"""
import shlex
import shutil
import socket
import subprocess
import time

from lab import ROOT, sh

FOLDER = ROOT / "build/guest"
PATIENCE_S = 120  # emulated, on a machine that may be busy


def missing():
    """Why there can be no guest here, or None."""
    for program, package in (("qemu-system-x86_64", "qemu-system-x86"), ("busybox",
                             "busybox-static"), ("cpio", "cpio"), ("depmod", "kmod")):
        if not shutil.which(program):
            return f"no Linux guest without {program}: the package {package} is missing"
    return None


class Guest:
    def __init__(self, lab, tap, mac="52:54:00:00:00:02"):
        """Starts it; its eth0 is the far end of a new tap in the gateway's namespace."""
        done = sh(ROOT / "test/guest/make", FOLDER, check=False)
        assert done.returncode == 0, done.stdout
        self.mac = mac
        self.console = lab.dir / "guest.console"
        path = lab.dir / "guest.serial"
        sh("ip", "-n", lab.gateway, "tuntap", "add", tap, "mode", "tap")
        sh("ip", "netns", "exec", lab.gateway, "sh", "-c",
           f"echo 1 >/proc/sys/net/ipv6/conf/{tap}/disable_ipv6")
        sh("ip", "-n", lab.gateway, "link", "set", tap, "up")
        # no offloads: what the guest sends is what a wire carries
        card = ("virtio-net-pci,netdev=n,romfile=,csum=off,guest_csum=off,gso=off,guest_tso4=off,"
                "guest_tso6=off,guest_ufo=off,guest_ecn=off,host_tso4=off,host_tso6=off,"
                f"host_ufo=off,host_ecn=off,mrg_rxbuf=off,mac={mac}")
        with open(lab.dir / "guest.qemu", "w", encoding="utf-8") as said:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", lab.gateway, "qemu-system-x86_64", "-M", "q35",
                 "-accel", "tcg", "-cpu", "max", "-m", "256", "-display", "none", "-monitor",
                 "none", "-no-reboot", "-nodefaults", "-serial", f"file:{self.console}",
                 "-serial", f"unix:{path},server=on,wait=off",
                 "-kernel", FOLDER / "vmlinuz", "-initrd", FOLDER / "initrd.gz",
                 "-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on net.ifnames=0",
                 "-netdev", f"tap,id=n,ifname={tap},script=no,downscript=no", "-device", card],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        self.said = lab.dir / "guest.qemu"
        self.line = self._connect(str(path))
        self.buffer = b""
        self.serial = 0

    def _connect(self, path):
        line, end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), time.monotonic() + 30
        while True:
            try:
                line.connect(path)
                return line
            except (FileNotFoundError, ConnectionRefusedError):
                assert self.process.poll() is None and time.monotonic() < end, \
                    self.said.read_text()
                time.sleep(0.05)

    def wait(self):
        """Until it has booted and answers. What came too early is lost, so it is said again."""
        end = time.monotonic() + PATIENCE_S
        while True:
            self.line.sendall(b"echo up @@-0\n")
            try:
                self._until(b"up @@-0\n", 1)
                break
            except TimeoutError:
                assert self.process.poll() is None and time.monotonic() < end, \
                    self.console.read_text(errors="replace")
        self.run("sleep 1")  # further answers of the same

    def _until(self, mark, patience):
        """What it said up to that mark."""
        end = time.monotonic() + patience
        while mark not in self.buffer:
            self.line.settimeout(max(end - time.monotonic(), 0.001))
            piece = self.line.recv(65536)
            if not piece:
                raise AssertionError(f"the guest ended: {self.console.read_text()}")
            self.buffer += piece
        said, self.buffer = self.buffer.split(mark, 1)
        return said

    def run(self, *commands, check=True):
        """Runs shell commands, one after the other until one fails: (exit code, output)."""
        self.serial += 1
        mark = f"@@{self.serial}@@"
        script = " && ".join(commands)
        assert "\n" not in script
        text = f"eval {shlex.quote(script)} </dev/null; echo {mark} $?\n".encode()
        # a serial line has no flow control; its buffers are small
        for at in range(0, len(text), 2048):
            self.line.sendall(text[at:at + 2048])
        try:
            said = self._until(f"{mark} ".encode(), PATIENCE_S)
            code = int(self._until(b"\n", PATIENCE_S))
        except TimeoutError:
            raise AssertionError(f"no answer to {script}: {self.buffer}") from None
        said = said.decode(errors="replace")
        assert not check or code == 0, f"{script}: {code}: {said}"
        return code, said

    def ip(self, *commands):
        """Commands of ip, in one process: starting one takes an emulated machine a while."""
        for at in range(0, len(commands), 10):
            self.run("echo " + shlex.quote("@".join(commands[at:at + 10]))
                     + f" | tr @ '\\n' {'>>' if at else '>'} /tmp/batch")
        self.run("ip -batch /tmp/batch")

    def ping(self, source, destination, *options, count=2):
        """Whether all answers came."""
        said = self.run(f"ping -c {count} -A -W 5 -I {source} "
                        f"{' '.join(map(str, options))} {destination}", check=False)[1]
        return f" {count} packets received" in said

    def close(self):
        self.line.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
