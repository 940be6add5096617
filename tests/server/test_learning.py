"""A voice from lines that are sent is the one from lines on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import grpc
import numpy as np
import pytest
from service import PATIENCE_SECONDS, method

import dser_ext
from dser_ext import messages
from dser_ext.recognition.recognizer import loaded
from dser_ext.recognition.voice import VoiceProfile
from dser_ext.server.limits import ServiceLimits

LINES = [path.read_bytes() for path in sorted((dser_ext.sample_line().parent / "voice").glob("*.ogg"))]


def requests(lines: Iterable[bytes], **options) -> Iterator:
    yield messages.LearnVoiceRequest(options=messages.VoiceOptions(**options))
    for number, sound in enumerate(lines):
        yield messages.LearnVoiceRequest(line={"name": f"line {number}"}, audio=sound[:5000])
        for start in range(5000, len(sound), 9000):
            yield messages.LearnVoiceRequest(audio=sound[start : start + 9000])


def learn(target: str, messages_: Iterator):
    with grpc.insecure_channel(target) as channel:
        return method(channel, "LearnVoice")(messages_, timeout=PATIENCE_SECONDS)


def test_lines_sent_give_the_voice_of_lines_on_disk(running_service, tmp_path):
    for number, sound in enumerate(LINES):
        (tmp_path / f"{number}.ogg").write_bytes(sound)
    answer = learn(running_service.target, requests([*LINES, LINES[0]], name="hero"))
    voice = VoiceProfile.from_bytes(answer.voice, "answer")
    ours = loaded().voice(sorted(tmp_path.iterdir()), "hero")[0].profile
    np.testing.assert_allclose(voice.pieces, ours.pieces, rtol=1e-4)
    assert voice.info == ours.info
    assert (answer.info.name, answer.info.lines) == ("hero", len(LINES))
    assert answer.advice == (loaded().advice(ours) or "")
    assert not answer.warnings


def test_a_voice_grows(running_service):
    first = learn(running_service.target, requests(LINES[:1], name="hero"))
    both = learn(running_service.target, requests(LINES[1:2], voice=first.voice))
    assert (both.info.name, both.info.lines) == ("hero", 2)


def test_a_line_that_cannot_be_used_is_left_out_and_named(running_service):
    answer = learn(running_service.target, requests([b"no sound" * 99, LINES[0], b""]))
    assert answer.info.lines == 1
    assert [warning.partition(":")[0] for warning in answer.warnings] == ["line 0", "line 2"]


def test_a_line_in_no_known_encoding_is_left_out_like_any_other(running_service):
    odd = messages.LearnVoiceRequest(line={"name": "odd", "audio_format": {"pcm": {"encoding": 9}}}, audio=b"12")
    answer = learn(running_service.target, iter([*requests(LINES[:1]), odd]))
    assert answer.info.lines == 1
    assert [warning.partition(":")[0] for warning in answer.warnings] == ["odd"]


def test_no_line_at_all_is_refused(running_service, violations):
    with pytest.raises(grpc.RpcError, match="no line with speech") as caught:
        learn(running_service.target, requests([]))
    assert [violation.field for violation in violations(caught.value)] == ["line"]


def test_sound_before_a_line_is_refused(running_service):
    sound = messages.LearnVoiceRequest(options=messages.VoiceOptions(), audio=b"x")
    with pytest.raises(grpc.RpcError, match="before a line had begun"):
        learn(running_service.target, iter([sound]))


def test_too_many_lines_are_refused(start_service):
    running = start_service(ServiceLimits(voice_lines=1))
    with pytest.raises(grpc.RpcError, match="more than 1 lines"):
        learn(running.target, requests(LINES[:2]))
