"""The REST service of the Omniverse Audio2Face app: one call, the envelope of its answer, and what can go wrong."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any

from dser_ext.audio2face.answer import quoted
from dser_ext.errors import Audio2FaceError

USUAL_PORT = 8011
"""Where the app's REST service listens unless configured otherwise."""

MAX_REPLY_BYTES = 4 * 1024 * 1024
"""Far above a list of all keys of a long track."""

_URL = re.compile(r"(?:http://)?(\[[0-9A-Fa-f:.%]+\]|[\w.-]+)(?::(\d{1,5}))?/?", re.ASCII)


class RefusedError(Audio2FaceError):
    """The app is there and answers, but not with what was asked for."""


class NoSuchCallError(RefusedError):
    """The app does not know this endpoint."""


class Rest:
    """Calls to one app.

    url: "http://HOST:PORT". timeout_seconds: the longest that one call may take, above zero.
    Raises Audio2FaceError if the URL is none; its methods do if the app is not there, is something else, or hangs,
    RefusedError if it says no, and NoSuchCallError if it has no such endpoint.
    """

    def __init__(self, url: str, timeout_seconds: float) -> None:
        match = _URL.fullmatch(url)
        if not match or not 0 < int(match[2] or USUAL_PORT) < 65536:
            raise Audio2FaceError(
                f"{url!r} is no address of the Audio2Face app; write http://HOST:PORT, for example "
                f"http://localhost:{USUAL_PORT}"
            )
        self._host, self._port = match[1].strip("[]"), int(match[2] or USUAL_PORT)
        self.url = f"http://{match[1]}:{self._port}"
        self._timeout_seconds = timeout_seconds

    def check(self) -> None:
        """Raises Audio2FaceError unless the app says that it is ready."""
        if self._answer("GET", "/status", None) != "OK":
            raise self._stranger("its /status is not OK")

    def get(self, path: str) -> Any:
        """The result of a call without arguments."""
        return self._result(path, self._answer("GET", path, None))

    def post(self, path: str, **arguments: Any) -> Any:
        """The result of a call. Numbers must be floats: the app refuses 1 where it expects 1.0."""
        return self._result(path, self._answer("POST", path, json.dumps(arguments, allow_nan=False).encode()))

    def setting(self, instance: str, name: str) -> Any:
        """A setting of an instance, None where the app does not tell."""
        try:
            found = self.post("/A2F/GetSettings", a2f_instance=instance, settings=[name])
        except RefusedError:
            return None
        return found.get(name) if isinstance(found, dict) else None

    def nonsense(self, path: str, what: str) -> Audio2FaceError:
        """The error for an answer with the right envelope and the wrong content."""
        return Audio2FaceError(
            f"{self.url}: the answer to {path} is not what Audio2Face sends ({what}); check that an Audio2Face app of "
            "2022 or 2023, and one that works, listens there"
        )

    def _result(self, path: str, answer: Any) -> Any:
        status = answer.get("status") if isinstance(answer, dict) else None
        if status == "OK":
            return answer.get("result")
        if status != "ERROR":
            raise self.nonsense(path, "no status OK or ERROR")
        reason = quoted(str(answer.get("message") or "")) or "it gives no reason"
        raise RefusedError(
            f"{self.url}: Audio2Face reports an error from {path}: {reason}; put that right, or see its log, and "
            "try again"
        )

    def _answer(self, method: str, path: str, body: bytes | None) -> Any:
        """The JSON of an answer, as long as it says 200."""
        status, data = self._exchange(method, path, body)
        if status in (404, 405, 501):
            raise NoSuchCallError(
                f"{self.url}: what listens there has no {path}; start an Audio2Face app of 2022 or 2023, or name its "
                f"REST port (usually {USUAL_PORT})"
            )
        if 300 <= status < 400:
            raise self._stranger(f"it sends {path} elsewhere")
        if status != 200:
            reason = quoted(data.decode(errors="replace"))
            raise RefusedError(
                f"{self.url}: Audio2Face refuses {path} with HTTP {status} ({reason or 'it gives no reason'}); see "
                "its log, then try again"
            )
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._stranger(f"its answer to {path} is no JSON") from error

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        """One request on a connection of its own: status and content. Redirections are not followed."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_seconds)
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        deadline = _Deadline(self._timeout_seconds)
        try:
            with deadline:
                connection.connect()
                deadline.cuts(connection.sock)
                connection.request(method, path, body, headers)
                reply = connection.getresponse()
                data = reply.read(MAX_REPLY_BYTES + 1)
        except (socket.gaierror, UnicodeError) as error:
            raise Audio2FaceError(f"{self.url}: there is no such host; check the spelling of the address") from error
        except TimeoutError as error:
            raise Audio2FaceError(
                f"{self.url}: Audio2Face has not answered {path} within {self._timeout_seconds:g} s; see whether it "
                "hangs or is still loading, then try again"
            ) from error
        except OSError as error:
            raise self._broken(path, error, connected=deadline.watching) from error
        except (http.client.HTTPException, ValueError) as error:
            raise self._stranger(f"its answer to {path} is no whole HTTP") from error
        finally:
            connection.close()
        if len(data) > MAX_REPLY_BYTES:
            raise self._stranger(f"its answer to {path} is longer than {MAX_REPLY_BYTES // 1024**2} MiB")
        return reply.status, data

    def _broken(self, path: str, error: OSError, *, connected: bool) -> Audio2FaceError:
        reason = error.strerror or str(error)
        if not connected:
            return Audio2FaceError(
                f"{self.url}: no Audio2Face app answers there ({reason}); start it with its REST service, or name its "
                f"port (usually {USUAL_PORT})"
            )
        return Audio2FaceError(
            f"{self.url}: the connection broke before {path} was answered ({reason}); see whether Audio2Face still "
            "runs, then try again"
        )

    def _stranger(self, what: str) -> Audio2FaceError:
        return Audio2FaceError(
            f"{self.url}: what listens there is not the Audio2Face app ({what}); name the app's REST port (usually "
            f"{USUAL_PORT})"
        )


class _Deadline:
    """Cuts a connection when the time is over, and then raises TimeoutError.

    A socket's own timeout starts anew with every byte, so a server that trickles would hold us for ever.
    """

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._timer: threading.Timer | None = None

    @property
    def watching(self) -> bool:
        """Whether there is a connection to cut."""
        return self._timer is not None

    def cuts(self, connection: socket.socket) -> None:
        self._timer = threading.Timer(max(0.0, self._ends - time.monotonic()), _cut, [connection])
        self._timer.daemon = True
        self._timer.start()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if time.monotonic() >= self._ends and (error is None or isinstance(error, Exception)):
            raise TimeoutError from error


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
