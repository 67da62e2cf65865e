"""Real clients and servers through a running gateway."""
import contextlib
import hashlib
import random
import socket
import subprocess
import threading

import pytest

from lab import wait_until
from world import two_networks

RULES = """filter = { rules = (
    { action = "permit"; proto = "icmp"; },
    { action = "deny"; proto = "tcp"; dport = "eq 23"; log = true; },
    { action = "permit"; proto = "tcp"; dport = "eq 8080"; },
    { action = "permit"; proto = "tcp/ack"; sport = "eq 8080"; },
    { action = "permit"; proto = "udp"; }
); };
"""


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "wan")
    lab.lan.address("10.1.0.2/24", "10.1.0.1")
    lab.wan.address("10.2.0.2/24", "10.2.0.1")
    lab.daemon = lab.start(two_networks(lab, RULES, static=False))
    return lab


def serve_tcp(host, port, data):
    server = host.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("", port))
    server.listen()

    def run():
        with contextlib.suppress(OSError):  # closed before anybody came
            client, _ = server.accept()
            with client:
                client.sendall(data)
    threading.Thread(target=run, daemon=True).start()
    return server


def test_ping(world):
    assert world.lan.ping("10.2.0.2")
    assert world.wan.ping("10.1.0.2")


def test_ping_the_gateway(world):
    assert world.lan.ping("10.1.0.1")
    assert world.lan.ping("10.2.0.1")  # its other address
    assert world.wan.ping("10.2.0.1")


def test_ping_sizes(world):
    for size in (0, 1, 17, 18, 19, 555, 1472):
        assert world.lan.ping("10.2.0.2", "-s", size, "-M", "do", count=1), size
        assert world.lan.ping("10.1.0.1", "-s", size, "-M", "do", count=1), size


def test_tcp(world):
    data = random.Random(7).randbytes(3_000_000)
    with serve_tcp(world.wan, 8080, data), world.lan.socket(socket.AF_INET) as client:
        client.settimeout(30)
        client.connect(("10.2.0.2", 8080))
        got = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()


def test_tcp_denied(world):
    before = world.daemon.rules()
    with serve_tcp(world.wan, 23, b"login:"), world.lan.socket(socket.AF_INET) as client:
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.connect(("10.2.0.2", 23))
    after = world.daemon.rules()
    assert after[2]["packets"] > before[2]["packets"]
    assert after[0]["packets"] == before[0]["packets"]


def test_udp(world):
    with world.wan.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
            world.lan.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server.bind(("", 5353))
        server.settimeout(10)
        client.settimeout(10)
        for size in (0, 1, 100, 1471):
            client.sendto(b"q" * size, ("10.2.0.2", 5353))
            data, peer = server.recvfrom(2048)
            assert len(data) == size and peer[0] == "10.1.0.2"
            server.sendto(data[::-1] + b"a", peer)
            assert len(client.recv(2048)) == size + 1


def test_ttl_ends_here(world):
    """As traceroute does it."""
    done = world.lan.run("ping", "-n", "-c", "1", "-W", "5", "-t", "1", "10.2.0.2", check=False)
    assert "From 10.1.0.1 icmp_seq=1 Time to live exceeded" in done.stdout


def test_no_route(world):
    done = world.lan.run("ping", "-n", "-c", "1", "-W", "5", "192.0.2.1", check=False)
    assert "From 10.1.0.1 icmp_seq=1 Destination Net Unreachable" in done.stdout


def test_nobody_listens(world):
    """A UDP port of the gateway: its ICMP error reaches the socket."""
    with world.lan.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.connect(("10.1.0.1", 9))
        client.send(b"x")
        with pytest.raises(ConnectionRefusedError):
            client.recv(10)


def test_iperf(world):
    server = world.wan.command("iperf3", "-s", "-1", "-p", "8080")
    with subprocess.Popen(server, stdout=subprocess.DEVNULL) as process:
        wait_until("iperf3 listens", lambda: ":8080" in world.wan.run("ss", "-ltn").stdout)
        done = world.lan.run("iperf3", "-c", "10.2.0.2", "-p", "8080", "-t", "1", "-J",
                             check=False, timeout=60)
        process.wait(30)
    assert done.returncode == 0, done.stdout


def test_neighbours_and_ports_are_shown(world):
    assert world.lan.ping("10.2.0.2", count=1)
    known = world.daemon.neighbours()
    assert known["10.2.0.2"]["mac"] == world.wan.mac
    assert known["10.2.0.2"]["state"] in ("reachable", "probe")
    ports = {p["name"]: p for p in world.daemon.rpc("show.ports")["ports"]}
    assert ports["lan"]["mac"] == world.mac["lan"]
    assert ports["lan"]["link"]["state"] == "up"
    assert ports["lan"]["rx_packets"] > 0 and ports["wan"]["tx_packets"] > 0
