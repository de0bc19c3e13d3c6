"""The demonstration comes out right, and neither it nor the laboratory leaves anything behind, however they end."""
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from gateway import BUILD, ROOT

DEMO = ROOT / "tests/demo/demo.py"


def mine(folder):
    """Processes whose command line speaks of this folder."""
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            line = (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder in line:
            found.append(line)
    return found


def start_demo(tmp_path, *more):
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    return subprocess.Popen([sys.executable, str(DEMO), "--build", str(BUILD), *more], env=env, cwd=ROOT,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                            preexec_fn=interruptible)


def interruptible():
    """A shell has what it starts in the background ignore SIGINT; these tests may run there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def short_tmp():
    """A short path: control sockets have room for 107 characters."""
    with tempfile.TemporaryDirectory(prefix="pd-") as d:
        Path(d).chmod(0o755)
        yield Path(d)


def test_every_line_of_the_demonstration_is_right(short_tmp):
    proc = start_demo(short_tmp)
    out = proc.communicate(timeout=200)[0].decode()
    assert proc.returncode == 0, out
    assert "\nNO " not in out and max(map(len, out.splitlines())) <= 130
    assert list(short_tmp.glob("perron-lab-*")) == []
    assert mine(str(short_tmp)) == []


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_when_it_is_interrupted(short_tmp, sig):
    proc = start_demo(short_tmp)
    deadline = time.monotonic() + 30
    while not any(short_tmp.glob("perron-lab-*/gw1/log/eve.json")):
        assert time.monotonic() < deadline and proc.poll() is None
        time.sleep(0.1)
    assert mine(str(short_tmp))
    proc.send_signal(sig)
    proc.communicate(timeout=40)
    deadline = time.monotonic() + 15
    while mine(str(short_tmp)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert mine(str(short_tmp)) == []
    if sig != signal.SIGKILL:      # nobody can remove a folder after kill -9
        assert list(short_tmp.glob("perron-lab-*")) == []
        assert proc.returncode in (130, 143)
