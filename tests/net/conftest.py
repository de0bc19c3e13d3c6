"""Fixtures: one laboratory for the whole run, one gateway with the usual policy for tests that do not disturb it."""
import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from gateway import BUILD
from lab import Lab


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture(scope="session")
def lab():
    assert (BUILD / "perrond").exists(), f"{BUILD}/perrond is not built"
    with Lab() as laboratory:
        yield laboratory
    assert not laboratory.complaints, "\n".join(laboratory.complaints)


@pytest.fixture
def gw(lab):
    """The gateway that most tests share: policy of gateway.py, real clock. Started anew where a test before ended it."""
    if lab.shared is None:
        lab.shared = lab.gateway()
    elif not lab.shared.running():
        lab.shared.start()
    return lab.shared


@pytest.fixture
def own_gateway(lab):
    """A function that starts a gateway for this test alone; the shared one is stopped before, for both divert."""
    if lab.shared:
        lab.shared.stop()
        lab.open_again()
    started = []

    def start(text=None, **kw):
        started.append(lab.gateway(text, **kw))
        return started[-1]
    yield start
    for g in started:
        g.stop()
        lab.gateways.remove(g)
        shutil.rmtree(g.folder, ignore_errors=True)
    lab.open_again()


@pytest.fixture
def the_workers_live(gw):
    """Whatever a test does, no worker dies of it and no sanitizer complains."""
    before, said = gw.pids("worker"), len(gw.said())
    yield
    assert gw.pids("worker") == before
    fresh = gw.said()[said:]
    assert "Sanitizer" not in fresh and "runtime error" not in fresh and "panic" not in fresh, fresh
