"""Whatever answers where the older app should be, the user reads one sentence, and soon."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import a2f_app
import pytest

from dser_ext.audio2face.rest import MAX_REPLY_BYTES, NoSuchCallError, RefusedError, Rest
from dser_ext.errors import Audio2FaceError

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def raw_server(serve: Callable[[socket.socket], object]) -> Iterator[str]:
    """Something that does this with every connection once a request is in; its URL."""

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.recv(10_000)
                    serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def complaint(url: str, message: str, timeout_seconds: float = 5) -> None:
    started = time.monotonic()
    with pytest.raises(Audio2FaceError, match=message) as caught:
        Rest(url, timeout_seconds).check()
    assert time.monotonic() - started < timeout_seconds + 1
    assert str(caught.value).startswith(f"{url}: ")
    assert str(caught.value).isprintable()
    assert "; " in str(caught.value)  # what is wrong; what to do


def test_an_app_that_is_ready_is_one(start_app):
    Rest(start_app().url, 5).check()
    Rest(start_app().url.removeprefix("http://") + "/", 5).check()


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    complaint(url, r"no Audio2Face app answers there \(Connection refused\)")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b"])
def test_the_host_does_not_exist(host):
    complaint(f"http://{host}:8011", "no such host")


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 9\r\n\r\n<html></>",
        OK + b"Content-Length: 99\r\n\r\n{}",
        OK + b'Content-Length: 7\r\n\r\n"READY"',
        OK + b"Content-Length: 2\r\n\r\n\xff\xfe",
        OK + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        OK + b"\r\n" + b"[" * 100_000,
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/status\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
    ids=["web page", "cut off", "not ready", "no text", "bad chunk", "deep", "elsewhere", "no HTTP"],
)
def test_something_else_listens(answer):
    with raw_server(lambda connection: connection.sendall(answer)) as url:
        complaint(url, "what listens there is not the Audio2Face app")


def test_a_web_server_without_the_call_listens():
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    with raw_server(lambda connection: connection.sendall(answer)) as url:
        complaint(url, "has no /status")


def test_a_connection_that_breaks_is_said():
    with raw_server(lambda _: None) as url:
        complaint(url, "the connection broke before /status was answered")


def test_an_answer_without_end_is_cut():
    def flood(connection):
        connection.sendall(OK + b"\r\n")
        while True:
            connection.sendall(b" " * 65_536)

    with raw_server(flood) as url:
        complaint(url, f"longer than {MAX_REPLY_BYTES // 1024**2} MiB")


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: ", OK + b"\r\n", OK + b"Content-Length: 999\r\n\r\n"])
def test_a_server_that_trickles_is_given_up_in_time(start):
    def trickle(connection):
        connection.sendall(start)
        while start:
            connection.sendall(b" ")
            time.sleep(0.05)
        connection.recv(1)  # silence

    with raw_server(trickle) as url:
        complaint(url, "has not answered /status within 0.3 s", timeout_seconds=0.3)


@pytest.mark.parametrize(
    "url", ["", "localhost:port", "https://localhost:8011", "http://localhost:0", "http://a/b", "http://u@h:1", "a b"]
)
def test_an_address_must_be_one(url):
    with pytest.raises(Audio2FaceError, match="write http://HOST:PORT"):
        Rest(url, 1)


def test_the_port_is_the_usual_one_unless_named():
    assert Rest("http://[::1]", 1).url == "http://[::1]:8011"


def test_an_error_is_quoted_as_one_short_line(start_app):
    def rant(_, request):
        said = {"status": "ERROR", "message": "no\r\n\x1b[31m" * 400}
        a2f_app.send(request, 200, json.dumps(said).encode())
        return True

    rest = Rest(start_app(fault=rant).url, 5)
    with pytest.raises(RefusedError, match=r"reports an error from /A2F/GetInstances: no \[31mno") as caught:
        rest.get("/A2F/GetInstances")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("message", [None, "", 7])
def test_an_error_without_a_reason_is_said_to_have_none(start_app, message):
    def refuse(_, request):
        a2f_app.send(request, 200, json.dumps({"status": "ERROR", "message": message}).encode())
        return True

    with pytest.raises(RefusedError, match=r"(no reason|: 7);"):
        Rest(start_app(fault=refuse).url, 5).get("/A2F/GetInstances")


def test_numbers_must_be_floats(start_app):
    rest = Rest(start_app().url, 5)
    place = {"a2f_instance": a2f_app.FACE, "as_timestamp": True}
    with pytest.raises(RefusedError, match=r"refuses /A2F/SetFrame with HTTP 422 \(.*not a valid float"):
        rest.post("/A2F/SetFrame", frame=1, **place)
    rest.post("/A2F/SetFrame", frame=1.0, **place)


def test_a_call_that_the_app_does_not_know_is_told_apart(start_app):
    with pytest.raises(NoSuchCallError, match="has no /A2F/A2E/AddKey"):
        Rest(start_app().url, 5).post("/A2F/A2E/AddKey")


def test_a_setting_that_is_not_told_is_none(start_app):
    rest = Rest(start_app().url, 5)
    assert rest.setting(a2f_app.FACE, "keyframer_fps") == 60
    assert rest.setting(a2f_app.FACE, "favourite_colour") is None
