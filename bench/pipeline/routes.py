"""Many routes: does forwarding the same flows cost more, and what does it take to have them?

Two daemons take turns, one with ten routes and one with as many of both families as the internet
has; the flows of the feed are the same, and none of the many routes is theirs.
"""

import subprocess
import time

from daemon import Daemon
from feed import FEEDS
from stats import median

IP4, IP6 = 500000, 200000
FEW = 8  # more than the two that every daemon of the bench has
MORE_MB = 1600
ROUTE_FEEDS = ("64", "ip6")


def text(bench, ip4, ip6):
    """Such routes as routegen writes them, without what stands around them."""
    written = subprocess.run(
        [bench.tool("bench/routegen/routegen"), "--ip4", str(ip4), "--ip6", str(ip6),
         "--via", "10.3.0.1", "--via6", "2001:db8:a03::1"], check=True, capture_output=True,
        text=True).stdout
    return ", " + written[written.index("(") + 1:written.rindex(")")]


def measure(bench, rounds, seconds, say):
    few, many = text(bench, FEW // 2, FEW // 2), text(bench, IP4, IP6)
    runs = []
    for round_ in range(rounds):
        for feed in ROUTE_FEEDS:
            for routes in (few, many) if round_ % 2 == 0 else (many, few):
                begin = time.monotonic()
                with Daemon(bench, FEEDS[feed], 1, routes, MORE_MB) as daemon:
                    ready = time.monotonic() - begin
                    m = daemon.measure(seconds, 1)
                runs.append({"feed": feed, "many": routes is many, "ready_s": round(ready, 2)} | m)
                say(f"round {round_ + 1}/{rounds} {FEEDS[feed].title}, "
                    f"{IP4 + IP6 if routes is many else FEW + 2:,} routes: "
                    f"{m['cycles']:.1f} cycles per packet, ready after {ready:.1f} s")
    return {"ip4": IP4, "ip6": IP6, "feeds": list(ROUTE_FEEDS), "runs": runs}


def cycles(result, feed, many):
    return [r["cycles"] for r in result["runs"] if (r["feed"], r["many"]) == (feed, many)]


def ready(result):
    return median([r["ready_s"] for r in result["runs"] if r["many"]])


def ratios(result, feed):
    return [a / b for a, b in zip(cycles(result, feed, True), cycles(result, feed, False))]
