"""The closing tables, readable in a terminal and as Markdown."""

import routes
import targets
from feed import FEEDS
from reload import gaps
from stats import median, spread


def table(head, rows):
    """The first column stands left, figures right."""
    rows = [[str(c) for c in row] for row in rows]
    width = [max(len(r[i]) for r in [head] + rows) for i in range(len(head))]

    def line(cells):
        return "| " + " | ".join(c.ljust(w) if i == 0 else c.rjust(w)
                                 for i, (c, w) in enumerate(zip(cells, width))) + " |"
    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":"
                          for i, w in enumerate(width)) + "|"
    return "\n".join([line(head), rule] + [line(r) for r in rows])


def name_of(rules, split):
    return f"{rules:,}" + (", split" if split else "")


def forwarding(result):
    rows = []
    for feed in result.feeds():
        wire, one = result.wire_cycles(feed), result.cycles(feed, 1)
        rows.append([
            FEEDS[feed].title,
            f"{result.hz / median(wire) / 1e6:.1f}" if wire else "–",
            spread(wire) if wire else "–",
            spread(result.mpps(feed, 1)), f"{median(result.gbps(feed, 1)):.1f}", spread(one),
            spread(result.to_wire(feed), 2) if wire else "–"])
    return table(["one permit-all rule", "testpmd Mpps", "its cycles per packet", "posternd Mpps",
                  "Gbit/s", "cycles per packet", "over testpmd"], rows)


def rules(result):
    rows = []
    for feed in result.feeds():
        for split, n in result.cases(feed):
            above = result.above_one(feed, n, split) if n > 1 else []
            rows.append([
                f"{FEEDS[feed].title}: {name_of(n, split)}",
                f"{median(result.mpps(feed, n, split)):.1f}",
                f"{median(result.gbps(feed, n, split)):.1f}",
                spread(result.cycles(feed, n, split)),
                spread(above) if above else "–",
                spread(result.filter_nodes(feed, n, split)),
                f"{median(result.to_wire(feed, n, split) or [0]):.2f}"])
    return table(["rules", "Mpps", "Gbit/s", "cycles per packet", "above one rule",
                  "of it acl_in + acl_out", "over testpmd"], rows)


def nodes(result):
    feed = result.feeds()[0]
    most = max(n for _, n in result.cases(feed))
    columns = [(f, 1, False) for f in result.feeds()]
    columns += [(feed, most, s) for s in (False, True) if (s, most) in result.cases(feed)
                and most > 1]
    found = [result.nodes(*c) for c in columns]
    rows = [[n] + [f"{f[n]:.1f}" if n in f else "–" for f in found]
            for n in max(found, key=len)]  # packets of unknown flows pass all the others' nodes
    return table(["cycles per packet"] + [f"{FEEDS[f].title}: {name_of(n, s)}"
                                          for f, n, s in columns], rows)


def lists(result):
    rows = []
    for split, n in sorted({(m["split"], m["rules"]) for m in result.data["daemon"]
                            if "build" in m and m["rules"] > 1}):
        built = [m["build"] for m in result.data["daemon"]
                 if (m["split"], m["rules"]) == (split, n)]
        rows.append([name_of(n, split), f"{median([b['build_ms'] for b in built]) / 1e3:,.2f}",
                     f"{median([b['reload_s'] for b in built]):,.2f}",
                     f"{built[0]['bytes'] / 1e6:,.1f}", built[0]["contexts"]])
    head = ["rules", "compiled in s", "whole reload, s", "MB", "tables"]
    return table(head, rows) if rows else ""


def reload(result):
    r = result.data.get("reload")
    if not r:
        return ""
    rows = []
    for with_reload in (False, True):
        runs = [x for x in r["runs"] if x["reload"] == with_reload]
        rows.append(["with a reload" if with_reload else "without",
                     spread(gaps(r, with_reload), 0), spread([x["mpps"] for x in runs]),
                     sum(x["dropped"] for x in runs), sum(x["preempted"] for x in runs),
                     spread([x["reload_s"] for x in runs], 2) if with_reload else "–"])
    return table([f"{len(r['runs'])} windows of {r['window_s']:.1f} s, {r['rules']:,} rules",
                  "longest gap, µs", "Mpps", "dropped", "worker preempted", "reload takes, s"],
                 rows) + (f"\n\nPackets in the worker's hands, least of many looks: "
                          f"{r['in_hand_before']} before, {r['in_hand_after']} after.")


def many_routes(result):
    r = result.data.get("routes")
    if not r:
        return ""
    rows = [[FEEDS[feed].title, spread(routes.cycles(r, feed, False)),
             spread(routes.cycles(r, feed, True)), spread(routes.ratios(r, feed), 2)]
            for feed in r["feeds"]]
    return table(["cycles per packet", "10 routes",
                  f"{r['ip4']:,} of IPv4 and {r['ip6']:,} of IPv6", "ratio"], rows) + (
        f"\n\nFrom the start of the daemon to the first packet with the many routes: "
        f"{routes.ready(r):.1f} s.")


def target_lines(result):
    return table(["target", "limit", "found (median, spread)", ""],
                 [[t["target"], t["limit"], t["found"], "reached" if t["reached"] else "MISSED"]
                  for t in targets.check(result)])


def machine_line(result):
    d, m = result.data, result.data["machine"]
    return (f"{d['date']}, commit {d['commit']}; {m['cpu']} (family/model {m['family_model']}), "
            f"{m['cpus']} CPUs, hypervisor {m['hypervisor']}, TSC {d['tsc_hz'] / 1e9:.2f} GHz, "
            f"Linux {m['kernel']}, DPDK {m['dpdk']}, gcc {m['gcc']}; burst {d['burst']}, "
            f"{d['rounds']} round{'s' if d['rounds'] > 1 else ''} of {d['seconds']} s, "
            f"{d['steal_percent']:.1f} % of the time stolen by the hypervisor")


def text(result):
    parts = [machine_line(result), forwarding(result), rules(result), nodes(result), lists(result),
             reload(result), many_routes(result), target_lines(result)]
    return "\n\n".join(p for p in parts if p)
