"""Medians with their spread."""

import statistics

median = statistics.median


def summary(values, digits=2):
    return {"median": round(median(values), digits), "least": round(min(values), digits),
            "most": round(max(values), digits), "rounds": [round(v, digits) for v in values]}


def spread(values, digits=1):
    """The median, and from where to where the rounds went."""
    text = f"{median(values):,.{digits}f}"
    if len(values) > 1:
        text += f" ({min(values):,.{digits}f}–{max(values):,.{digits}f})"
    return text
