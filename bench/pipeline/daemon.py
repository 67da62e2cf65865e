"""posternd under test: its configuration, its control socket, and what a stretch of time costs."""

import json
import socket
import subprocess
import time

import feed as feeds
import machine
from machine import Trouble

CONFIG = """\
system = {{ workers = 1; lcores = [{worker}]; control-lcore = {control};
    burst-packets = {burst}; mbufs = {mbufs}; memory = "hugepages"; memory-mb = {memory}; }};
ports = (
    {{ name = "in"; device = "{rx}"; promiscuous = true; }},
    {{ name = "out"; device = "{tx}"; }}
);
interfaces = (
    {{ name = "in"; zone = "secure"; addresses = [ "10.1.0.254/16", "2001:db8:a01::fe/48" ];
        dad-transmits = 0; }},
    {{ name = "out"; addresses = [ "10.3.0.254/24", "2001:db8:a03::fe/64" ]; dad-transmits = 0; }}
);
routes = ( {{ to = "10.2.0.0/16"; via = "10.3.0.1"; }},
    {{ to = "2001:db8:a02::/48"; via = "2001:db8:a03::1"; }}{routes} );
neighbours = ( {{ interface = "out"; address = "10.3.0.1"; mac = "02:00:00:00:00:22"; }},
    {{ interface = "out"; address = "2001:db8:a03::1"; mac = "02:00:00:00:00:23"; }} );
filter = {{ files = [ "rules" ]; }};
control = {{ socket = "control.sock"; }};
"""


def memory_mb(mbufs, rules):
    """Buffers, routes and counters; the tries of two lists, for a reload has both for a while."""
    return mbufs * 2560 // 2**20 + 320 + rules // 90


class Control:
    """A client of the control socket: JSON-RPC, one object per line."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(120)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rwb")
        self.id = 0

    def call(self, method, **params):
        self.id += 1
        request = {"jsonrpc": "2.0", "id": self.id, "method": method, "params": params}
        self.file.write(json.dumps(request).encode() + b"\n")
        self.file.flush()
        answer = json.loads(self.file.readline() or '{"error": "the daemon is gone"}')
        if "result" not in answer:
            raise Trouble(f"{method}: {answer.get('error')}")
        return answer["result"]


class Daemon:
    def __init__(self, bench, feed, rules_max, routes="", more_mb=0):
        """routes: more of them, as the configuration writes them, and the memory for them."""
        self.bench, self.feed = bench, feed
        self.folder = bench.work
        pcap = feeds.write(feed, bench.tool("bench/pipeline/flowpcap"), self.folder)
        rx, tx = feeds.devices(pcap)
        self.write_rules(1, False, 1)
        (self.folder / "bench.conf").write_text(CONFIG.format(
            worker=bench.worker, control=bench.control, burst=bench.burst, mbufs=feed.mbufs,
            memory=memory_mb(feed.mbufs, rules_max) + more_mb, rx=rx, tx=tx,
            routes=routes))
        self.log = open(self.folder / "posternd.log", "w+")
        self.process = machine.start([bench.tool("app/posternd/posternd"), "-c", "bench.conf"],
                                     cwd=self.folder, stderr=self.log)
        try:
            self.control = machine.wait_for("posternd is not ready", 30, self.connect)
            self.hz = machine.wait_for("posternd sends nothing", 10, self.sending)
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.stop()

    def stop(self):
        status = machine.stop(self.process)
        self.log.close()
        return status

    def last_words(self):
        self.log.seek(0)
        return "".join(self.log.readlines()[-8:])

    def connect(self):
        if self.process.poll() is not None:
            raise Trouble(f"posternd ended with {self.process.poll()}:\n" + self.last_words())
        try:
            return Control(self.folder / "control.sock")
        except OSError:
            return None

    def sending(self):
        state = self.control.call("show.workers")
        return state["tsc_hz"] if state["workers"][0]["sent"] else None

    def write_rules(self, n, split, seed):
        argv = [self.bench.tool("bench/rulegen/rulegen"), "--rules", str(n), "--seed", str(seed)]
        with open(self.folder / "rules", "wb") as out:
            subprocess.run(argv + ["--split"] * split + ["--ip6"] * self.feed.ip6, stdout=out,
                           check=True)

    def use_rules(self, n, split=False, seed=1):
        """Reloads with such a list; what the compiler says of it, and how long it took."""
        self.write_rules(n, split, seed)
        begin = time.monotonic()
        answer = self.control.call("config.reload")
        seconds = time.monotonic() - begin
        if not answer["applied"]:
            raise Trouble(f"reload of {n} rules: {answer}")
        build = self.control.call("show.filter", offset=0, limit=1)["build"]
        return {"reload_s": round(seconds, 3), "build_ms": build["build_ms"],
                "bytes": build["bytes"], "contexts": build["contexts"]}

    def last_rule(self, n):
        return self.control.call("show.filter", offset=n - 1, limit=1)["rules"][0]["packets"]

    def snapshot(self):
        return self.control.call("show.workers"), self.control.call("show.graph")["nodes"]

    def measure(self, seconds, rules):
        """Cycles of the worker per packet sent, all of them and node by node. Trouble when not
        every packet met the last rule and left."""
        time.sleep(0.3)  # caches and branch predictors get to know the new tables
        matched, preempted = self.last_rule(rules), machine.preemptions(self.process.pid)
        before, nodes_before = self.snapshot()
        time.sleep(seconds)
        after, nodes_after = self.snapshot()
        matched = self.last_rule(rules) - matched
        preempted = machine.preemptions(self.process.pid) - preempted
        old, new = before["workers"][0], after["workers"][0]
        cycles, sent = new["cycles"] - old["cycles"], new["sent"] - old["sent"]
        if after["totals"]["dropped"] != before["totals"]["dropped"]:
            raise Trouble("packets were dropped: posternctl show drops would say why")
        if sent == 0 or matched < 2 * sent:
            raise Trouble(f"{sent} packets were sent, but the last rule matched {matched} times; "
                          "twice for each is right")
        pps = sent * self.hz / cycles
        nodes = {}
        for a, b in zip(nodes_before, nodes_after):
            if b["packets"] - a["packets"] > sent / 100:
                nodes[b["name"]] = round((b["cycles"] - a["cycles"]) / sent, 2)
        return {"mpps": round(pps / 1e6, 3), "gbps": round(pps * self.feed.bytes * 8 / 1e9, 2),
                "cycles": round(cycles / sent, 2), "nodes": nodes,
                "burst": round(sent / max(1, new["busy_walks"] - old["busy_walks"]), 1),
                "preempted": preempted}
