"""What was measured, as it is written to a file, and what follows from it.

A result holds raw rounds only; everything else is computed from them here, so that a stored file
shows the same tables as the run that made it.

    wire[feed]          [packets per second, ...], one per round
    daemon              [{feed, rules, split, round, cycles, mpps, gbps, nodes, ...}, ...]
    reload              see reload.py
"""

from stats import median

FILTER_NODES = ("acl_in", "acl_out")


class Result:
    def __init__(self, data):
        self.data = data
        self.hz = data["tsc_hz"]

    def rounds(self, feed, rules, split):
        """Round -> its measurements of that case; one rule is measured several times a round."""
        found = {}
        for m in self.data["daemon"]:
            if (m["feed"], m["rules"], m["split"]) == (feed, rules, split):
                found.setdefault(m["round"], []).append(m)
        return found

    def cases(self, feed):
        return sorted({(m["split"], m["rules"]) for m in self.data["daemon"] if m["feed"] == feed})

    def feeds(self):
        return [f for f in self.data["feeds"] if self.cases(f)]

    def each(self, feed, rules, split, value):
        """One number per round."""
        return [median([value(m) for m in ms])
                for _, ms in sorted(self.rounds(feed, rules, split).items())]

    def cycles(self, feed, rules, split=False):
        return self.each(feed, rules, split, lambda m: m["cycles"])

    def mpps(self, feed, rules, split=False):
        return self.each(feed, rules, split, lambda m: m["mpps"])

    def gbps(self, feed, rules, split=False):
        return self.each(feed, rules, split, lambda m: m["gbps"])

    def filter_nodes(self, feed, rules, split=False):
        """Cycles of acl_in and acl_out together, per packet."""
        return self.each(feed, rules, split,
                         lambda m: sum(m["nodes"].get(n, 0) for n in FILTER_NODES))

    def above_one(self, feed, rules, split=False):
        """Per round: what a packet costs more than with one rule in the same daemon, against the
        mean of the one-rule measurements before and after its list."""
        out = []
        one = self.rounds(feed, 1, False)
        for r, ms in sorted(self.rounds(feed, rules, split).items()):
            bases = [m["cycles"] for m in one.get(r, []) if split in m["brackets"]]
            if bases:
                out.append(median([m["cycles"] for m in ms]) - sum(bases) / len(bases))
        return out

    def filter_cost(self, feed, rules, split=False):
        """Per round: the filter nodes with one rule, plus what the list adds to the packet
        anywhere, so that what the filter takes from the caches of other nodes counts."""
        one = self.filter_nodes(feed, 1)
        return [o + d for o, d in zip(one, self.above_one(feed, rules, split))]

    def wire_cycles(self, feed):
        return [self.hz / pps for pps in self.data["wire"].get(feed, [])]

    def to_wire(self, feed, rules=1, split=False):
        """Per round: cycles of posternd over those of testpmd."""
        return [c / w for c, w in zip(self.cycles(feed, rules, split), self.wire_cycles(feed))]

    def nodes(self, feed, rules, split=False):
        """Node -> median cycles per packet, in packet order; and what lies between the nodes."""
        ms = [m for round_ in self.rounds(feed, rules, split).values() for m in round_]
        nodes = {n: median([m["nodes"].get(n, 0) for m in ms]) for n in ms[0]["nodes"]}
        nodes["between nodes"] = median([m["cycles"] - sum(m["nodes"].values()) for m in ms])
        return nodes
