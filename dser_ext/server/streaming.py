"""RecognizeStream: a line while it is spoken, its frames as soon as they are final."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import SAMPLE_RATE
from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.settings import check_number
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.messages import RecognizeStreamResponse, StreamStart
from dser_ext.recognition.stream import Stream
from dser_ext.server.call import Call
from dser_ext.server.received import given_format
from dser_ext.server.recognizing import given_voice
from dser_ext.server.refusal import RefusalError, about
from dser_ext.server.sound import LiveSound
from dser_ext.transfer import frames_messages, model_message

LOOK_AHEAD_SECONDS, MOST_LOOK_AHEAD_SECONDS = 0.3, 2.0
STEP_SECONDS = 0.2  # between hearings: half of it is twice the work
STEP_SAMPLES = round(STEP_SECONDS * SAMPLE_RATE)
RATES = (8_000, 192_000)  # Hz
PIECE_SECONDS = 0.5  # that are heard in one turn


async def recognize_stream(call: Call) -> None:
    """Answer one call of RecognizeStream."""
    first = await call.first()
    options = first.options
    recognizer = call.recognizer(options.model)
    voice = await given_voice(call, recognizer, options.voice)
    look_ahead = options.look_ahead_seconds if options.HasField("look_ahead_seconds") else LOOK_AHEAD_SECONDS
    with about("options.look_ahead_seconds"):
        check_number("look_ahead_seconds", look_ahead, 0, MOST_LOOK_AHEAD_SECONDS)
    kind, channels = given_format(options.pcm)
    rate = options.pcm.sample_rate_hz
    if channels != 1 or not RATES[0] <= rate <= RATES[1]:
        claim = f"{channels} channels at {rate} Hz"
        raise RefusalError(
            f"{claim} cannot be heard live; send mono at {RATES[0]} to {RATES[1]} Hz", field="options.pcm"
        )
    line = _Line(call, Stream(recognizer, voice, look_ahead, STEP_SECONDS), LiveSound(rate, kind))
    start = StreamStart(
        model=model_message(recognizer.bundle.info),
        emotions=EMOTIONS,
        frame_rate_hz=FRAME_RATE,
        look_ahead_seconds=look_ahead,
        latency_seconds=look_ahead + STEP_SECONDS + 1 / FRAME_RATE,
    )
    await call.send(RecognizeStreamResponse(start=start))
    size = round(PIECE_SECONDS * rate) * np.dtype(kind).itemsize
    async for message in call.messages(first):
        for begin in range(0, len(message.audio), size):
            await line.hear(message.audio[begin : begin + size])
    await line.end()


class _Line:
    """The stream of one call. It takes a turn where a step of its sound is there, not for every message."""

    def __init__(self, call: Call, stream: Stream, sound: LiveSound) -> None:
        self._call, self._stream, self._sound = call, stream, sound
        self._waiting: list[NDArray[np.float32]] = []
        self._told = 0

    async def hear(self, data: bytes) -> None:
        """More sound. Raises AudioError for what is none."""
        self._waiting.append(self._sound.more(data))
        samples = np.concatenate(self._waiting)
        whole = len(samples) // STEP_SAMPLES * STEP_SAMPLES
        self._waiting = [samples[whole:]]
        if whole:
            await self._tell(partial(self._stream.feed, samples[:whole]))

    async def end(self) -> None:
        """All sound is there."""
        samples = np.concatenate([*self._waiting, self._sound.rest()])
        await self._tell(lambda: np.concatenate([self._stream.feed(samples), self._stream.end()]))

    async def _tell(self, step: Callable[[], NDArray[np.float32]]) -> None:
        concentration = await self._call.once(step, urgent=True)
        for frames in frames_messages(concentration, self._told):
            await self._call.send(RecognizeStreamResponse(frames=frames))
        self._told += len(concentration)
