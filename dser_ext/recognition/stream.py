"""Stream: speech told while it is spoken, a bounded time behind it.

Every step the last window is heard anew, and its later half takes the place of what was heard before, which
knew less of what comes after it. A frame is told from up to CONTEXT_FRAMES of what came before it and
`look_ahead_seconds` of what comes after it. What was told once is never taken back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.errors import DserError
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.speech import HOP, speech_frames
from dser_ext.recognition.voice import VoiceGatherer, VoiceProfile

WINDOW_FRAMES = 3 * FRAME_RATE  # shorter ones tell less, longer ones cost more
CONTEXT_FRAMES = 20 * FRAME_RATE
STEP_FRAMES = FRAME_RATE // 5  # unless chosen otherwise
MOST_STEP_FRAMES = WINDOW_FRAMES // 2  # the half of a window that takes the place of what was heard before

Frames = NDArray[np.float32]


class Stream:
    """One live line of a speaker.

    voice: that it is measured against, if there is one. look_ahead_seconds: that a frame waits for what comes after it;
    with 0 it is told from the past alone. step_seconds: after which frames are told, which delays them by as much at
    most; half the step is twice the work. Raises VoiceError if the voice was made with another model, and DserError if
    a window does not reach that far.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        voice: VoiceProfile | None = None,
        look_ahead_seconds: float = 0.6,
        step_seconds: float = STEP_FRAMES / FRAME_RATE,
    ) -> None:
        if voice is not None:
            recognizer.check(voice)
        self._recognizer, self._voice = recognizer, voice
        least, most = 1 / FRAME_RATE, MOST_STEP_FRAMES / FRAME_RATE
        if not least <= step_seconds <= most:
            raise DserError(f"a step of {step_seconds} s cannot be had; choose {least:g} to {most:g} s")
        self._step = round(step_seconds * FRAME_RATE)
        farthest = (WINDOW_FRAMES - self._step) / FRAME_RATE
        if not 0 <= look_ahead_seconds <= farthest:
            raise DserError(f"a look-ahead of {look_ahead_seconds} s cannot be had; choose 0 to {farthest:g} s")
        self._look_ahead = round(look_ahead_seconds * FRAME_RATE)
        self._waiting = np.zeros(0, np.float32)  # samples that are not heard yet
        self._window = np.zeros(0, np.float32)  # the last samples that were heard
        self._context = np.zeros((0, recognizer.bundle.feature_size + 1), np.float32)  # the last frames
        self._heard = self._told = 0  # frames of the line
        self._gatherer = VoiceGatherer()

    def feed(self, samples: NDArray[np.float32]) -> Frames:
        """More of the line, (n,) mono at 16 kHz → the concentrations of the frames that are told by now, (F, 6)."""
        self._waiting = np.concatenate([self._waiting, samples])
        told = [np.zeros((0, len(EMOTIONS)), np.float32)]
        while len(self._waiting) >= self._step * HOP:
            self._listen(self._step)
            told.append(self._tell(self._heard - self._look_ahead))
        return np.concatenate(told)

    def end(self) -> Frames:
        """The line is over → the frames that were not told yet; with those before ⌈50 × seconds⌉ in all."""
        self._waiting = np.pad(self._waiting, (0, -len(self._waiting) % HOP))
        if len(self._waiting):
            self._listen(len(self._waiting) // HOP)
        return self._tell(self._heard)

    def profile(self, name: str) -> VoiceProfile | None:
        """What the line, which is over, tells about its speaker; None with less than half a second of speech."""
        self._gather(len(self._context))
        return self._gatherer.profile(name, self._recognizer.bundle.features_sha256)

    def _listen(self, count: int) -> None:
        """Hear so many frames more, and those before them in the window anew."""
        samples = np.concatenate([self._window, self._waiting[: count * HOP]])
        self._window, self._waiting = samples[-WINDOW_FRAMES * HOP :], self._waiting[count * HOP :]
        self._heard += count
        frames = self._hear(self._window)
        known = len(self._context) + count - len(frames)  # frames before the window
        kept = WINDOW_FRAMES // 2 if known else 0  # frames that have been heard with more of what came before
        self._context = np.concatenate([self._context[: known + kept], frames[kept:]])
        self._gather(max(0, len(self._context) - CONTEXT_FRAMES))

    def _gather(self, count: int) -> None:
        """Leave the oldest frames of the context to the voice."""
        oldest = self._context[:count]
        if count:
            self._gatherer.add(oldest[speech_frames(self._context[:, -1])[:count], :-1])
            self._context = self._context[count:]

    def _tell(self, until: int) -> Frames:
        """The frames before `until` that were not told before."""
        if until <= self._told:
            return np.zeros((0, len(EMOTIONS)), np.float32)
        first = self._heard - len(self._context)
        told = self._recognizer.tell(self._context, self._voice)[self._told - first : until - first]
        self._told = until
        return told

    def _hear(self, window: Frames) -> Frames:
        return self._recognizer.hear_window(window)
