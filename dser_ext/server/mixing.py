"""The client's keys and ours become those that Audio2Face gets, and the header with which they show as meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio2face.keys import by_name, key_messages
from dser_ext.audio2face.protocol import AudioStream
from dser_ext.audio2face.settings import EXACT, EXACT_TRANSITION_SECONDS
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.server.refusal import RefusalError

Mix = Literal["replace", "add", "only-if-absent"]
MIXES: tuple[Mix, ...] = ("replace", "add", "only-if-absent")

NEAREST_SECONDS = 1e-3  # keys that lie nearer than this to one of the client's give way: both may fall on one sample

Rows = NDArray[np.float32]
Seconds = NDArray[np.float64]


class Mixer:
    """Mixes the keys of one clip, from its start to its end.

    replace: the keys are ours. add: their values are the client's plus ours, at most 1. only-if-absent: they are the
    client's from its first key on, and ours before it.
    Time codes only grow, over all calls of `keys`, and every key names all ten emotions. Raises RefusalError where
    the client's keys are used and go back in time.
    """

    def __init__(self, mix: Mix, header: Any) -> None:
        self._mix = mix
        self._header = header
        post = header.emotion_post_processing_params
        # Keys that the client has switched off do not show because ours are switched on.
        self._off = post.HasField("enable_preferred_emotion") and not post.enable_preferred_emotion
        self._times: list[float] = []  # of the client's keys that count
        self._values: list[list[float]] = []
        self._sent_until = -1.0
        self._passes: bool | None = None  # until it is decided

    def take(self, keys: Iterable[Any]) -> None:
        """Keys of the client, as they come in."""
        if self._mix == "replace" or (self._mix == "add" and self._off):
            return
        for key in keys:
            row = [key.emotion.get(name, 0.0) for name in A2F_EMOTIONS]
            if self._times and key.time_code <= self._times[-1]:
                if row == self._values[-1] and key.time_code == self._times[-1]:
                    continue
                raise RefusalError(
                    f"the key at {key.time_code:g} s comes after one at {self._times[-1]:g} s; send them in order"
                )
            self._times.append(key.time_code)
            self._values.append(row)

    @property
    def passes(self) -> bool:
        """Whether the client's keys go on untouched, since it has some and ours are only for want of them.

        Decided when the header goes on.
        """
        return self._mix == "only-if-absent" and bool(self._times) if self._passes is None else self._passes

    def header(self, beginning: Rows) -> bytes:
        """The header as it goes on, serialized. beginning: (10,) our emotions at the start."""
        self._passes = self.passes
        message = AudioStream(audio_stream_header=self._header)
        post = message.audio_stream_header.emotion_post_processing_params
        if self._mix == "add":
            if self._off:
                post.enable_preferred_emotion = True
        elif not self._passes:
            for name, value in EXACT.items():
                setattr(post, name, value)
            emotions = message.audio_stream_header.emotion_params
            emotions.live_transition_time = EXACT_TRANSITION_SECONDS
            emotions.beginning_emotion.clear()
            emotions.beginning_emotion.update(by_name(beginning))
        return bytes(message.SerializeToString())

    def keys(self, ours: Keyframes, until: float) -> list[Any]:
        """The keys after those told before and up to `until` seconds. ours: from the latest of these on."""
        theirs = np.array(self._times)
        times = np.union1d(ours.times[~_near(ours.times, theirs)], theirs)
        times = times[(times > self._sent_until) & (times <= until)]
        if not len(times):
            return []
        self._sent_until = float(times[-1])
        return key_messages(times, self._mixed(ours, times))

    def _mixed(self, ours: Keyframes, times: Seconds) -> Rows:
        own = ours.at(times)
        if not self._times:
            return np.asarray(own)
        columns = np.array(self._values, np.float32).T
        theirs = np.stack([np.interp(times, self._times, column) for column in columns], axis=1)
        if self._mix == "add":
            return np.asarray(np.minimum(own + theirs, 1), np.float32)
        return np.asarray(np.where(times[:, None] < self._times[0], own, theirs), np.float32)


def _near(times: Seconds, others: Seconds) -> NDArray[np.bool_]:
    """Which of the times lie so near to one of the others that only one of both can be a key, (K,)."""
    if not len(others):
        return np.zeros(len(times), np.bool_)
    after = np.searchsorted(others, times)
    distance = np.minimum(
        np.abs(others[np.minimum(after, len(others) - 1)] - times), np.abs(times - others[np.maximum(after - 1, 0)])
    )
    return np.asarray(distance < NEAREST_SECONDS)
