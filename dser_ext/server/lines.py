"""One line on its way through the relay: which of its messages may go on, and with which keys.

`ClipLine` holds everything until the line is over and recognises it as a whole. `StreamLine` hears it while it is
spoken and holds each chunk of sound until the keys up to its end are known, unless the client has keys that stay.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import AudioArray
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import FRAME_RATE, EmotionTrack
from dser_ext.formats.track_json import Performance
from dser_ext.recognition.hearing import Hearing
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.stream import Stream
from dser_ext.recognition.voice import VoiceLines
from dser_ext.server.live import LiveKeys, settling_seconds
from dser_ext.server.mixing import Mix, Mixer
from dser_ext.server.raw_track import RawTrack
from dser_ext.server.request import Piece, Request
from dser_ext.server.sound import LiveSound
from dser_ext.server.voices import Voices

Mode = Literal["clip", "stream"]
STEP_SECONDS = 0.6  # between hearings of a live line: half of it is twice the work
ROUNDING_SECONDS = 1e-6
NEUTRAL = Keyframes(np.zeros(1), np.zeros((1, len(A2F_EMOTIONS)), np.float32))
Result = TypeVar("Result")


@dataclass(frozen=True)
class Settings:
    """How lines are recognised and what is sent of them."""

    mode: Mode = "clip"
    mix: Mix = "replace"
    look_ahead_seconds: float = 0.6
    style: Style = field(default_factory=Style)
    fps: float = 30.0
    tolerance: float = 0.02

    @property
    def latency_seconds(self) -> float:
        """How long `StreamLine` holds a sound at most that arrives at the pace of speech, chunk by chunk."""
        return self.look_ahead_seconds + STEP_SECONDS + settling_seconds(self.style) + 1 / FRAME_RATE + 1 / self.fps


class Desk:
    """What all lines share: the recogniser, the voices, the settings, and the threads that recognise."""

    def __init__(self, recognizer: Recognizer, voices: Voices, settings: Settings, threads: int) -> None:
        self.recognizer, self.voices, self.settings = recognizer, voices, settings
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="recognition")

    async def run(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Do the work in a thread of its own, and others' meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def line(self, request: Request, speaker: str) -> ClipLine | StreamLine:
        """A line whose header has come in."""
        kind = ClipLine if self.settings.mode == "clip" else StreamLine
        return kind(self, request, speaker)


class ClipLine:
    """A line that is recognised when it is over."""

    def __init__(self, desk: Desk, request: Request, speaker: str) -> None:
        self.raw = RawTrack(desk.recognizer.bundle.info)
        self._desk, self._speaker, self._rate = desk, speaker, request.sample_rate
        self._mixer = Mixer(desk.settings.mix, request.header)
        self._pieces: deque[Piece] = deque()

    async def take(self, piece: Piece) -> Iterator[bytes]:
        """A chunk of sound has come in → the messages that may go on."""
        self._mixer.take(piece.keys)
        self._pieces.append(piece)
        return iter(())

    async def end(self) -> Iterator[bytes]:
        """The line is over → the messages that are left, but for EndOfAudio. Raises DserError."""
        voices = self._desk.voices
        hearing, track, ours = await self._desk.run(self._recognise, voices.of(self._speaker))
        voices.learn(self._speaker, hearing.audio.sha256, hearing.profile)
        self.raw.tell(track.concentration)
        return self._messages(ours)

    def _recognise(self, voice: VoiceLines | None) -> tuple[Hearing, EmotionTrack, Keyframes]:
        sound = b"".join(piece.sound for piece in self._pieces)
        samples = np.frombuffer(sound[: len(sound) // 2 * 2], "<i2")
        recognizer, settings = self._desk.recognizer, self._desk.settings
        hearing = recognizer.hear(AudioArray(samples, self._rate))
        track = recognizer.track(hearing, voice)
        keys = Performance.of(track, settings.style, settings.fps, settings.tolerance).keyframes
        return hearing, track, keys

    def _messages(self, ours: Keyframes) -> Iterator[bytes]:
        yield self._mixer.header(ours.values[0])
        while self._pieces:
            piece = self._pieces.popleft()
            if self._mixer.passes:
                yield piece.data
                continue
            # With a chunk go the keys within it and one more, to which the emotions at its end are on their way.
            after = ours.times[ours.times >= piece.end]
            until = float(after[0]) if self._pieces and len(after) else np.inf
            yield piece.with_keys(self._mixer.keys(ours, until))


class StreamLine:
    """A line that is recognised while it comes in."""

    def __init__(self, desk: Desk, request: Request, speaker: str) -> None:
        self.raw = RawTrack(desk.recognizer.bundle.info)
        self._desk, self._speaker = desk, speaker
        self._mixer = Mixer(desk.settings.mix, request.header)
        self._pieces: deque[Piece] = deque()
        settings, voice = desk.settings, desk.voices.of(speaker)
        profile = voice.profile if voice else None
        self._stream = Stream(desk.recognizer, profile, settings.look_ahead_seconds, STEP_SECONDS)
        self._live = LiveKeys(settings.style, settings.fps, settings.tolerance)
        self._sound = LiveSound(request.sample_rate)
        self._begun = False

    async def take(self, piece: Piece) -> Iterator[bytes]:
        """A chunk of sound has come in → the messages that may go on."""
        self._mixer.take(piece.keys)
        self._pieces.append(piece)
        self.raw.tell(await self._desk.run(self._hear, piece.sound))
        return self._messages(np.inf if self._mixer.passes else self._live.until + ROUNDING_SECONDS)

    async def end(self) -> Iterator[bytes]:
        """The line is over → the messages that are left, but for EndOfAudio. Raises DserError."""
        self.raw.tell(await self._desk.run(self._hear_rest))
        self._desk.voices.learn(self._speaker, self._sound.sha256, self._stream.profile(self._speaker))
        return self._messages(np.inf)

    def _hear(self, sound: bytes) -> NDArray[np.float32]:
        told = self._stream.feed(self._sound.more(sound))
        self._live.tell(told)
        return told

    def _hear_rest(self) -> NDArray[np.float32]:
        told = np.concatenate([self._stream.feed(self._sound.rest()), self._stream.end()])
        self._live.tell(told, over=True)
        return told

    def _messages(self, until: float) -> Iterator[bytes]:
        """The chunks that end by then, the first of them with all keys that are known by now."""
        if not self._pieces or self._pieces[0].end > until:
            return
        ours = self._live.keys or NEUTRAL  # a line that passes does not wait for ours
        if not self._begun:
            self._begun = True
            yield self._mixer.header(ours.values[0])
        keys = [] if self._mixer.passes else self._mixer.keys(ours, until)
        self._live.sent()
        while self._pieces and self._pieces[0].end <= until:
            piece = self._pieces.popleft()
            yield piece.data if self._mixer.passes else piece.with_keys(keys)
            keys = []
