"""Life and death of the daemon: start, second start, kill, signals, the command line."""
import grp
import os
import signal
import socket
import stat
import subprocess

import pytest

from lab import POSTERNCTL, POSTERND, ROOT, sh, wait_until
from world import CONTROL, Sentinel, two_networks


@pytest.fixture
def lab(make_lab):
    return make_lab("lan", "wan")


def test_sigterm_and_sigint(lab):
    for sig in (signal.SIGTERM, signal.SIGINT):
        daemon = lab.start(two_networks(lab))
        assert Sentinel.send(lab) == []
        assert daemon.stop(sig) == 0
        assert "stopping" in daemon.said
        assert not daemon.socket.exists()


def test_stop_under_traffic(lab):
    """It drains and goes; nothing hangs."""
    daemon = lab.start(two_networks(lab))
    flood = lab.lan.command("ping", "-q", "-f", "-c", "100000", "10.1.0.1")
    lab.lan.address("10.1.0.2/24")
    with subprocess.Popen(flood, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as ping:
        wait_until("traffic", lambda: daemon.totals()["received"] > 500)
        assert daemon.stop() == 0
        ping.terminate()


def test_notify(lab):
    """READY=1 when it is ready (lab waits for it), STOPPING=1 when it goes."""
    daemon = lab.start(two_networks(lab))
    daemon.process.send_signal(signal.SIGTERM)
    daemon.notify.settimeout(10)
    assert daemon.notify.recv(100) == b"STOPPING=1"
    assert daemon.process.wait(30) == 0


def test_a_second_daemon_is_refused(lab):
    first = lab.start(two_networks(lab))
    second = lab.start(two_networks(lab), name="second.conf", check=False)
    second.expected = 1
    assert second.process.wait(30) == 1
    assert "answers on" in second.said and str(first.socket) in second.said
    assert Sentinel.send(lab) == []  # the first one was not disturbed
    assert first.socket.exists()


def test_start_after_kill(lab):
    """A crash leaves nothing that stops the next start."""
    first = lab.start(two_networks(lab))
    first.kill()
    assert first.socket.exists()  # stale
    lab.start(two_networks(lab))
    assert Sentinel.send(lab) == []


def test_a_stale_socket_of_somebody(lab):
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(lab.dir / "control.sock"))
    s.close()
    lab.start(two_networks(lab))
    assert Sentinel.send(lab) == []


def test_a_file_in_the_place_of_the_socket_is_left_alone(lab):
    lab.write("control.sock", "precious")
    daemon = lab.start(two_networks(lab), check=False)
    daemon.expected = 1
    assert daemon.process.wait(30) == 1
    assert "no socket" in daemon.said
    assert (lab.dir / "control.sock").read_text(encoding="utf-8") == "precious"
    os.unlink(lab.dir / "control.sock")


def test_mode_of_the_socket(lab):
    daemon = lab.start(two_networks(lab))
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o600


def test_mode_of_the_socket_with_a_group(lab):
    group = next(g for g in grp.getgrall() if g.gr_gid != 0)
    daemon = lab.start(two_networks(lab).replace(
        '"control.sock";', f'"control.sock"; group = "{group.gr_name}";'))
    found = daemon.socket.stat()
    assert stat.S_IMODE(found.st_mode) == 0o660 and found.st_gid == group.gr_gid


def test_a_group_that_is_not_there(lab):
    daemon = lab.start(two_networks(lab).replace(
        '"control.sock";', '"control.sock"; group = "nobody-has-this";'), check=False)
    daemon.expected = 1
    assert daemon.process.wait(30) == 1
    assert "nobody-has-this" in daemon.said


def test_a_broken_configuration_starts_nothing(lab):
    daemon = lab.start("ports = 5;\n" + CONTROL, check=False)
    daemon.expected = 1
    assert daemon.process.wait(30) == 1
    assert "nothing was started" in daemon.said
    assert "postern.conf:1: " in daemon.said.replace("posternd: error: ", "")


def run(*command):
    return sh(*command, check=False, timeout=30)


@pytest.mark.parametrize("conf", sorted((ROOT / "config").glob("*.conf")), ids=lambda p: p.name)
def test_examples_are_right(conf):
    done = run(POSTERND, "--check", conf)
    assert done.returncode == 0, done.stdout
    assert ": good: " in done.stdout


def test_check_names_every_error(lab):
    path = lab.write("bad.conf", """ports = ( { name = "a"; device = "net_null0"; mtu = 70000; } );
interfaces = ( { name = "a"; addresses = [ "10.0.0.300/24" ]; zone = "middle"; } );
surprise = 1;
""")
    done = run(POSTERND, "--check", path)
    assert done.returncode == 1
    for line, setting in ((1, "mtu"), (2, "addresses"), (2, "zone"), (3, "surprise")):
        assert any(f"bad.conf:{line}:" in said and setting in said
                   for said in done.stdout.splitlines()), done.stdout


def test_check_of_no_file():
    done = run(POSTERND, "--check", "/nonexistent.conf")
    assert done.returncode == 1 and "/nonexistent.conf" in done.stdout


def test_command_line():
    assert run(POSTERND, "--version").stdout.startswith("posternd ")
    assert "--check" in run(POSTERND, "--help").stdout
    assert run(POSTERND, "--surprise").returncode == 2
    assert run(POSTERND, "surprise").returncode == 2
    assert run(POSTERNCTL, "--version").stdout.startswith("posternctl ")


def test_nobody_but_its_files_stays(lab):
    """After a run: no process, no hugepage file, no socket, no port of the kernel's changed."""
    before = set(os.listdir("/dev/shm"))
    daemon = lab.start(two_networks(lab))
    pid = daemon.process.pid
    assert daemon.stop() == 0
    assert not os.path.exists(f"/proc/{pid}")
    assert set(os.listdir("/dev/shm")) <= before
    left = {p.name for p in lab.dir.iterdir()}
    assert left <= {"postern.conf", "postern.conf.0.log", "notify.0"}
