"""dser relay: starts, says where it listens and what it costs, relays, and stops when told to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to handle")
def test_it_relays_until_it_is_told_to_stop(line, a2f):
    listen = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "dser_ext.cli.main"]
    relay = [*command, "relay", "--a2f", a2f.target, "--listen", listen, "--mode", "stream", "--look-ahead", "0.4"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(relay, env=env, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stderr.readline() == f"dser: relaying from {listen} to Audio2Face at {a2f.target}\n"
            assert "sound leaves up to 1.15 s after it came" in running.stderr.readline()
            push = [*command, "push", str(line), "--a2f", listen, "-o", "face.json"]
            subprocess.run(push, env=env, check=True, timeout=60, capture_output=True)
            running.send_signal(signal.SIGTERM)
            assert running.wait(20) == 0
        finally:
            running.kill()
    assert len(a2f.requests) == 1
    assert a2f.requests[0].ended


@pytest.fixture
def a2f(start_a2f):
    return start_a2f()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: --a2f"),
        (["--a2f", "localhost:1", "--certificate", "cert.pem"], "--certificate and --key go together"),
        (["--a2f", "localhost:1", "--look-ahead", "3"], "3 is no number from 0 to 2"),
        (["--a2f", "localhost:1", "--mix", "both"], "choose from"),
    ],
)
def test_wrong_usage_is_said_before_any_work(dser, arguments, message):
    done = dser("relay", *arguments)
    assert done.code == 2
    assert message in done.lines[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--listen", "0.0.0.0:0"], "others than this machine could come in there"),
        (["--listen", "somewhere"], "somewhere is no address to listen at; write HOST:PORT"),
        (["--certificate", "no.pem", "--key", "no.pem"], "no.pem: cannot be read"),
        (["--voice", "no.voice"], "no.voice: cannot be read"),
        (["--style", "no.json"], "neither a style"),
    ],
)
def test_what_cannot_be_is_one_line(dser, arguments, message):
    done = dser("relay", "--a2f", "localhost:1", *arguments)
    assert done.code == 1
    assert message in done.line


def test_a_port_that_is_taken_is_one_line(dser):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = dser("relay", "--a2f", "localhost:1", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.code == 1
    assert "cannot listen there; choose another port" in done.line
