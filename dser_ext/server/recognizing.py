"""Recognize: a whole line in, its track and keys out."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from dser_ext.audio import Audio
from dser_ext.emotion.settings import check_number
from dser_ext.emotion.style import PRESETS, Style
from dser_ext.envelope import Envelope, envelope
from dser_ext.errors import FormatError
from dser_ext.formats.track_json import Performance
from dser_ext.messages import Progress, RecognizeResponse
from dser_ext.recognition.recognizer import Recognizer, note_on
from dser_ext.recognition.voice import VoiceProfile
from dser_ext.server.call import Call
from dser_ext.server.received import Received
from dser_ext.server.refusal import RefusalError, about
from dser_ext.transfer import frames_messages, head_message, keys_messages

Result = TypeVar("Result")

FRAMES_PER_SECOND, TOLERANCE = 30.0, 0.02  # where a Presentation has 0


@dataclass(frozen=True)
class Presented:
    """What a Presentation asks for."""

    style: Style
    fps: float
    tolerance: float


@dataclass(frozen=True)
class Asked:
    """What RecognizeOptions ask for, found to be possible."""

    recognizer: Recognizer
    voice: VoiceProfile | None
    presented: Presented
    waveform_bins: int


@dataclass(frozen=True)
class Recognized:
    """A line's track with its keys, what may be odd about them, and the outline of its sound."""

    performance: Performance
    notes: list[str]
    waveform: Envelope | None


async def recognize(call: Call) -> None:
    """Answer one call of Recognize."""
    first = await call.first()
    asked = await ask(call, first.options)
    with Received(first.options.name, first.options.audio_format, call.limits) as sound:
        async for message in call.messages(first):
            sound.take(message.audio)
        done = await recognized(call, asked, sound.audio(), _report)
    answer = RecognizeResponse(head=head_message(done.performance.track, done.notes))
    if done.waveform is not None:
        answer.head.waveform.low.extend(done.waveform.low.tolist())
        answer.head.waveform.high.extend(done.waveform.high.tolist())
    for frames in frames_messages(done.performance.track.concentration):
        if answer.HasField("frames"):
            await call.send(answer)
            answer = RecognizeResponse()
        answer.frames.CopyFrom(frames)
    for keys in keys_messages(done.performance.keyframes):
        answer.keys.CopyFrom(keys)
        await call.send(answer)
        answer = RecognizeResponse()


def _report(progress: Any) -> Any:
    return RecognizeResponse(progress=progress)


async def ask(call: Call, options: Any, field: str = "options") -> Asked:
    """What RecognizeOptions ask for. field: of the request, that they are.

    Raises RefusalError if it cannot be, before any sound is sent.
    """
    recognizer = call.recognizer(options.model, f"{field}.model")
    voice = await given_voice(call, recognizer, options.voice, f"{field}.voice")
    if options.waveform_bins > call.limits.waveform_bins:
        raise RefusalError(f"at most {call.limits.waveform_bins} bins can be had", field=f"{field}.waveform_bins")
    wanted = presented(options.presentation, f"{field}.presentation")
    return Asked(recognizer, voice, wanted, options.waveform_bins)


async def recognized(call: Call, asked: Asked, audio: Audio, report: Any) -> Recognized:
    """Recognise a line. report: makes a response of a Progress."""
    return await call.work(_steps(asked, audio), report)


def _steps(asked: Asked, audio: Audio) -> Generator[Any, None, Recognized]:
    hearing = asked.recognizer.hear_in_steps(audio)
    heard = yield from _reported(hearing, Progress.STAGE_HEARING, 0.0)
    telling = asked.recognizer.track_in_steps(heard, asked.voice)
    track = yield from _reported(telling, Progress.STAGE_TELLING, audio.seconds)
    wanted = asked.presented
    keying = Performance.in_steps(track, wanted.style, wanted.fps, wanted.tolerance)
    performance = yield from _reported(keying, Progress.STAGE_KEYING, audio.seconds)
    notes = [note for note in (audio.note, note_on(heard, track)) if note]
    outline = envelope(audio.blocks(), asked.waveform_bins) if asked.waveform_bins else None
    return Recognized(performance, notes, outline)


def _reported(steps: Generator[float, None, Result], stage: int, total: float) -> Generator[Any, None, Result]:
    """The same steps, of which each one says Progress."""
    while True:
        try:
            yield Progress(stage=stage, seconds=next(steps), total_seconds=total)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


async def given_voice(
    call: Call, recognizer: Recognizer, data: bytes, field: str = "options.voice"
) -> VoiceProfile | None:
    """The voice of a request, if there is one. Raises RefusalError if it is unusable."""
    if not data:
        return None
    with about(field):
        voice = await call.once(lambda: VoiceProfile.from_bytes(data, "the voice sent"))
        recognizer.check(voice)
    return voice


def presented(asked: Any, field: str = "options.presentation") -> Presented:
    """What a Presentation asks for. Raises RefusalError for what cannot be."""
    fps, tolerance = asked.frame_rate_hz or FRAMES_PER_SECOND, asked.tolerance or TOLERANCE
    with about(f"{field}.frame_rate_hz"):
        check_number("frame_rate_hz", fps, 1, 240)
    with about(f"{field}.tolerance"):
        check_number("tolerance", tolerance, 1e-4, 0.5)
    with about(f"{field}.style"):
        return Presented(_style(asked.style), fps, tolerance)


def _style(text: str) -> Style:
    """A preset or settings, never a file."""
    if not text.lstrip().startswith("{"):
        if text and text not in PRESETS:
            raise FormatError(f"style {text[:80]!r} is none; send {', '.join(PRESETS)}, or a JSON object with settings")
        return PRESETS[text] if text else Style()
    try:
        return Style.from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise FormatError("style is no JSON object; send a preset's name, or an object with settings") from error
