"""The laboratory of tests/net, for programs that are too large or too slow for every run."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "net"))

from lab import Lab


@pytest.fixture(scope="session")
def lab():
    with Lab() as laboratory:
        yield laboratory
    assert not laboratory.complaints, "\n".join(laboratory.complaints)


@pytest.fixture(scope="session")
def gw(lab):
    return lab.gateway()
