"""Stream: speech told while it is spoken, a bounded time behind it.

Every STEP_FRAMES the last WINDOW_FRAMES are heard anew, so that a frame is told from what came before it and from
`look_ahead_seconds` of what comes after. What was told once is never taken back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import SAMPLE_RATE, AudioArray
from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.errors import DserError
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.speech import HOP
from dser_ext.recognition.voice import VoiceProfile

WINDOW_FRAMES = 5 * FRAME_RATE  # longer ones cost more and tell little more
STEP_FRAMES = FRAME_RATE // 5  # after which frames are told: 0.2 s more delay at most

Concentration = NDArray[np.float32]


class Stream:
    """One live line of a speaker.

    voice: that it is measured against, if there is one. look_ahead_seconds: that a frame waits for what comes after it;
    with 0 it is told from the past alone. Raises VoiceError if the voice was made with another model, and DserError if
    a window does not reach that far.
    """

    def __init__(
        self, recognizer: Recognizer, voice: VoiceProfile | None = None, look_ahead_seconds: float = 0.6
    ) -> None:
        if voice is not None:
            recognizer.check(voice)
        self._recognizer, self._voice = recognizer, voice
        most = (WINDOW_FRAMES - STEP_FRAMES) / FRAME_RATE
        if not 0 <= look_ahead_seconds <= most:
            raise DserError(f"a look-ahead of {look_ahead_seconds} s cannot be had; choose 0 to {most:g} s")
        self._look_ahead = round(look_ahead_seconds * FRAME_RATE)
        self._samples = np.zeros(0, np.float32)  # the last of the line
        self._first = 0  # frame that they start at
        self._heard = self._told = 0  # frames

    def feed(self, samples: NDArray[np.float32]) -> Concentration:
        """More of the line, (n,) mono at 16 kHz → the concentrations of the frames that are told by now, (F, 6)."""
        self._samples = np.concatenate([self._samples, samples])
        told = []
        while len(self._samples) >= (self._heard + STEP_FRAMES - self._first) * HOP:
            self._heard += STEP_FRAMES
            told.append(self._tell(self._heard - self._look_ahead))
        return np.concatenate(told or [np.zeros((0, len(EMOTIONS)), np.float32)])

    def end(self) -> Concentration:
        """The line is over → the frames that were not told yet; with those before ⌈50 × seconds⌉ in all."""
        missing = -len(self._samples) % HOP
        self._samples = np.pad(self._samples, (0, missing))
        self._heard = self._first + len(self._samples) // HOP
        return self._tell(self._heard)

    def _tell(self, until: int) -> Concentration:
        """Hear the last window up to `_heard`, and tell the frames before `until` that were not told before."""
        if until <= self._told:
            return np.zeros((0, len(EMOTIONS)), np.float32)
        start = max(self._first, self._heard - WINDOW_FRAMES)
        window = self._samples[(start - self._first) * HOP : (self._heard - self._first) * HOP]
        told = self._hear(window)[self._told - start : until - start]
        self._told = until
        keep = max(0, self._heard + STEP_FRAMES - WINDOW_FRAMES)  # where the next window starts
        if keep > self._first:
            self._samples, self._first = self._samples[(keep - self._first) * HOP :], keep
        return told

    def _hear(self, window: NDArray[np.float32]) -> Concentration:
        """The concentrations of a window's frames."""
        return self._recognizer.concentration(self._recognizer.hear(AudioArray(window, SAMPLE_RATE)), self._voice)
