"""The control socket under abuse while packets flow, and posternctl as a script sees it."""
import contextlib
import json
import random
import socket
import subprocess
import threading
import time

import pytest
from scapy.layers.inet import IP, UDP

from lab import POSTERNCTL, wait_until
from world import Sentinel, ether, two_networks

RULES = """filter = { rules = (
    { action = "deny"; proto = "udp"; dport = "eq 99"; log = true; direction = "inbound"; },
    { action = "permit"; }
); };
"""


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    lab.daemon = lab.start(two_networks(lab, RULES).replace(
        '"control.sock";', '"control.sock"; clients-max = 20;'))
    return lab


@contextlib.contextmanager
def traffic(world):
    """Pings all the while, one after another; each must be answered."""
    stop, wrong, n = threading.Event(), [], [0]

    def run():
        try:
            while not stop.is_set():
                Sentinel.send(world)
                n[0] += 1
        except AssertionError as e:
            wrong.append(e)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not wrong and n[0] > 0


def connect(world):
    s = socket.socket(socket.AF_UNIX)
    s.connect(str(world.daemon.socket))  # waits while the queue of connections is full
    s.settimeout(10)
    return s


def ask(world, line):
    """The answer to one line of bytes, or None when it just closes."""
    with connect(world) as s:
        s.sendall(line)
        s.shutdown(socket.SHUT_WR)
        data = s.makefile("rb").read()
    return [json.loads(answer) for answer in data.splitlines()]


def error(answers):
    assert len(answers) == 1
    assert answers[0]["jsonrpc"] == "2.0"
    return answers[0]["error"]["code"]


@pytest.mark.parametrize("line,code", [
    (b"rubbish\n", -32700),
    (b"{\n", -32700),
    (b"\xff\xfe\x00\n", -32700),
    (b"[]\n", -32600),
    (b"5\n", -32600),
    (b'{"jsonrpc":"1.0","id":1,"method":"show.version"}\n', -32600),
    (b'{"jsonrpc":"2.0","id":1}\n', -32600),
    (b'{"jsonrpc":"2.0","id":{},"method":"show.version"}\n', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"show.everything"}\n', -32601),
    (b'{"jsonrpc":"2.0","id":1,"method":"show.version","params":[]}\n', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"show.drops","params":{"sample":5}}\n', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"show.drops","params":{"surprise":5}}\n', -32602),
    (b"[" * 1000 + b"\n", -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * 70000 + b'"}\n', -32600),
    (b"y" * 1000000, -32600),
])
def test_clear_errors(world, line, code):
    with traffic(world):
        answers = []
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            answers = ask(world, line)
        if answers or len(line) < 65536:
            assert error(answers) == code
    assert world.daemon.rpc("show.version")["version"]


def test_notifications_and_empty_lines_get_no_answer(world):
    assert ask(world, b'\n\n{"jsonrpc":"2.0","method":"show.version"}\n\n') == []


def test_many_requests_at_once(world):
    """Answered in their order, the last without its newline."""
    lines = b"\n".join(b'{"jsonrpc":"2.0","id":%d,"method":"show.version"}' % i
                       for i in range(2000))
    with traffic(world):
        assert [a["id"] for a in ask(world, lines)] == list(range(2000))


def test_a_request_in_pieces(world):
    request = b'{"jsonrpc":"2.0","id":1,"method":"show.version"}\n'
    with connect(world) as s:
        for i in range(len(request)):
            s.sendall(request[i:i + 1])
        assert json.loads(s.makefile("rb").readline())["id"] == 1


def test_garbage(world):
    r = random.Random(3)
    with traffic(world):
        for _ in range(50):
            with connect(world) as s, contextlib.suppress(OSError):
                s.sendall(r.randbytes(r.randint(1, 20000)))
    assert world.daemon.rpc("show.version")["version"]


def test_too_many_clients(world):
    """100 come, 20 are served; the others are told and nobody is harmed."""
    world.daemon.disconnect()
    with traffic(world), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(world)) for _ in range(100)]
        told = 0
        for s in clients:
            s.setblocking(True)
            s.settimeout(10)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"show.version"}\n')
            answer = json.loads(s.makefile("rb").readline())
            told += "error" in answer
            if "error" in answer:
                assert "clients-max" in answer["error"]["message"]
        assert told == 80
        code, _ = world.daemon.ctl("show", "version")
        assert code == 4
    wait_until("room again", lambda: world.daemon.ctl("show", "version")[0] == 0)


