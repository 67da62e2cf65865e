"""What the bench holds posternd to. Ratios and differences within one run, never times."""

import reload as reloads
import routes
from stats import median, spread

WIRE_RATIO = 1.9
THOUSAND_ABOVE = 100
IP6_RATIO = 1.15
ROUTES_RATIO = 1.3
HUNDRED_THOUSAND_RATIO = 3
NOISE = 5  # cycles
GAP_RATIO = 2


def _line(name, limit, found, reached):
    return {"target": name, "limit": limit, "found": found, "reached": reached}


def _lists(result, feed, rules):
    return [s for s in (False, True) if result.rounds(feed, rules, s)]


def _name(split):
    return "split" if split else "shared"


def _forward(result):
    ratio = result.to_wire("64")
    if ratio:
        yield _line("one rule, 64 bytes: cycles per packet over testpmd's", f"≤ {WIRE_RATIO}",
                    spread(ratio, 2), median(ratio) <= WIRE_RATIO)


def _thousand(result):
    for feed in ("64", "64-many"):
        for split in _lists(result, feed, 1000):
            above = result.above_one(feed, 1000, split)
            yield _line(f"1,000 rules, {_name(split)} list, feed {feed}: cycles above one rule",
                        f"≤ {THOUSAND_ABOVE}", spread(above), median(above) <= THOUSAND_ABOVE)


def _hundred_thousand(result):
    for feed in ("64", "64-many"):
        for split in _lists(result, feed, 100000):
            name = f"100,000 rules, {_name(split)} list, feed {feed}: "
            if median(result.filter_nodes(feed, 10, split)) < 1:
                # the flow cache answers: a ratio of two costs of nothing would be one of noise
                more = [a - b for a, b in zip(result.above_one(feed, 100000, split),
                                              result.above_one(feed, 10, split))]
                yield _line(name + "cycles above 10 rules, where no packet is looked up",
                            f"≤ {NOISE}", spread(more), median(more) <= NOISE)
                continue
            ten = result.filter_cost(feed, 10, split)
            ratio = [a / b for a, b in zip(result.filter_cost(feed, 100000, split), ten)]
            nodes = [a / b for a, b in zip(result.filter_nodes(feed, 100000, split),
                                           result.filter_nodes(feed, 10, split))]
            yield _line(name + "filter cost over that of 10", f"≤ {HUNDRED_THOUSAND_RATIO}",
                        f"{spread(ratio, 2)}; filter nodes alone {spread(nodes, 2)}",
                        median(ratio) <= HUNDRED_THOUSAND_RATIO)


def _reload(result):
    r = result.data.get("reload")
    if not r:
        return
    lost = reloads.lost(r)
    yield _line(f"reload of {r['rules']:,} rules under load: packets lost", "0",
                f"{lost} lost, {r['dropped']} dropped, of {sum(x['sent'] for x in r['runs']):,}",
                lost == 0 and r["dropped"] == 0)
    yield _line("the same: longest gap between two walks, over that without reload",
                f"≤ {GAP_RATIO}",
                f"{reloads.ratio(r):.2f}: {spread(reloads.gaps(r, True), 0)} µs with, "
                f"{spread(reloads.gaps(r, False), 0)} µs without",
                reloads.ratio(r) <= GAP_RATIO)


def _ip6(result):
    if not (result.rounds("64", 1, False) and result.rounds("ip6", 1, False)):
        return
    ratio = [a / b for a, b in zip(result.cycles("ip6", 1), result.cycles("64", 1))]
    yield _line("IPv6, one rule, 66 bytes: cycles per packet over IPv4's at 64", f"≤ {IP6_RATIO}",
                spread(ratio, 2), median(ratio) <= IP6_RATIO)


def _routes(result):
    r = result.data.get("routes")
    for feed in r["feeds"] if r else ():
        ratio = routes.ratios(r, feed)
        yield _line(f"{r['ip4']:,} and {r['ip6']:,} routes, feed {feed}: cycles per packet over "
                    "those with ten", f"≤ {ROUTES_RATIO}", spread(ratio, 2),
                    median(ratio) <= ROUTES_RATIO)


def check(result):
    return [line for part in (_forward, _thousand, _hundred_thousand, _reload, _ip6, _routes)
            for line in part(result)]
