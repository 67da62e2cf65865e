"""A reload under full load: is a packet lost, and does the worker pause?

Windows of one length take turns: in one nothing happens, in the next a list of other rules is
compiled and swapped in. The longest time between two walks of the worker is read from show.workers,
which keeps it per second: gap_1s_us is that of the current second and the one before.
"""

import time

import machine
from daemon import Daemon
from stats import median

RULES = 10000
START = 1.0   # of the window, before the reload
STEP = 0.4
LOOKS = 200


def least_in_hand(daemon):
    """Packets that came in and are accounted for nowhere yet. The counters run on while they are
    read, which can only make this larger, so the least of many looks is the best. A burst in the
    worker's hands is right; a lost packet would stay in it for good."""
    return min(daemon.control.call("show.workers")["totals"]["balance"] for _ in range(LOOKS))


def window(daemon, seconds, seed):
    """One window; with a reload to the list of that seed unless it is None."""
    begin = time.monotonic()
    preempted, steal = machine.preemptions(daemon.process.pid), machine.steal_ticks()
    before = daemon.control.call("show.workers")
    result = {"reload": seed is not None}
    time.sleep(START)
    if seed is not None:
        result |= daemon.use_rules(RULES, seed=seed)
    gap = 0
    while time.monotonic() - begin < seconds:
        time.sleep(STEP)
        # only looks that reach back to no earlier than the window's start
        if time.monotonic() - begin >= 2:
            gap = max(gap, daemon.control.call("show.workers")["workers"][0]["gap_1s_us"])
    after = daemon.control.call("show.workers")
    old, new = before["workers"][0], after["workers"][0]
    sent, cycles = new["sent"] - old["sent"], new["cycles"] - old["cycles"]
    return result | {
        "gap_us": gap, "mpps": round(sent * daemon.hz / cycles / 1e6, 2), "sent": sent,
        "dropped": after["totals"]["dropped"] - before["totals"]["dropped"],
        "preempted": machine.preemptions(daemon.process.pid) - preempted,
        "steal_ticks": machine.steal_ticks() - steal, "seconds": round(cycles / daemon.hz, 1)}


def measure(bench, feed, pairs, say):
    """Pairs of windows, and the books before and after."""
    runs = []
    with Daemon(bench, feed, RULES) as daemon:
        seed = 2
        # how long such a reload takes decides how long a window is
        took = max(daemon.use_rules(RULES, seed=1)["reload_s"],
                   daemon.use_rules(RULES, seed=seed)["reload_s"])
        seconds = max(4.0, START + 2 * took + 1.5)
        time.sleep(2)
        before = least_in_hand(daemon)
        for pair in range(pairs):
            for with_reload in (False, True) if pair % 2 == 0 else (True, False):
                time.sleep(1.2)  # what went before leaves the two seconds that a look sees
                seed += with_reload
                runs.append(window(daemon, seconds, seed if with_reload else None))
                last = runs[-1]
                say(f"reload {pair + 1}/{pairs} " + (
                    f"with a reload of {last['reload_s']:.2f} s" if with_reload else "without") +
                    f": longest gap {last['gap_us']:.0f} µs, {last['mpps']:.1f} Mpps, "
                    f"{last['dropped']} dropped")
        after = least_in_hand(daemon)
        drops = daemon.control.call("show.workers")["totals"]["dropped"]
    return {"rules": RULES, "feed": feed.name, "window_s": seconds, "runs": runs,
            "in_hand_before": before, "in_hand_after": after, "dropped": drops,
            "burst": bench.burst}


def gaps(result, with_reload):
    return [r["gap_us"] for r in result["runs"] if r["reload"] == with_reload]


def lost(result):
    """Packets that vanished: more in hand after than a worker can hold."""
    return max(0, result["in_hand_after"] - result["in_hand_before"] - 2 * result["burst"])


def ratio(result):
    return median(gaps(result, True)) / max(1e-9, median(gaps(result, False)))
