"""Both clients give what the Python API gives, say what went wrong, and try again only where that is safe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile

import dser_ext
from dser_ext import errors
from dser_ext.client import (
    Address,
    AsyncClient,
    Client,
    Export,
    GetModel,
    LearnVoice,
    ListModels,
    Live,
    Push,
    Recognize,
)
from dser_ext.client.requests import Frames, Presentation, Request, Started
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.recognition.voice import VoiceProfile
from dser_ext.server.door import Door
from dser_ext.server.limits import ServiceLimits

LINE = dser_ext.sample_line()
VOICE = sorted((LINE.parent / "voice").glob("*.ogg"))
Call = Callable[..., Any]


def blocking(target: Address | str, request: Request[Any], **more: Any) -> Any:
    with Client(target) as client:
        return client.call(request, **more)


def awaited(target: Address | str, request: Request[Any], **more: Any) -> Any:
    async def call() -> Any:
        async with AsyncClient(target) as client:
            return await client.call(request, **more)

    return asyncio.run(call())


both = pytest.mark.parametrize("call", [blocking, awaited])


@both
def test_a_file_gives_what_the_python_api_gives(call: Call, target: str) -> None:
    line = call(target, Recognize(LINE, waveform_bins=9))
    ours = dser_ext.recognize(LINE)
    np.testing.assert_array_equal(line.track.concentration, ours.concentration)
    assert line.track.audio == ours.audio
    assert len(line.waveform.low) == 9
    assert "without a voice" in line.notes[0]


@pytest.mark.parametrize("kind", ["float32", "float64", "int16", "int32"])
def test_samples_give_what_the_python_api_gives(target: str, kind: str) -> None:
    samples, rate = soundfile.read(LINE, dtype=kind)
    line = blocking(target, Recognize(samples, rate))
    np.testing.assert_allclose(line.track.mean, dser_ext.recognize(samples, rate).mean, atol=1e-5)


@pytest.mark.slow
@both
def test_progress_is_told_while_a_line_is_long(call: Call, target: str) -> None:
    samples, rate = soundfile.read(LINE, dtype="float32")
    told: list[tuple[str, float, float]] = []
    call(target, Recognize(np.tile(samples, 12), rate), report=lambda *progress: told.append(progress))
    heard = [seconds for stage, seconds, _ in told if stage == "hearing"]
    assert heard == sorted(heard)
    assert heard[-1] > 4


@both
def test_a_voice_is_learned_grown_and_used(call: Call, target: str) -> None:
    first = call(target, LearnVoice(VOICE[:1], name="hero"))
    learned = call(target, LearnVoice(VOICE[1:], voice=first.voice))
    assert learned.info.lines == len(VOICE)
    line = call(target, Recognize(LINE, voice=learned.voice))
    voice = VoiceProfile.from_bytes(learned.voice, "answer")
    np.testing.assert_allclose(line.track.mean, dser_ext.recognize(LINE, voice=voice).mean, atol=1e-5)


@both
def test_a_track_becomes_a_file(call: Call, target: str, tmp_path) -> None:
    track = dser_ext.recognize(LINE)
    data = call(target, Export(track, "json", Presentation("expressive", 24.0, 0.05)))
    dser_ext.save(track, tmp_path / "ours.json", style="expressive", fps=24.0, tolerance=0.05)
    assert data == (tmp_path / "ours.json").read_bytes()


@both
def test_a_line_is_animated(call: Call, target: str, start_a2f) -> None:
    calm = Keyframes(np.zeros(1), np.zeros((1, 10), np.float32))
    a2f = start_a2f()
    push = Push(Recognize(LINE), a2f.target, format="a2f-csv", keys=calm, function_id="one", function_version_id="two")
    pushed = call(target, push)
    assert pushed.animation.startswith(b",timeCode,")
    assert pushed.notes == []
    assert {"function-id": "one", "function-version-id": "two"}.items() <= a2f.metadata[-1].items()


@both
def test_a_pushed_line_without_speech_is_noted(call: Call, target: str, start_a2f) -> None:
    pushed = call(target, Push(Recognize(np.zeros(16_000, np.float32), 16_000), start_a2f().target))
    assert any("no speech" in note for note in pushed.notes)


@both
def test_models_can_be_asked_for(call: Call, target: str) -> None:
    (model,) = call(target, ListModels())
    assert model.name == "dser-base"
    found = call(target, GetModel())
    assert (found.info, found.device) == (model, "cpu")
    assert found.card["name"] == "dser-base"


def test_a_live_line_comes_back_while_it_is_spoken(target: str) -> None:
    samples, rate = soundfile.read(LINE, dtype="float32")
    pieces = [samples[start : start + 1600] for start in range(0, 2 * rate, 1600)]
    with Client(target) as client:
        started, *frames = client.stream(Live(rate, look_ahead_seconds=0.6), iter(pieces))
    assert isinstance(started, Started)
    assert started.latency_seconds == pytest.approx(0.82)
    assert isinstance(frames[0], Frames)
    assert frames[0].first == 0
    again = asyncio.run(live(target, rate, pieces))
    assert len(again) == len(frames)
    for one, other in zip(frames, again, strict=True):
        assert one.first == other.first
        np.testing.assert_array_equal(one.concentration, other.concentration)
    assert sum(len(part.concentration) for part in again) == 100


async def live(target: str, rate: int, pieces: list[np.ndarray]) -> list[Any]:
    async def spoken() -> Any:
        for piece in pieces:
            yield piece

    async with AsyncClient(target) as client:
        _, *frames = [part async for part in client.stream(Live(rate, look_ahead_seconds=0.6), spoken())]
    return frames


@both
@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        (Recognize("missing.wav"), errors.AudioError, "missing.wav: is no file"),
        (Recognize(__file__), errors.AudioError, "test_client.py: "),
        (Recognize(LINE, voice=b"no"), errors.VoiceError, "not a voice profile"),
        (Recognize(LINE, model="no"), errors.ServiceError, "no such model"),
        (Recognize(LINE, presentation=Presentation("no")), errors.FormatError, "style 'no' is none"),
        (Recognize(np.zeros(9)), errors.AudioError, "sample_rate"),
        (Push(Recognize(LINE), "nowhere"), errors.Audio2FaceError, "no address"),
        (LearnVoice(["missing.wav"]), errors.AudioError, "is no file"),
    ],
)
def test_what_goes_wrong_is_said_as_the_python_api_says_it(call, target, request_, kind, words) -> None:
    with pytest.raises(kind, match=words) as caught:
        call(target, request_)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@both
def test_nobody_there_is_said_after_some_tries(call: Call) -> None:
    start = time.monotonic()
    with pytest.raises(errors.ServiceError, match="no service answers there"):
        call("127.0.0.1:9", ListModels(), timeout_seconds=2)
    assert 0.1 < time.monotonic() - start < 3


@pytest.mark.slow
@both
def test_a_service_without_room_is_asked_again(call: Call, start_service) -> None:
    full = start_service(ServiceLimits(calls=0, drain_seconds=5))
    start = time.monotonic()
    with pytest.raises(errors.ServiceError, match="has 0 calls already"):
        call(full.target, ListModels(), timeout_seconds=1.5)
    assert time.monotonic() - start > 1  # the service asked for a second


@both
def test_a_token_is_asked_for_and_shown_to_nobody(call: Call, start_service, monkeypatch) -> None:
    closed = start_service(door=Door("127.0.0.1:0", token="secret"))
    with pytest.raises(errors.ServiceError, match="a token is needed"):
        call(closed.target, ListModels())
    assert call(Address(closed.target, token="secret"), ListModels())
    monkeypatch.setenv("DSER_TOKEN", "secret")
    assert call(closed.target, ListModels())
    assert "secret" not in repr(Address(closed.target))


@pytest.mark.parametrize("host", ["service.invalid", "127.service.invalid", "localhost.invalid", "10.0.0.1"])
def test_a_token_does_not_leave_the_machine_in_the_open(host: str) -> None:
    with pytest.raises(errors.ServiceError, match="without TLS"):
        Address(f"{host}:50061", token="secret")
    assert Address("service.invalid:50061", tls=True, token="secret").metadata()


@pytest.mark.parametrize("wrong", ["", "nowhere", "http://a:1", "a:b", "a:1:2 "])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(errors.ServiceError, match="is no address"):
        Address(wrong)


def test_a_task_that_is_cancelled_ends_its_call(start_service) -> None:
    running = start_service()
    samples, rate = soundfile.read(LINE, dtype="float32")

    async def cancelled() -> None:
        async with AsyncClient(running.target) as client:
            task = asyncio.ensure_future(client.call(Recognize(np.tile(samples, 100), rate)))
            while not running.running:
                await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelled())
    until = time.monotonic() + 5
    while running.running and time.monotonic() < until:
        time.sleep(0.02)
    assert not running.running
