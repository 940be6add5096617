"""RecognizeStream: a line while it is spoken, its frames as soon as they are final."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.settings import check_number
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.messages import RecognizeStreamResponse, StreamStart
from dser_ext.recognition.stream import Stream
from dser_ext.server.call import Call
from dser_ext.server.received import given_format
from dser_ext.server.recognizing import given_voice
from dser_ext.server.refusal import RefusalError
from dser_ext.server.sound import LiveSound
from dser_ext.transfer import frames_messages, model_message

LOOK_AHEAD_SECONDS, MOST_LOOK_AHEAD_SECONDS = 0.3, 2.0
STEP_SECONDS = 0.2  # between hearings: half of it is twice the work
RATES = (8_000, 192_000)  # Hz
PIECE_SECONDS = 0.5  # that are heard in one turn


async def recognize_stream(call: Call) -> None:
    """Answer one call of RecognizeStream."""
    first = await call.first()
    options = first.options
    recognizer = call.recognizer(options.model)
    voice = given_voice(recognizer, options.voice)
    look_ahead = options.look_ahead_seconds if options.HasField("look_ahead_seconds") else LOOK_AHEAD_SECONDS
    check_number("options.look_ahead_seconds", look_ahead, 0, MOST_LOOK_AHEAD_SECONDS)
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
    """The stream of one call."""

    def __init__(self, call: Call, stream: Stream, sound: LiveSound) -> None:
        self._call, self._stream, self._sound = call, stream, sound
        self._told = 0

    async def hear(self, data: bytes) -> None:
        await self._tell(await self._call.once(partial(self._hear, data), urgent=True))

    async def end(self) -> None:
        await self._tell(await self._call.once(self._hear_rest, urgent=True))

    def _hear(self, data: bytes) -> NDArray[np.float32]:
        return self._stream.feed(self._sound.more(data))

    def _hear_rest(self) -> NDArray[np.float32]:
        return np.concatenate([self._stream.feed(self._sound.rest()), self._stream.end()])

    async def _tell(self, concentration: NDArray[np.float32]) -> Any:
        for frames in frames_messages(concentration, self._told):
            await self._call.send(RecognizeStreamResponse(frames=frames))
        self._told += len(concentration)
