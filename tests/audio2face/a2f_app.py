"""A stand-in for the Omniverse Audio2Face app on loopback: its REST service, and its streaming player over gRPC.

Envelopes, endpoints and the rule that numbers must be JSON floats are those of public clients. What the app does with
an emotion that is set at a frame is documented nowhere, so the keyframer comes in several kinds: see KEYFRAMERS.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from dser_ext.audio2face import protocol
from dser_ext.emotion.names import A2F_EMOTIONS

FACE = "/World/audio2face/CoreFullface"
PLAYER = "/World/audio2face/Player"
STREAMING = "/World/audio2face/PlayerStreaming"
KEYFRAMERS = ("adds", "holds", "whole seconds", "lacks", "forgets")
"""What becomes of an emotion set at a frame: a key; the value held everywhere; a key at the second before; there is no
call to list keys; or a key, but the value is lost."""

Emotions = dict[str, float]
Fault = Callable[["A2FApp", BaseHTTPRequestHandler], bool]
"""Called with every request that is about to be answered; True where it has dealt with it."""


class RefusedError(Exception):
    """Answered with status ERROR and these words."""


class InvalidError(Exception):
    """Answered with HTTP 422, as the framework beneath the app does with arguments of a wrong type."""


class WholeNumber(int):
    """A number that came as 1 and not as 1.0."""


@dataclass
class A2FApp:
    """A running app with a scene open. `url` is its address; `calls` holds the paths of all requests but /status."""

    keyframer: str = "adds"
    keys: dict[float, Emotions] = field(default_factory=dict)
    faces: list[str] = field(default_factory=lambda: [FACE])
    players: list[str] = field(default_factory=lambda: [PLAYER])
    streaming: list[str] = field(default_factory=lambda: [STREAMING])
    settings: dict[str, Any] = field(default_factory=lambda: {"a2e_auto_generate": False, "keyframer_fps": 60.0})
    fault: Fault | None = None
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root, self.track, self.seconds = "", "", 0.0
        self.generated = 0
        self.held = dict.fromkeys(A2F_EMOTIONS, 0.0)
        app = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                app._handle(self, {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                app._handle(self, json.loads(body, parse_int=WholeNumber))

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _handle(self, request: BaseHTTPRequestHandler, arguments: dict[str, Any]) -> None:
        if request.path == "/status":
            send(request, 200, b'"OK"')
            return
        self.calls.append(request.path)
        if self.fault is not None and self.fault(self, request):
            return
        call = CALLS.get((request.command, request.path))
        if call is None or (self.keyframer == "lacks" and request.path == "/A2F/A2E/GetKeys"):
            send(request, 404, b'{"detail":"Not Found"}')
            return
        try:
            if _whole_numbers(arguments):
                raise InvalidError("value is not a valid float")
            answer = {"status": "OK", "result": call(self, arguments), "message": "Succeeded"}
        except InvalidError as error:
            send(request, 422, json.dumps({"detail": [{"msg": str(error)}]}).encode())
            return
        except RefusedError as error:
            answer = {"status": "ERROR", "message": str(error)}
        send(request, 200, json.dumps(answer).encode())

    def value(self, seconds: float) -> Emotions:
        """What the face feels at a time: linear between keys, the held value where there are none."""
        if not self.keys:
            return self.held
        times = sorted(self.keys)
        return {name: float(np.interp(seconds, times, [self.keys[at][name] for at in times])) for name in A2F_EMOTIONS}

    def get_instances(self, _: Any) -> Any:
        return {"fullface_instances": self.faces, "regular_instances": []}

    def get_players(self, _: Any) -> Any:
        return {"regular": self.players, "streaming": self.streaming}

    def set_root(self, given: Any) -> None:
        self._known(given["a2f_player"], self.players)
        if not Path(given["dir_path"]).is_dir():
            raise RefusedError(f"{given['dir_path']} is no directory")
        self.root = given["dir_path"]

    def get_tracks(self, given: Any) -> Any:
        self._known(given["a2f_player"], self.players)
        return sorted(path.name for path in Path(self.root).iterdir() if path.suffix == ".wav")

    def get_current_track(self, given: Any) -> Any:
        assert given["a2f_player"]
        return self.track or None

    def set_track(self, given: Any) -> None:
        self._known(given["a2f_player"], self.players)
        self.track = given["file_name"]
        if self.settings.get("a2e_auto_generate"):
            self.generated += 1
            self.keys = {0.0: {**self.held, "anger": 1.0}}

    def get_settings(self, given: Any) -> Any:
        self._known(given["a2f_instance"], self.faces)
        if missing := [name for name in given["settings"] if name not in self.settings]:
            raise RefusedError(f"no setting {missing[0]}")
        return {name: self.settings[name] for name in given["settings"]}

    def enable_auto_generate(self, given: Any) -> None:
        self._known(given["a2f_instance"], self.faces)
        self.settings["a2e_auto_generate"] = given["enable"]

    def set_frame(self, given: Any) -> None:
        self.seconds = self._seconds(given)

    def get_keys(self, given: Any) -> Any:
        assert given["as_timestamps"] is True
        return sorted(self.keys)

    def remove_keys(self, given: Any) -> None:
        assert given["as_timestamps"] is True
        for seconds in given["keys"]:
            self.keys.pop(seconds, None)

    def get_emotion(self, given: Any) -> Any:
        assert given["as_vector"] is False
        return self.value(self._seconds(given))

    def set_emotion(self, given: Any) -> None:
        self._known(given["a2f_instance"], self.faces)
        emotions = dict.fromkeys(A2F_EMOTIONS, 0.0) | given["emotions"]
        if len(emotions) > len(A2F_EMOTIONS):
            raise RefusedError("no such emotion")
        if self.keyframer == "holds":
            self.held = emotions
        elif self.keyframer == "whole seconds":
            self.keys[float(int(self.seconds))] = emotions
        else:
            self.keys[self.seconds] = self.held if self.keyframer == "forgets" else emotions

    def _seconds(self, given: Any) -> float:
        self._known(given["a2f_instance"], self.faces)
        assert given["as_timestamp"] is True
        return round(given["frame"] * 60) / 60

    def _known(self, path: str, paths: list[str]) -> None:
        if path not in paths:
            raise RefusedError(f"{path} does not exist")


CALLS: dict[tuple[str, str], Callable[[A2FApp, Any], Any]] = {
    ("GET", "/A2F/GetInstances"): A2FApp.get_instances,
    ("GET", "/A2F/Player/GetInstances"): A2FApp.get_players,
    ("POST", "/A2F/Player/SetRootPath"): A2FApp.set_root,
    ("POST", "/A2F/Player/GetTracks"): A2FApp.get_tracks,
    ("POST", "/A2F/Player/SetTrack"): A2FApp.set_track,
    ("POST", "/A2F/Player/GetCurrentTrack"): A2FApp.get_current_track,
    ("POST", "/A2F/GetSettings"): A2FApp.get_settings,
    ("POST", "/A2F/SetFrame"): A2FApp.set_frame,
    ("POST", "/A2F/A2E/EnableAutoGenerateOnTrackChange"): A2FApp.enable_auto_generate,
    ("POST", "/A2F/A2E/GetKeys"): A2FApp.get_keys,
    ("POST", "/A2F/A2E/RemoveKeys"): A2FApp.remove_keys,
    ("POST", "/A2F/A2E/GetEmotion"): A2FApp.get_emotion,
    ("POST", "/A2F/A2E/SetEmotionByName"): A2FApp.set_emotion,
}


def _whole_numbers(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(_whole_numbers(inner) for inner in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, WholeNumber)


def send(request: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    """Answer one request."""
    request.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


def at_call(path: str, count: int, fault: Fault) -> Fault:
    """The fault from the count-th request for this path on (1 is the first), all good until then."""

    def judge(app: A2FApp, request: BaseHTTPRequestHandler) -> bool:
        return request.path == path and app.calls.count(path) >= count and fault(app, request)

    return judge


def die(app: A2FApp, request: BaseHTTPRequestHandler) -> bool:
    """Stop answering anybody, in the middle of this request."""
    app._http.socket.close()
    request.connection.close()
    app.fault = lambda _, later: later.connection.close() is None
    return True


@dataclass
class Player:
    """A streaming player. `target` is its address; `starts` and `sound` hold what came in."""

    instance: str = STREAMING
    answer: Callable[[Any], None] | None = None
    """Called with the gRPC context once the sound is in; may abort or block."""
    starts: list[Any] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._grpc = grpc.server(ThreadPoolExecutor(2))
        method = grpc.stream_unary_rpc_method_handler(
            self._push, protocol.PushAudioStreamRequest.FromString, protocol.PushAudioStreamResponse.SerializeToString
        )
        service = grpc.method_handlers_generic_handler(protocol.PLAYER_SERVICE, {"PushAudioStream": method})
        self._grpc.add_generic_rpc_handlers((service,))
        self.target = f"127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"
        self._grpc.start()

    def stop(self) -> None:
        self._grpc.stop(None).wait(5)

    @property
    def sound(self) -> np.ndarray:
        return np.frombuffer(b"".join(self.pieces), "<f4")

    def _push(self, incoming: Iterator[Any], context: Any) -> Any:
        for number, message in enumerate(incoming):
            if (message.WhichOneof("streaming_request") == "start_marker") != (number == 0):
                return protocol.PushAudioStreamResponse(success=False, message="the start marker comes first and once")
            if number == 0:
                self.starts.append(message.start_marker)
            else:
                self.pieces.append(message.audio_data)
        if self.answer is not None:
            self.answer(context)
        if self.starts[-1].instance_name != self.instance:
            return protocol.PushAudioStreamResponse(success=False, message="Unable to find\nthe instance")
        return protocol.PushAudioStreamResponse(success=True)
