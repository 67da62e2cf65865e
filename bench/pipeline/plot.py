"""One picture of a result: what forwarding costs beside the wire, and what rules add. SVG by hand:
a few bars and lines are not worth a plotting library."""

from html import escape

from feed import FEEDS
from stats import median

WIDTH, HEIGHT = 1000, 440
TOP, BOTTOM = 64, 60
COLORS = ("#1f6f8b", "#e07a5f", "#3d9970", "#8e6bbf", "#c2a83e", "#7a8290")
WIRE = "#b9c2c9"


class Panel:
    """An area with a scale of cycles per packet."""

    def __init__(self, out, left, right, most, title):
        self.out, self.left, self.right = out, left, right
        step = next(s for s in (10, 20, 50, 100, 200, 500, 1000, 10000) if most / s <= 8)
        self.most = -(-most // step) * step
        out.append(text(left, TOP - 22, title, size=14, weight="bold"))
        for i in range(int(self.most // step) + 1):
            y = self.y(i * step)
            out.append(f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" '
                       'stroke="#e3e6e8"/>')
            out.append(text(left - 6, y + 4, f"{i * step:g}", anchor="end"))

    def y(self, cycles):
        return HEIGHT - BOTTOM - cycles / self.most * (HEIGHT - TOP - BOTTOM)

    def whisker(self, x, values):
        low, high = self.y(min(values)), self.y(max(values))
        self.out.append(f'<path d="M{x - 3:.1f} {low:.1f}h6M{x - 3:.1f} {high:.1f}h6'
                        f'M{x:.1f} {low:.1f}V{high:.1f}" stroke="#333" fill="none"/>')

    def bar(self, x, width, values, color):
        y = self.y(median(values))
        self.out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                        f'height="{HEIGHT - BOTTOM - y:.1f}" fill="{color}"/>')
        self.whisker(x + width / 2, values)
        self.out.append(text(x + width / 2, self.y(max(values)) - 6, f"{median(values):.0f}",
                             anchor="middle"))


def text(x, y, words, size=11, anchor="start", weight="normal", color="#222"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}" fill="{color}">{escape(words)}</text>')


def forwarding(out, result):
    feeds = result.feeds()
    most = max(v for f in feeds for v in result.cycles(f, 1) + result.wire_cycles(f))
    panel = Panel(out, 50, 400, most * 1.08, "One rule: cycles per packet")
    slot = (panel.right - panel.left) / len(feeds)
    for i, feed in enumerate(feeds):
        x, width = panel.left + i * slot + slot * 0.14, slot * 0.34
        if result.wire_cycles(feed):
            panel.bar(x, width, result.wire_cycles(feed), WIRE)
        panel.bar(x + width + 4, width, result.cycles(feed, 1), COLORS[0])
        for k, line in enumerate(FEEDS[feed].title.split(", ")):
            out.append(text(x + width, HEIGHT - BOTTOM + 16 + 13 * k, line, anchor="middle"))
    for x, color, words in ((50, WIRE, "testpmd macswap"), (180, COLORS[0], "posternd")):
        out.append(f'<rect x="{x}" y="{HEIGHT - 20}" width="11" height="11" fill="{color}"/>')
        out.append(text(x + 16, HEIGHT - 11, words))


def by_rules(out, result):
    lengths = sorted({n for f in result.feeds() for _, n in result.cases(f)})
    lines = [(f, s) for f in result.feeds() for s in (False, True)
             if any(split == s and n > 1 for split, n in result.cases(f))]
    if not lines:
        return
    most = max(v for f in result.feeds() for s, n in result.cases(f)
               for v in result.cycles(f, n, s))
    panel = Panel(out, 470, 770, most * 1.05, "Lists of rules, the last matches: cycles per packet")
    slot = (panel.right - panel.left) / len(lengths)
    for i, n in enumerate(lengths):
        out.append(text(panel.left + slot * (i + 0.5), HEIGHT - BOTTOM + 16, f"{n:,}",
                        anchor="middle"))
    out.append(text((panel.left + panel.right) / 2, HEIGHT - BOTTOM + 34, "rules", anchor="middle"))
    for k, (feed, split) in enumerate(lines):
        color, points = COLORS[k % len(COLORS)], []
        for i, n in enumerate(lengths):
            values = result.cycles(feed, n, split and n > 1)
            if not values:
                continue
            x = panel.left + slot * (i + 0.5) + (k - len(lines) / 2) * 3
            points.append(f"{x:.1f},{panel.y(median(values)):.1f}")
            panel.whisker(x, values)
        dash = ' stroke-dasharray="5 3"' if split else ""
        out.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{color}" '
                   f'stroke-width="2"{dash}/>')
        y = TOP + 6 + 18 * k
        out.append(f'<path d="M784 {y}h18" stroke="{color}" stroke-width="2"{dash}/>')
        out.append(text(808, y + 4, FEEDS[feed].title + (", split" if split else "")))


def write(result, path):
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    d = result.data
    out.append(text(20, 22, f"Postern {d['commit']}, {d['date']}, one worker, medians of "
                    f"{d['rounds']} rounds with their spread, {d['machine']['cpu']}", color="#555"))
    forwarding(out, result)
    by_rules(out, result)
    path.write_text("\n".join(out) + "\n</svg>\n")
