"""The way to Audio2Face: TLS with and without a client's certificate, keys that do not leak, and patience."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import a2f_server
import grpc
import numpy as np
import pytest
from a2f_rules import RefusedError

from dser_ext.audio2face import animate as animate_module
from dser_ext.audio2face import connection as connection_module
from dser_ext.audio2face.animate import animate
from dser_ext.audio2face.connection import API_KEY_VARIABLE, OPTIONS, RETRY_WAITS_SECONDS, Connection
from dser_ext.audio2face.health import health
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.errors import Audio2FaceError

CALM = Keyframes(np.array([0.0]), np.zeros((1, 10), np.float32))
LINE = np.zeros(8_000, np.float32)
KEY = "nvapi-Very_Secret-0123"


@pytest.fixture(autouse=True)
def _no_key(monkeypatch) -> None:
    monkeypatch.delenv(API_KEY_VARIABLE, raising=False)


@pytest.fixture
def secure(start_a2f, certificates):
    """Starts a service with TLS; gives it and the connection that fits."""

    def start(*, mutual: bool = False, **arguments):
        server = start_a2f(credentials=certificates.server(mutual=mutual), **arguments)
        own = {}
        if mutual:
            own = {f"client_{kind}": certificates.path(f"client.{end}") for kind, end in _FILES.items()}
        port = server.target.rpartition(":")[2]
        root = certificates.path("authority.pem")
        return server, Connection(f"localhost:{port}", tls=True, root_certificate=root, **own)

    return start


_FILES = {"certificate": "pem", "key": "key"}


@pytest.mark.parametrize("mutual", [False, True])
def test_a_line_is_animated_over_tls(secure, mutual):
    server, connection = secure(mutual=mutual)
    assert len(animate(LINE, CALM, connection).times) == 15
    assert bytes(server.requests[0].sound) == bytes(16_000)


def test_key_and_function_id_go_with_the_call_and_the_key_is_read_when_it_is_needed(secure, monkeypatch):
    server, connection = secure()
    connection = replace(connection, function_id="0a1b-2c3d", function_version_id="9f")
    monkeypatch.setenv(API_KEY_VARIABLE, f" {KEY}\n")
    animate(LINE, CALM, connection)
    health(connection)
    for carried in server.metadata:
        assert carried["authorization"] == f"Bearer {KEY}"
        assert (carried["function-id"], carried["function-version-id"]) == ("0a1b-2c3d", "9f")
    assert len(server.metadata) == 2


def test_a_connection_without_the_key_never_sends_it(monkeypatch):
    monkeypatch.setenv(API_KEY_VARIABLE, KEY)
    assert Connection("localhost:1", tls=True).metadata()
    assert not Connection("localhost:1", tls=True, with_key=False).metadata()
    assert not Connection("elsewhere.example:1", with_key=False).metadata()


def test_without_key_and_function_id_there_is_no_metadata(start_a2f):
    server = start_a2f()
    animate(LINE, CALM, server.target)
    assert not {"authorization", "function-id", "function-version-id"} & set(server.metadata[0])


def test_the_key_is_not_sent_where_it_could_be_read(monkeypatch):
    monkeypatch.setenv(API_KEY_VARIABLE, KEY)
    with pytest.raises(Audio2FaceError, match=f"the key in {API_KEY_VARIABLE} is not sent without TLS") as caught:
        animate(LINE, CALM, "render-farm.invalid:52000")
    assert KEY not in str(caught.value)


def test_an_audio2face_on_this_machine_is_called_without_the_key(start_a2f, monkeypatch):
    monkeypatch.setenv(API_KEY_VARIABLE, KEY)
    server = start_a2f()
    animate(LINE, CALM, server.target)
    assert "authorization" not in server.metadata[0]


@pytest.mark.parametrize("key", ["se\ncret", "se cret", "schlüssel", "x" * 5000])
def test_what_cannot_be_a_key_is_refused_and_not_quoted(monkeypatch, key):
    monkeypatch.setenv(API_KEY_VARIABLE, key)
    with pytest.raises(Audio2FaceError, match="holds characters that no key has") as caught:
        Connection("localhost:1", tls=True).metadata()
    assert key not in str(caught.value)


def test_a_key_that_is_turned_down_appears_in_no_message(secure, monkeypatch, caplog, capfd):
    def turn_away(_):
        raise RefusedError(f"unknown key {KEY}", grpc.StatusCode.UNAUTHENTICATED)
        yield

    monkeypatch.setenv(API_KEY_VARIABLE, KEY)
    _, connection = secure(spoil=turn_away)
    with pytest.raises(Audio2FaceError, match=rf"\(unknown key …\); put a key .* {API_KEY_VARIABLE}$") as caught:
        animate(LINE, CALM, connection)
    printed = capfd.readouterr()
    for text in (str(caught.value), repr(caught.value), repr(connection), caplog.text, printed.out, printed.err):
        assert KEY not in text


def test_the_key_is_no_part_of_a_connection():
    assert {field.name for field in fields(Connection)} == {
        *("target", "tls", "root_certificate", "client_certificate", "client_key"),
        *("function_id", "function_version_id", "with_key"),
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"root_certificate": "a.pem"}, "of use with TLS alone"),
        ({"client_certificate": "a.pem", "client_key": "a.key"}, "of use with TLS alone"),
        ({"tls": True, "client_certificate": "a.pem"}, "go together; name both files"),
        ({"tls": True, "client_key": "a.key"}, "go together; name both files"),
        ({"function_id": "a b"}, "'a b' is no function id"),
        ({"function_id": "a\n"}, "is no function id"),
        ({"function_id": ""}, "is no function id"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments, words):
    with pytest.raises(Audio2FaceError, match=words):
        Connection("localhost:1", **arguments)


@pytest.mark.parametrize(
    ("root", "certificate", "key", "words"),
    [
        ("missing.pem", None, None, "missing.pem: is no certificate or key"),
        (".", None, None, "is no certificate or key; name a PEM file"),
        ("client.key", None, None, r"client.key: cannot be used for TLS \(.*\); name PEM files"),
        ("service.key", "client.pem", "client.key", "service.key: cannot be used for TLS"),
        ("authority.pem", "client.pem", "stranger.key", r"stranger.key: cannot be used .*key values mismatch"),
        ("authority.pem", "client.pem", "authority.pem", "authority.pem: cannot be used for TLS"),
        ("authority.pem", "client.pem", "locked.key", "locked.key: cannot be used for TLS .* have no password"),
    ],
)
def test_certificates_that_cannot_be_used_are_named_before_anybody_is_called(
    certificates, root, certificate, key, words
):
    paths = [certificates.path(name) if name else None for name in (root, certificate, key)]
    with pytest.raises(Audio2FaceError, match=words) as caught:
        animate(LINE, CALM, Connection("localhost:1", True, *paths))
    assert "\n" not in str(caught.value)


def test_a_file_too_large_for_a_certificate_is_not_read(tmp_path):
    (tmp_path / "huge.pem").write_bytes(b"x" * (connection_module.MAX_CERTIFICATE_BYTES + 1))
    with pytest.raises(Audio2FaceError, match="is no certificate or key"):
        Connection("localhost:1", tls=True, root_certificate=str(tmp_path / "huge.pem")).credentials()


def test_pings_are_rarer_than_what_servers_hang_up_on():
    options = dict(OPTIONS)
    assert options["grpc.keepalive_time_ms"] > 5 * 60 * 1000
    assert options["grpc.keepalive_permit_without_calls"] == 0


def unavailable(times: int) -> a2f_server.Spoil:
    """Turn the first calls away, then behave."""
    left = [times]

    def spoil(answer):
        left[0] -= 1
        if left[0] >= 0:
            raise RefusedError("warming up", grpc.StatusCode.UNAVAILABLE)
        yield from answer

    return spoil


@pytest.mark.slow
def test_a_call_that_finds_nobody_is_tried_again_with_growing_waits(start_a2f):
    server = start_a2f(spoil=unavailable(len(RETRY_WAITS_SECONDS)))
    started = time.monotonic()
    assert len(animate(LINE, CALM, server.target).times) == 15
    assert time.monotonic() - started >= sum(RETRY_WAITS_SECONDS)
    assert len(server.metadata) == len(RETRY_WAITS_SECONDS) + 1
    assert sorted(RETRY_WAITS_SECONDS) == list(RETRY_WAITS_SECONDS)
    assert sum(RETRY_WAITS_SECONDS) < 3


def test_a_service_that_comes_up_meanwhile_is_found(start_a2f):
    early = a2f_server.A2FServer()
    early.stop()
    later = threading.Timer(0.5, lambda: start_a2f(listen=early.target))
    later.start()
    assert len(animate(LINE, CALM, early.target).times) == 15
    later.join()


def test_it_is_given_up_in_the_end(start_a2f, monkeypatch):
    monkeypatch.setattr(animate_module, "RETRY_WAITS_SECONDS", (0.01, 0.02))
    server = start_a2f(spoil=unavailable(10))
    with pytest.raises(Audio2FaceError, match="warming up"):
        animate(LINE, CALM, server.target)
    assert len(server.metadata) == 3


def test_waits_end_with_the_time_that_a_user_would_wait(start_a2f):
    server = start_a2f(spoil=unavailable(10))
    with pytest.raises(Audio2FaceError, match="warming up"):
        animate(LINE, CALM, server.target, timeout_seconds=0.5)
    assert len(server.metadata) <= 2


@pytest.mark.parametrize("frames", [0, 5])
def test_nothing_is_tried_again_once_there_was_an_answer(start_a2f, frames):
    def spoil(answer):
        yield next(answer)
        yield from a2f_server.after_frames(frames, leave)(answer)

    def leave(_):
        raise RefusedError("gone", grpc.StatusCode.UNAVAILABLE)
        yield

    server = start_a2f(spoil=spoil)
    with pytest.raises(Audio2FaceError, match=f"in the middle of the answer, after {frames} frames"):
        animate(LINE, CALM, server.target)
    assert len(server.metadata) == 1


@pytest.mark.parametrize("code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_other_refusals_are_final(start_a2f, code):
    def refuse(_):
        raise RefusedError("no", code)
        yield

    server = start_a2f(spoil=refuse)
    with pytest.raises(Audio2FaceError):
        animate(LINE, CALM, server.target)
    assert len(server.metadata) == 1


@pytest.mark.parametrize("state", ["SERVING", "NOT_SERVING", "UNKNOWN", "SERVICE_UNKNOWN"])
def test_the_health_is_what_the_service_says(start_a2f, state):
    assert health(Connection(start_a2f(health=state).target)) == state


def test_a_service_that_cannot_be_asked_for_its_health_is_told_from_one_that_is_ill(start_a2f):
    assert health(Connection(start_a2f(health=None).target)) == "NO_HEALTH_SERVICE"


def test_health_over_tls(secure):
    assert health(secure(mutual=True)[1]) == "SERVING"


def answering(respond) -> tuple[grpc.Server, Connection]:
    server = grpc.server(ThreadPoolExecutor(1))
    method = grpc.unary_unary_rpc_method_handler(respond)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, Connection(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("answer", "expected"), [(b"", "UNKNOWN"), (b"\x08\x63", "UNKNOWN"), (b"\x08\x02", "NOT_SERVING")]
)
def test_health_of_numbers_that_nobody_knows_is_unknown(answer, expected):
    server, connection = answering(lambda *_: answer)
    assert health(connection) == expected
    server.stop(None)


def test_an_answer_that_is_no_health_is_one_sentence():
    server, connection = answering(lambda *_: b"\xff\xff\xff")
    with pytest.raises(Audio2FaceError, match="its answer is no health; check the address"):
        health(connection)
    server.stop(None)


def test_a_service_that_does_not_answer_about_its_health_is_given_up():
    over = threading.Event()
    server, connection = answering(lambda *_: over.wait(5) and b"")
    with pytest.raises(Audio2FaceError, match=r"says nothing about its health for 0\.2 s"):
        health(connection, timeout_seconds=0.2)
    over.set()
    server.stop(None)


def test_the_health_of_nobody_is_one_sentence():
    with pytest.raises(Audio2FaceError, match="no Audio2Face answers there"):
        health(Connection("127.0.0.1:1"))
