"""The bench of the whole pipeline; started by bench/run."""

import argparse
import datetime
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import machine
import plot
import reload as reloads
import report
import routes
import testpmd
from daemon import Daemon, memory_mb
from feed import FEEDS
from machine import Trouble
from result import Result

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = (1, 10, 1000, 10000, 100000)
SPLIT_FEEDS = ("64", "64-many")  # the others show sizes, and one list does for that

ABOUT = """\
Forwards and filters frames from memory on one worker and says what a packet costs, beside
dpdk-testpmd on the same devices. See docs/benchmark.md.
"""


def numbers(text):
    values = tuple(sorted({int(v) for v in text.split(",")} | {1}))
    if not 1 <= values[0] <= values[-1] <= 100000:
        raise ValueError
    return values


def names(text):
    values = text.split(",")
    if not set(values) <= set(FEEDS):
        raise ValueError
    return [f for f in FEEDS if f in values]


def options(argv):
    p = argparse.ArgumentParser(prog="bench/run", description=ABOUT, allow_abbrev=False,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true",
                   help="a minute: one round, two sizes, few rules, nothing kept")
    p.add_argument("--rounds", type=int, metavar="N", help="how often each case is measured; 5")
    p.add_argument("--sizes", type=names, metavar="LIST", help=f"of {','.join(FEEDS)}; all")
    p.add_argument("--rules", type=numbers, metavar="LIST",
                   help=f"lengths of rule lists; {','.join(map(str, RULES))}")
    p.add_argument("--pairs", type=int, metavar="N",
                   help="windows with and without a reload under load; twice the rounds")
    p.add_argument("--no-reload", action="store_true", help="leave out the reloads under load")
    p.add_argument("--no-routes", action="store_true", help="leave out the many routes")
    p.add_argument("--seconds", type=float, default=1.5, help="one measurement; 1.5")
    p.add_argument("--burst", type=int, default=64,
                   help="burst-packets of posternd and burst of testpmd; 64")
    p.add_argument("--cpus", type=lambda t: tuple(map(int, t.split(","))), metavar="CONTROL,WORKER",
                   help="which CPUs to use; chosen")
    p.add_argument("--build", type=pathlib.Path, metavar="FOLDER", default=ROOT / "build",
                   help="measure what was built there; otherwise build/ is made first")
    p.add_argument("--lock", metavar="FILE",
                   help="on a machine with other users: hold this lock (flock) while measuring, "
                        "one round at a time")
    p.add_argument("--out", type=pathlib.Path, metavar="FOLDER", default=ROOT / "bench/results",
                   help="where the result goes; bench/results")
    p.add_argument("--show", type=pathlib.Path, metavar="FILE",
                   help="print the tables of a stored result, measure nothing")
    o = p.parse_args(argv)
    if o.cpus and len(o.cpus) != 2:
        p.error("--cpus: two are needed, such as 0,1")
    quick = o.quick
    o.rounds = o.rounds or (1 if quick else 5)
    o.sizes = o.sizes or (["64", "imix"] if quick else list(FEEDS))
    o.rules = o.rules or ((1, 10, 1000) if quick else RULES)
    o.pairs = 0 if o.no_reload else o.pairs or 2 * o.rounds
    o.routes = 0 if quick or o.no_routes else o.rounds
    return o


class Bench:
    """What the parts of a run share."""

    def __init__(self, o):
        self.control, self.worker = machine.choose_cpus(o.cpus)
        self.burst = o.burst
        self.build = o.build.resolve()
        self.work = None

    def tool(self, name):
        path = self.build / name
        if not path.exists():
            raise Trouble(f"{path} is not there: ninja -C {self.build} makes it")
        return str(path)

    def check_build(self):
        """Sanitizers and missing optimization measure themselves."""
        try:
            found = json.loads((self.build / "meson-info/intro-buildoptions.json").read_text())
        except OSError:
            return
        value = {x["name"]: x["value"] for x in found}
        if value.get("optimization") not in ("2", "3") or \
                value.get("b_sanitize", "none") not in ("none", []):
            raise Trouble(f"{self.build} is built with optimization {value.get('optimization')}, "
                          f"sanitizers {value.get('b_sanitize')}; wanted is buildtype release")


def plan(feed, rules):
    """Lists for one daemon, in order: (rules, split, brackets). One rule comes before, between and
    after the two kinds of lists; brackets says which of them it is held against."""
    longer = [n for n in rules if n > 1]
    steps = [(1, False, [False])] + [(n, False, []) for n in longer]
    if feed in SPLIT_FEEDS and longer:
        steps += [(1, False, [False, True])] + [(n, True, []) for n in longer]
        return steps + [(1, False, [True])]
    return steps + [(1, False, [False])] if longer else steps


