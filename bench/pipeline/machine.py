"""The machine under the bench: its CPUs, hugepages and processes, and what is known of it."""

import ctypes
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import time

HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
WORK = "/tmp/postern-bench."
ALL_CPUS = sorted(os.sched_getaffinity(0))
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


class Trouble(Exception):
    """Something the user has to know; the run ends."""


def read(path):
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return ""


def choose_cpus(asked):
    """The control core and the worker's, on different cores where there is a choice."""
    if asked:
        control, worker = asked
        if control == worker or not {control, worker} <= set(ALL_CPUS):
            raise Trouble(f"--cpus: two different ones of {ALL_CPUS} are needed")
        return control, worker
    if len(ALL_CPUS) < 2:
        raise Trouble("two CPUs are needed: one for the worker, one for everything else")
    control = ALL_CPUS[0]
    siblings = read(f"/sys/devices/system/cpu/cpu{control}/topology/thread_siblings_list")
    shares = set()
    for part in filter(None, siblings.split(",")):
        low, _, high = part.partition("-")
        shares |= set(range(int(low), int(high or low) + 1))
    return control, next((c for c in ALL_CPUS[1:] if c not in shares), ALL_CPUS[1])


class Hugepages:
    """Enough 2-MiB pages while it lasts, and the old number afterwards."""

    def __init__(self, work, mb):
        self.old = int(read(HUGEPAGES) or 0)
        (work / "hugepages").write_text(str(self.old))
        free = int(read("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") or 0)
        self.new = max(self.old, self.old - free + mb // 2)
        if self.new != self.old:
            HUGEPAGES.write_text(str(self.new))
        if int(read(HUGEPAGES)) < self.new:
            self.restore()
            raise Trouble(f"{mb} MiB of hugepages are needed and the kernel has not that much "
                          "memory in one piece; after a restart it has, or use fewer --rules")

    def restore(self):
        if int(read(HUGEPAGES)) == self.new:
            HUGEPAGES.write_text(str(self.old))


def is_bench(pid):
    return "bench" in read(f"/proc/{pid}/cmdline")


def work_folder():
    """A folder for this run. What killed runs have left, and their hugepages, go first."""
    for old in pathlib.Path("/tmp").glob("postern-bench.*"):
        pid = old.suffix[1:]
        if not pid.isdigit() or old.is_symlink() or old.stat().st_uid or is_bench(pid):
            continue
        pages = read(old / "hugepages")
        if pages.isdigit():
            HUGEPAGES.write_text(pages)
        shutil.rmtree(old, ignore_errors=True)
    work = pathlib.Path(WORK + str(os.getpid()))
    work.mkdir(mode=0o700)
    return work


def _child():
    """In the child, after setsid. sched_autogroup makes nice of single processes useless: the
    session's own weight counts. The bench stays on the control core, its programs choose."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.sched_setaffinity(0, ALL_CPUS)
    try:
        with open("/proc/self/autogroup", "w") as f:
            f.write("-20")
    except OSError:
        os.nice(-20)


def start(argv, **how):
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True,
                            preexec_fn=_child, **how)


def stop(process, sig=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(sig)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def preemptions(pid):
    """How often the kernel took the CPU from the worker thread of a DPDK process."""
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        if "worker" in read(task / "comm"):
            for line in read(task / "status").splitlines():
                if line.startswith("nonvoluntary_ctxt_switches"):
                    return int(line.split()[1])
    return 0


def steal_ticks():
    return int(read("/proc/stat").split("\n", 1)[0].split()[8])


def _output(*argv, cwd=None):
    try:
        return subprocess.run(argv, cwd=cwd, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def facts():
    cpuinfo = dict(line.split(":", 1) for line in read("/proc/cpuinfo").splitlines() if ":" in line)
    cpuinfo = {k.strip(): v.strip() for k, v in cpuinfo.items()}
    return {
        "cpu": cpuinfo.get("model name", "?"),
        "family_model": f"{cpuinfo.get('cpu family')}/{cpuinfo.get('model')}",
        "cpus": len(ALL_CPUS),
        "hypervisor": _output("systemd-detect-virt", "--vm") or
                      ("yes" if "hypervisor" in cpuinfo.get("flags", "") else "none"),
        "kernel": os.uname().release,
        "dpdk": _output("dpkg-query", "-W", "-f", "${Version}", "dpdk-dev"),
        "gcc": _output("gcc", "-dumpfullversion"),
    }


def commit(root):
    """The commit, with + where something it builds from was changed since."""
    git = ("git", "-c", f"safe.directory={root}")
    name = _output(*git, "rev-parse", "--short=8", "HEAD", cwd=root)
    changed = _output(*git, "status", "--porcelain", "--untracked-files=no", "--",
                      "meson.build", "lib", "app/posternd", "bench", cwd=root)
    return (name or "unknown") + ("+" if changed else "")


class Lock:
    """A lock file that others on this machine heed as well; held while something is measured."""

    def __init__(self, path):
        self.file = open(path, "a") if path else None

    def __enter__(self):
        if self.file:
            fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *why):
        if self.file:
            fcntl.flock(self.file, fcntl.LOCK_UN)
            time.sleep(1)  # who waits comes first


def wait_for(what, seconds, ready):
    """Asks again and again until the answer is true; None when it never was."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ready()
        if answer:
            return answer
        time.sleep(0.02)
    raise Trouble(f"{what} in {seconds} s")
