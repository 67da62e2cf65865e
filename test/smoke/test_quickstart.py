"""app/quickstart leaves nothing behind: interrupted, killed, or twice at the same time. What it
prints is the step quickstart of test/run."""
import contextlib
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from lab import ROOT, sh, wait_until

QUICKSTART = ROOT / "app/quickstart"


def left():
    """What is there of any run: namespaces, folders, processes."""
    return ([n for n in os.listdir("/run/netns") if n.startswith("pst-qs")]
            + [n for n in os.listdir("/tmp") if n.startswith("postern-quickstart.")]
            + re.findall(r".*posternd -c /tmp/postern-quickstart.*",
                         sh("ps", "-eo", "args").stdout))


def start():
    return subprocess.Popen([QUICKSTART], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, start_new_session=True)


def until(process, line):
    """Reads up to a line of its output."""
    for text in process.stdout:
        if re.match(line, text):
            return
    raise AssertionError(f"no line {line}")


@pytest.mark.parametrize("sig,code,moment", [
    (signal.SIGINT, 130, "Network"), (signal.SIGTERM, 143, "posternd"),
    (signal.SIGINT, 130, "  A pings B"), (signal.SIGTERM, 143, "Why")])
def test_interrupted(sig, code, moment):
    process = start()
    until(process, moment)

    def ended():
        """bash forgets a SIGINT that comes just when a command ends well; a user types it again."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sig)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(2) is not None
    reader = threading.Thread(target=process.stdout.read)
    reader.start()
    wait_until("its end", ended, 30)
    reader.join()
    assert process.returncode == code
    assert left() == []


def test_killed_then_run_again():
    process = start()
    until(process, "  A pings B")
    process.kill()
    process.wait(30)
    process.stdout.close()
    assert left() != []
    again = start()
    until(again, "That was it")
    again.stdout.read()
    assert again.wait(30) == 0
    assert left() == []


def test_two_at_once():
    both = [start(), start()]
    said = [p.communicate(timeout=100)[0] for p in both]
    assert [p.returncode for p in both] == [0, 0], said
    assert left() == []


def test_help_and_wrong_options():
    assert sh(QUICKSTART, "--help").stdout.startswith("Usage: ")
    assert sh(QUICKSTART, "--surprise", check=False).returncode == 2


def test_keep_runs_until_it_is_told():
    process = subprocess.Popen([QUICKSTART, "--keep"], stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.STDOUT, start_new_session=True)
    until(process, "  It runs until you press Ctrl-C")
    until(process, ".*posternctl config reload")
    time.sleep(0.2)
    assert process.poll() is None
    namespace = next(n for n in left() if n.endswith("-a"))
    wait_until("its ping", lambda: sh("ip", "netns", "exec", namespace, "ping", "-c", "1", "-W",
                                      "2", "10.2.0.2", check=False).returncode == 0)
    os.killpg(process.pid, signal.SIGINT)
    process.stdout.read()
    assert process.wait(30) == 130
    assert left() == []
