"""HTTP/2 on both sides of the gateway, with real programs: nginx, curl, h2load, Chromium (issue 4, item 1)."""
import json
import re
import subprocess

import pytest

from gateway import CODE
from test_way import WAYS, ours


def h2(lab, who, url, *options, **kw):
    return lab.curl(who, url, "--http2", *options, **kw)


def protocol(lab, who, url, *options, **kw):
    """HTTP version that curl spoke."""
    lab.clients.serial += 1
    cmd = lab.clients.curl_command(who, url, "--output", "/dev/null", "--write-out", "%{http_version} %{response_code}",
                                   *options, **kw)
    done = subprocess.run(lab.clients_space.enter(*cmd), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=40, check=False)
    return done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("way", WAYS)
def test_served_over_h2_on_both_sides(lab, gw, way):
    assert protocol(lab, "agent", "https://video.example/hello", "--http2", **WAYS[way])[0] == "2 200"
    a = h2(lab, "agent", "https://video.example/hello", **WAYS[way])
    assert (a.exit_code, a.status, a.text) == (0, 200, "hello from video.example\n"), a.error
    assert ours(a), a.chain
    assert lab.requests("video.example")[-1]["proto"] == "HTTP/2.0"
