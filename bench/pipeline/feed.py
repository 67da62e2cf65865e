"""What is sent: frames of one size, or a mix, over so many flows."""

import subprocess
from dataclasses import dataclass

PCAP_MAC = "02:70:63:61:70:00"  # the pcap device's own
IMIX_BYTES = (7 * 64 + 4 * 570 + 1438) / 12


@dataclass(frozen=True)
class Feed:
    name: str
    size: str      # for flowpcap
    bytes: float   # mean length on the wire, with FCS
    flows: int
    mbufs: int     # buffers of the program under test; the pcap device keeps one per frame
    title: str
    ip6: bool = False


FEEDS = {f.name: f for f in (
    Feed("64", "64", 64, 1024, 16383, "64 bytes"),
    Feed("imix", "imix", IMIX_BYTES, 1024, 16383, "IMIX"),
    Feed("1438", "1438", 1438, 1024, 16383, "1,438 bytes"),
    Feed("64-many", "64", 64, 131072, 147455, "64 bytes, 131,072 flows"),
    # the shortest frame that holds IPv6 and UDP
    Feed("ip6", "66", 66, 1024, 16383, "IPv6, 66 bytes", True),
    Feed("ip6-1438", "1438", 1438, 1024, 16383, "IPv6, 1,438 bytes", True),
)}


def write(feed, flowpcap, work):
    path = work / f"{feed.name}.pcap"
    if not path.exists():
        with open(path, "wb") as out:
            subprocess.run([flowpcap, "--size", feed.size, "--flows", str(feed.flows),
                            "--mac", PCAP_MAC] + ["--ip6"] * feed.ip6, stdout=out, check=True)
    return path


def devices(pcap):
    """The two devices, as EAL's --vdev takes them: one that repeats the file, one that discards."""
    return f"net_pcap0,rx_pcap={pcap},infinite_rx=1", "net_null1,no-rx=1"
