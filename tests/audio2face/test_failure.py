"""Whatever Audio2Face does wrong, the user reads one sentence that names the address and the remedy."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import a2f_server
import grpc
import numpy as np
import pytest
from a2f_rules import RefusedError

from dser_ext.audio2face import animate as animate_module
from dser_ext.audio2face.animate import animate
from dser_ext.audio2face.connection import Connection
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.errors import Audio2FaceError

REPOSITORY = Path(__file__).resolve().parents[2]
CALM = Keyframes(np.array([0.0]), np.zeros((1, 10), np.float32))
LINE = np.zeros(48_000, np.float32)


@pytest.fixture(autouse=True)
def _soon(monkeypatch) -> None:
    """Calls are tried again, as always, only sooner."""
    monkeypatch.setattr(animate_module, "RETRY_WAITS_SECONDS", (0.05, 0.1, 0.15))


def complaint(target: str | Connection, timeout_seconds: float = 10) -> str:
    """What the user is told; whatever it is, it is one line and begins with the address."""
    address = target if isinstance(target, str) else target.target
    with pytest.raises(Audio2FaceError) as caught:
        animate(LINE, CALM, target, timeout_seconds=timeout_seconds)
    message = str(caught.value)
    assert message.startswith(f"{address}: ")
    assert message.isprintable()
    assert "; " in message  # what is wrong; what to do
    return message


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_nobody_listens():
    message = complaint(f"127.0.0.1:{free_port()}")
    assert "no Audio2Face answers there (" in message
    assert "refused" in message


def test_the_host_does_not_exist():
    assert "no such host" in complaint("no-such-host.invalid:52000")


@pytest.mark.parametrize("mutual", [False, True])
def test_the_port_speaks_tls(start_a2f, certificates, mutual):
    message = complaint(start_a2f(credentials=certificates.server(mutual=mutual)).target)
    assert "speaks TLS; use it, too (--tls)" in message


def tls(server, **files: str) -> Connection:
    port = server.target.rpartition(":")[2]
    return Connection(f"localhost:{port}", tls=True, **files)


@pytest.mark.parametrize(
    ("certificate", "trusted", "words"),
    [
        ("service", "stranger", "its certificate is not trusted here (unable to get local issuer certificate)"),
        ("old", "authority", "(certificate has expired)"),
        ("elsewhere", "authority", "Hostname mismatch"),
    ],
)
def test_the_certificate_of_the_service_is_not_the_right_one(start_a2f, certificates, certificate, trusted, words):
    server = start_a2f(credentials=certificates.server(certificate))
    assert words in complaint(tls(server, root_certificate=certificates.path(f"{trusted}.pem")))


def test_the_port_does_not_speak_tls(start_a2f, certificates):
    message = complaint(tls(start_a2f(), root_certificate=certificates.path("authority.pem")))
    assert "this port does not speak TLS" in message


@pytest.mark.parametrize(
    ("own", "words"), [(None, "it asks for a client certificate"), ("stranger", "it does not accept this client")]
)
def test_the_service_does_not_know_the_client(start_a2f, certificates, own, words):
    server = start_a2f(credentials=certificates.server(mutual=True))
    files = {"root_certificate": certificates.path("authority.pem")}
    if own is not None:
        files.update(client_certificate=certificates.path(f"{own}.pem"), client_key=certificates.path(f"{own}.key"))
    assert words in complaint(tls(server, **files))


def test_the_port_is_a_web_server():
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    with listener:
        assert "does not speak gRPC" in complaint(f"127.0.0.1:{listener.getsockname()[1]}")


def test_the_port_is_another_grpc_service():
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    assert "not Audio2Face's ProcessAudioStream" in complaint(f"127.0.0.1:{port}")
    server.stop(None)


def test_the_port_takes_the_connection_and_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        message = complaint(f"127.0.0.1:{listener.getsockname()[1]}", timeout_seconds=0.5)
    assert "sent nothing for 0.5 s, after 0 frames" in message


@pytest.mark.parametrize("frames", [0, 20])
@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("refuse", "refuses the line: the moon is in the wrong phase (INVALID_ARGUMENT)"),
        ("error", "reports an error: the network ran out of memory"),
        ("hang", "sent nothing for 0.5 s, after {frames} frames"),
        ("cut", "ended the answer after {frames} frames without saying that it was complete"),
        ("garbage", "does not keep Audio2Face's protocol (a message that cannot be decoded)"),
    ],
)
def test_the_service_fails(start_a2f, failure, words, frames):
    spoil = a2f_server.after_frames(frames, a2f_server.FAILURES[failure])
    message = complaint(start_a2f(spoil=spoil).target, timeout_seconds=0.5)
    assert words.format(frames=frames) in message


@pytest.mark.parametrize(
    ("frames", "words"),
    # A process that dies may take the last frames with it that it had sent.
    # Before the first one the call is tried again, and finds nobody.
    [(0, "no Audio2Face answers there"), (20, r"stopped in the middle of the answer, after (1?\d|20) frames")],
)
def test_the_service_dies(frames, words):
    server = [sys.executable, Path(a2f_server.__file__), "--listen", "127.0.0.1:0"]
    options = ["--fail", "die", "--after-frames", str(frames)]
    environment = {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen([*server, *options], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        target = process.stdout.readline().split()[-1]
        assert re.search(words, complaint(target))


def test_the_service_breaks_down(start_a2f):
    def boom(answer):
        yield next(answer)
        raise ZeroDivisionError("bang")

    assert "failed after 0 frames: Exception iterating responses: bang" in complaint(start_a2f(spoil=boom).target)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "has no room for this line (full)"),
        (grpc.StatusCode.UNAVAILABLE, "broke before an answer came (full)"),
        (grpc.StatusCode.UNAUTHENTICATED, "asks for credentials (full); put a key that is good"),
        (grpc.StatusCode.PERMISSION_DENIED, "asks for credentials (full)"),
    ],
)
def test_the_service_turns_us_away(start_a2f, code, words):
    def turn_away(_):
        raise RefusedError("full", code)
        yield

    assert words in complaint(start_a2f(spoil=turn_away).target)


def test_a_reason_of_any_length_is_quoted_as_one_short_line(start_a2f):
    def rant(_):
        raise RefusedError("no\r\n\x1b[31m" * 400)
        yield

    message = complaint(start_a2f(spoil=rant).target)
    assert "no [31mno" in message
    assert len(message) < 500


@pytest.mark.slow
def test_a_slow_service_is_not_taken_for_a_dead_one(start_a2f):
    def plod(answer):
        for message in answer:
            time.sleep(0.1)
            yield message

    server = start_a2f(spoil=plod)
    assert len(animate(LINE[:12_000], CALM, server.target, timeout_seconds=0.5).times) == 23
