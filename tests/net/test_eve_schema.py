"""Every kind of log line, without what is ours, is what Suricata's EVE schema describes.

Takes its lines from tests/net/eve_lines and the schema from the shared test data.
"""
import json
import os
import subprocess
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = Path(os.environ.get("PERRON_BUILD", ROOT / "build")) / "tests/net/eve_lines"
SCHEMA = Path(os.environ.get("PERRON_DATA", ROOT.parent / "shared/data")) / "siem/suricata-eve/schema.json"


@pytest.fixture(scope="module")
def validator():
    if not SCHEMA.exists():
        pytest.skip(f"no {SCHEMA}")
    schema = json.loads(SCHEMA.read_text())
    return jsonschema.validators.validator_for(schema)(schema)


@pytest.fixture(scope="module")
def lines():
    out = subprocess.run([LINES], capture_output=True, check=True, timeout=30).stdout
    assert out.endswith(b"\n")
    return out[:-1].split(b"\n")


def test_the_schema_can_refuse(validator):
    assert list(validator.iter_errors({"timestamp": "yesterday", "event_type": "http"}))
    assert list(validator.iter_errors({"timestamp": "2026-11-24T10:00:00.000001+0000", "event_type": "http",
                                       "perron": {}}))


def test_each_line_is_one_event_within_the_schema(validator, lines):
    kinds = set()
    for line in lines:
        assert len(line) <= 16384
        assert not [byte for byte in line if byte < 32 or byte == 127]
        event = json.loads(line.decode("utf-8"))
        ours = event.pop("perron")
        assert ours["reason"] and ("seq" in ours or ours["process"] == "logger")
        errors = [f"{list(e.path)}: {e.message}" for e in validator.iter_errors(event)]
        assert not errors, (errors, line[:300])
        kinds.add(event["event_type"])
    assert kinds == {"http", "flow", "engine"}


def test_no_line_holds_a_query(lines):
    """In an address, that is; a stranger may call himself "password=" as he likes."""
    for line in lines:
        url = json.loads(line).get("http", {}).get("url", "")
        assert "?" not in url and "hunter2" not in url
