"""A line goes through the service to Audio2Face, and its animation comes back as a file."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from a2f_server import SilentError
from service import PATIENCE_SECONDS, method

import dser_ext
from dser_ext import messages
from dser_ext.audio import read
from dser_ext.audio2face.animate import animate
from dser_ext.audio2face.connection import API_KEY_VARIABLE
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.formats import save_animation
from dser_ext.formats.track_json import Performance
from dser_ext.server.limits import ServiceLimits
from dser_ext.transfer import keys_messages

SOUND = dser_ext.sample_line().read_bytes()
CALM = Keyframes(np.zeros(1), np.zeros((1, 10), np.float32))


def requests(target: str, **options) -> Iterator:
    options = {"target": target, "recognition": {"name": "three.ogg"}, **options}
    yield messages.PushRequest(options=messages.PushOptions(**options), audio=SOUND[:9999])
    yield messages.PushRequest(audio=SOUND[9999:])


def push(target: str, messages_: Iterator) -> list:
    with grpc.insecure_channel(target) as channel:
        return list(method(channel, "Push")(messages_, timeout=PATIENCE_SECONDS))


def test_the_animation_is_that_of_the_python_api(running_service, start_a2f, tmp_path):
    a2f = start_a2f()
    answer = push(running_service.target, requests(a2f.target))
    keys = Performance.of(dser_ext.recognize(dser_ext.sample_line())).keyframes
    ours = animate(read(dser_ext.sample_line()), keys, start_a2f().target)
    save_animation(ours, tmp_path / "ours.json", track_path="three.ogg")
    assert json.loads(b"".join(part.animation for part in answer)) == json.loads((tmp_path / "ours.json").read_text())


def test_keys_that_are_given_are_sent_and_nothing_is_recognised(running_service, start_a2f):
    a2f = start_a2f()
    (keys,) = keys_messages(CALM)
    answer = push(running_service.target, requests(a2f.target, keys=keys, format="a2f-csv"))
    assert b"".join(part.animation for part in answer).startswith(b",timeCode,")
    stages = {part.progress.stage for part in answer if part.HasField("progress")}
    assert stages <= {messages.Progress.STAGE_ANIMATING}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"target": "nowhere"}, "options.target"),
        ({"format": "exe"}, "options.format"),
        ({"settings": "a: [1"}, "options.settings"),
        ({"recognition": {"voice": b"noise"}}, "options.recognition.voice"),
        ({"recognition": {"presentation": {"style": "?"}}}, "options.recognition.presentation.style"),
        ({"function_id": "a b"}, "options.target"),
        ({"target": "127.0.0.1:9"}, "options.target"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(running_service, options, field, violations):
    with pytest.raises(grpc.RpcError) as caught:
        push(running_service.target, requests(**{"target": "127.0.0.1:9", **options}))
    assert [violation.field for violation in violations(caught.value)] == [field]


def test_a_service_that_others_reach_pushes_only_where_it_may(start_service, start_a2f):
    a2f = start_a2f()
    running = start_service(push_targets=(a2f.target,))
    assert push(running.target, requests(a2f.target))
    with pytest.raises(grpc.RpcError, match="pushes to") as caught:
        push(running.target, requests("10.0.0.1:52000"))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.slow
def test_the_operators_key_goes_only_where_the_operator_says(start_service, running_service, monkeypatch):
    """What would be sent without TLS tells whether it would be sent: then the call is refused."""
    monkeypatch.setenv(API_KEY_VARIABLE, "a-key-that-is-secret")
    named = start_service(push_targets=("nowhere.invalid:9",))
    (keys,) = keys_messages(CALM)
    with pytest.raises(grpc.RpcError, match="is not sent without TLS"):
        push(named.target, requests("nowhere.invalid:9", keys=keys))
    with pytest.raises(grpc.RpcError) as caught:
        push(running_service.target, requests("nowhere.invalid:9", keys=keys))
    assert API_KEY_VARIABLE not in caught.value.details()


def test_a_line_that_is_too_long_for_memory_is_refused(start_service, start_a2f, violations):
    running, (keys,) = start_service(ServiceLimits(push_seconds=5)), keys_messages(CALM)
    a2f = start_a2f()
    with pytest.raises(grpc.RpcError, match="more than 5 s") as caught:
        push(running.target, requests(a2f.target, keys=keys))
    assert [violation.field for violation in violations(caught.value)] == ["audio"]
    assert not a2f.requests


def test_who_hangs_up_stops_audio2face_too(running_service, start_a2f):
    ended = threading.Event()

    def stall(answer):
        yield next(answer)
        try:
            raise SilentError
        finally:
            ended.set()

    a2f = start_a2f(spoil=stall)
    (keys,) = keys_messages(CALM)
    with grpc.insecure_channel(running_service.target) as channel:
        call = method(channel, "Push")(requests(a2f.target, keys=keys), timeout=PATIENCE_SECONDS)
        next(call)
        call.cancel()
    until = time.monotonic() + PATIENCE_SECONDS
    while running_service.running and time.monotonic() < until:
        time.sleep(0.05)
    assert not running_service.running
    assert ended.wait(PATIENCE_SECONDS)