def measure_feed(bench, o, feed, round_, data, say):
    name = f"round {round_ + 1}/{o.rounds} {FEEDS[feed].title}"
    with Daemon(bench, FEEDS[feed], max(o.rules)) as daemon:
        data["tsc_hz"] = daemon.hz
        for n, split, brackets in plan(feed, o.rules):
            build = daemon.use_rules(n, split)
            m = daemon.measure(o.seconds, n)
            case = {"feed": feed, "rules": n, "split": split, "round": round_,
                    "brackets": brackets, "build": build}
            data["daemon"].append(case | m)
            say(f"{name}, {n:,} rule{'s' * (n > 1)}{', split' * split}: {m['mpps']:.1f} Mpps, "
                f"{m['gbps']:.1f} Gbit/s, {m['cycles']:.1f} cycles per packet")
    pps = testpmd.measure(bench, FEEDS[feed])
    data["wire"].setdefault(feed, []).append(pps)
    say(f"{name}, testpmd: {pps / 1e6:.1f} Mpps, "
        f"{pps * FEEDS[feed].bytes * 8 / 1e9:.1f} Gbit/s, "
        f"{data['tsc_hz'] / pps:.1f} cycles per packet")


def measure(bench, o, say):
    lock = machine.Lock(o.lock)
    data = {"format": 1, "date": datetime.date.today().isoformat(), "commit": machine.commit(ROOT),
            "machine": machine.facts(), "burst": o.burst, "rounds": o.rounds,
            "seconds": o.seconds, "feeds": o.sizes, "wire": {}, "daemon": []}
    steal, begin = machine.steal_ticks(), time.monotonic()
    for round_ in range(o.rounds):
        with lock:
            for feed in o.sizes:
                measure_feed(bench, o, feed, round_, data, say)
    if o.pairs:
        with lock:
            data["reload"] = reloads.measure(bench, FEEDS["64"], o.pairs, say)
    if o.routes:
        with lock:
            data["routes"] = routes.measure(bench, o.routes, o.seconds, say)
    ticks = (time.monotonic() - begin) * os.sysconf("SC_CLK_TCK") * len(machine.ALL_CPUS)
    data["steal_percent"] = round(100 * (machine.steal_ticks() - steal) / ticks, 2)
    return data


def keep(data, folder):
    """Named by day and commit; a second run of a day gets a number."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{data['date']}-{data['commit'].replace('+', '-changed')}"
    path, n = folder / (stem + ".json"), 1
    while path.exists():
        n += 1
        path = folder / f"{stem}-{n}.json"
    # one measurement on a line
    items = []
    for key, value in data.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = "[\n" + ",\n".join(json.dumps(v) for v in value) + "\n]"
        else:
            value = json.dumps(value)
        items.append(f"{json.dumps(key)}: {value}")
    path.write_text("{\n" + ",\n".join(items) + "\n}\n")
    plot.write(Result(data), path.with_suffix(".svg"))
    return path


def ended(signum, frame):
    raise SystemExit(128 + signum)


def run(o):
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, ended)
    only = open(__file__)
    try:
        fcntl.flock(only, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Trouble("another bench/run is at work; together they would measure each other")
    bench = Bench(o)
    bench.check_build()
    begin, pages = time.monotonic(), None

    def say(line):
        print(f"[{time.monotonic() - begin:4.0f} s] {line}", flush=True)

    bench.work = machine.work_folder()
    try:
        most = max(memory_mb(FEEDS[f].mbufs, max(o.rules)) for f in o.sizes)
        most = max(most, memory_mb(16383, reloads.RULES))
        if o.routes:
            most = max(most, memory_mb(16383, 1) + routes.MORE_MB)
        pages = machine.Hugepages(bench.work, most + 64)
        os.sched_setaffinity(0, {bench.control})
        data = measure(bench, o, say)
    finally:
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(sig, signal.SIG_IGN)
        if pages:
            pages.restore()
        shutil.rmtree(bench.work, ignore_errors=True)
    if not o.quick:
        path = keep(data, o.out)  # first, so that nothing that follows loses it
    print("\n" + report.text(Result(data)))
    if not o.quick:
        print(f"\nkept as {path} and {path.with_suffix('.svg').name}")


def main(argv):
    o = options(argv)
    try:
        if o.show:
            print(report.text(Result(json.loads(o.show.read_text()))))
        else:
            run(o)
    except (Trouble, subprocess.CalledProcessError) as trouble:
        print(f"bench/run: {trouble}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