def test_a_client_that_does_not_read(world):
    """Its requests stop being handled; others are served all the while."""
    with traffic(world), connect(world) as greedy:
        greedy.setblocking(False)
        request = b'{"jsonrpc":"2.0","id":1,"method":"show.graph"}\n' * 100
        sent, end = 0, time.monotonic() + 2
        while time.monotonic() < end:
            try:
                sent += greedy.send(request)
            except BlockingIOError:
                time.sleep(0.01)
            except (BrokenPipeError, ConnectionResetError):
                break
            assert world.daemon.rpc("show.version")["version"]
        assert sent > 0
    assert world.daemon.rpc("show.version")["version"]


def test_clients_that_leave_in_the_middle(world):
    with traffic(world):
        for _ in range(100):
            # some are too many at the time, and turned away
            with connect(world) as s, contextlib.suppress(OSError):
                s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"config.reload"}\n'[:random.Random(
                    1).randint(1, 40)])
        for _ in range(5):
            # a reload whose asker is gone when it is done
            with connect(world) as s, contextlib.suppress(OSError):
                s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"config.reload"}\n')
    wait_until("the reloads to be done",
               lambda: world.daemon.reload()["status"] == "applied")


# --- posternctl

def test_exit_codes(world):
    ctl = world.daemon.ctl
    assert ctl("show", "version")[0] == 0
    assert ctl("show", "nothing", json_output=False)[0] == 2
    assert ctl("nothing", json_output=False)[0] == 2
    assert ctl("show", "drops", "--surprise", json_output=False)[0] == 2
    assert ctl("show", "version", socket_path="/nonexistent.sock", json_output=False)[0] == 3
    assert ctl("show", "drops", "--reason", "no-such", json_output=False)[0] == 4
    assert ctl("help", json_output=False)[0] == 0


def test_filter_test_exit_codes(world):
    packet = ["--in", "lan", "--src", "10.1.0.2", "--dst", "10.2.0.2", "--proto", "udp"]
    code, result = world.daemon.ctl("filter", "test", *packet, "--dport", 7)
    assert code == 0 and result["verdict"] == "permit"
    code, result = world.daemon.ctl("filter", "test", *packet, "--dport", 99)
    assert code == 1 and result["reason"] == "filter-in"
    assert result["steps"][-1]["rule"]["number"] == 1
    code, text = world.daemon.ctl("filter", "test", *packet[2:], "--dport", 99, json_output=False)
    assert code == 4 and "interface" in text


def test_config_exit_codes(world):
    bad = world.write("bad.conf", "surprise = 1;")
    code, result = world.daemon.ctl("config", "check", bad)
    assert code == 1 and result["valid"] is False
    code, text = world.daemon.ctl("config", "check", bad, json_output=False)
    assert code == 1 and "surprise" in text and "bad.conf" in text
    assert world.daemon.ctl("config", "check")[0] == 0
    assert world.daemon.ctl("config", "reload")[0] == 0
    good = world.daemon.path.read_text(encoding="utf-8")
    world.daemon.path.write_text("rubbish")
    code, text = world.daemon.ctl("config", "reload", json_output=False)
    assert code == 1 and "postern.conf:1" in text
    world.daemon.path.write_text(good)


SHOWS = ["version", "ports", "routes", "neighbours", "filter", "workers", "fragments", "graph",
         "log", "drops", "drops --sample", "drops --all"]


@pytest.mark.parametrize("what", SHOWS)
def test_shows(world, what):
    """Each shows something, as a table and as JSON."""
    world.lan.wire.send(ether(world) / IP(src="10.1.0.2", dst="10.2.0.2") / UDP(dport=99))
    Sentinel.send(world)
    code, text = world.daemon.ctl("show", *what.split(), json_output=False)
    assert code == 0 and len(text.splitlines()) >= 2
    # a table has no trailing blanks and no colours when it goes to a file
    assert "\x1b" not in text
    code, result = world.daemon.ctl("show", *what.split())
    assert code == 0 and isinstance(result, dict)


def test_commands_from_standard_input(world):
    done = subprocess.run([POSTERNCTL, "--socket", world.daemon.socket],
                          input="show version\nshow routes\n", text=True, timeout=30, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0 and "DESTINATION" in done.stdout and "generation" in done.stdout


def test_help_lists_every_command(world):
    _, text = world.daemon.ctl("--help", json_output=False)
    for what in SHOWS:
        assert f"show {what.split(maxsplit=1)[0]}" in text
    for what in ("filter test", "config check", "config reload"):
        assert what in text
