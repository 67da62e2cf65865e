"""dpdk-testpmd on the same two devices: what receiving, touching and sending a frame costs without
any work in between."""

import re
import subprocess
import time

import feed as feeds
import machine
from machine import Trouble

PERIODS = 2   # of one second each, after one that is not whole


def measure(bench, feed):
    """Packets per second, with posternd's burst, number of buffers and buffer cache."""
    pcap = feeds.write(feed, bench.tool("bench/pipeline/flowpcap"), bench.work)
    rx, tx = feeds.devices(pcap)
    process = machine.start(
        ["dpdk-testpmd", "--lcores", f"0@{bench.control},1@{bench.worker}", "--no-pci",
         "--no-telemetry", "--in-memory", "-m", str(feed.mbufs * 2560 // 2**20 + 230),
         "--vdev", rx, "--vdev", tx, "--", "--forward-mode=macswap", f"--burst={bench.burst}",
         f"--total-num-mbufs={feed.mbufs}", "--mbcache=512", "--stats-period", "1", "--auto-start",
         "--nb-cores=1", "--no-mlockall"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seen, tail, end = [], [], time.monotonic() + 30
    try:
        for line in process.stdout:
            tail = (tail + [line])[-10:]
            rate = re.match(r"\s*Rx-pps:\s+(\d+)", line)
            if rate and int(rate[1]) > 0:
                seen.append(int(rate[1]))
            if len(seen) > PERIODS or time.monotonic() > end:
                break
    finally:
        machine.stop(process)
        process.stdout.close()
    if len(seen) <= PERIODS:
        raise Trouble("testpmd forwards nothing:\n" + "".join(tail))
    return sum(seen[1:]) / PERIODS
