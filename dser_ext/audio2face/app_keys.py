"""Emotion keys by the REST service of the Audio2Face app, which has calls to read and remove keys but none to add one.

What is left is to go to a frame and set the emotion there. Whether that makes a key is documented nowhere, so it is
tried with one, and what came of it is read back before anything else is changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from dser_ext.audio2face.keys import by_name
from dser_ext.audio2face.rest import NoSuchCallError, Rest
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.errors import Audio2FaceError

KEYFRAMER_FPS = 60.0
"""Frames a second on which the app keeps keys, in the public scene that was read; for an app that does not tell."""

MAX_KEYS = 10_000
"""More keys than this are none that somebody wants back."""

VALUE_TOLERANCE = 0.01
"""How far a value that is read back may be from the one set: half of what keys are reduced by at first."""


@dataclass(frozen=True)
class _Key:
    seconds: float
    emotions: dict[str, float]


def replace_keys(rest: Rest, instance: str, keyframes: Keyframes) -> tuple[int, int]:
    """Key the emotions of `instance` with these and no others; returns how many keys there are and were before.

    Each key is moved to the nearest of the app's frames, by at most 1/120 s where it has 60 in a second; of two that
    meet on one the later stays. The keys that were there are removed last, when all of ours are in place.
    Raises Audio2FaceError where the app takes no keys by REST, and for whatever goes wrong on the way; the keys that
    were there are then put back, or the message says that they could not be.
    """
    fps = rest.setting(instance, "keyframer_fps")
    keyframer = _Keyframer(rest, instance, float(fps) if _is_number(fps) and 1 <= fps <= 1000 else KEYFRAMER_FPS)
    try:
        before = keyframer.keys()
    except NoSuchCallError as error:
        raise _takes_none(rest, "it cannot tell the keys it has") from error
    ours = keyframer.on_frames(keyframes)
    try:
        keyframer.probe(ours, before)
        keyframer.write(ours)
        keyframer.keep_only(ours)
        keyframer.check(ours)
        keyframer.go_to(0.0)
    except (Audio2FaceError, KeyboardInterrupt) as error:
        fate = keyframer.put_back(before)
        if isinstance(error, KeyboardInterrupt):
            raise
        reason = _takes_none(rest, "it cannot set them") if isinstance(error, NoSuchCallError) else error
        raise Audio2FaceError(f"{reason} ({fate})") from error
    return len(ours), len(before)


class _Keyframer:
    """The keys of one instance, as the app's Emotion panel shows them."""

    def __init__(self, rest: Rest, instance: str, fps: float) -> None:
        self._rest = rest
        self._instance = instance
        self._fps = fps

    def keys(self) -> list[_Key]:
        """All keys with their values, in the order of time."""
        return [_Key(seconds, self._emotions(seconds)) for seconds in self._times()]

    def on_frames(self, keyframes: Keyframes) -> list[_Key]:
        """Our keys, each on one of the app's frames."""
        frames = np.rint(keyframes.times * self._fps).astype(np.int64)
        last = np.append(np.diff(frames) > 0, True)
        times, rows = frames[last] / self._fps, np.round(keyframes.values[last].astype(np.float64), 6)
        return [_Key(seconds, by_name(row)) for seconds, row in zip(times.tolist(), rows, strict=True)]

    def probe(self, keys: list[_Key], before: list[_Key]) -> None:
        """Write one key where none is; where none comes of it, set what was there and raise Audio2FaceError."""
        fresh = [key for key in keys if not self._at(key.seconds, before)]
        if not fresh:
            return  # such keys are there already, and only their values are set
        key = fresh[-1]  # not the one at 0, where a frame and a time are the same
        held = _Key(key.seconds, self._emotions(key.seconds))
        self.write([key])
        if any(self._same(key.seconds, seconds) for seconds in self._times()):
            return
        self.write([held])
        raise _takes_none(self._rest, "setting an emotion at a frame makes no key there")

    def write(self, keys: list[_Key]) -> None:
        """Go to the time of each key and set its emotions."""
        for key in keys:
            self.go_to(key.seconds)
            self._rest.post("/A2F/A2E/SetEmotionByName", a2f_instance=self._instance, emotions=key.emotions)

    def go_to(self, seconds: float) -> None:
        """Move the app's playhead."""
        self._rest.post("/A2F/SetFrame", a2f_instance=self._instance, frame=seconds, as_timestamp=True)

    def keep_only(self, keys: list[_Key]) -> None:
        """Remove all other keys."""
        others = [seconds for seconds in self._times() if not self._at(seconds, keys)]
        if others:
            self._remove(others)

    def check(self, keys: list[_Key]) -> None:
        """Raises Audio2FaceError unless the app has these keys and no others."""
        if len(self._times()) != len(keys) or self._changed(keys):
            raise Audio2FaceError(
                f"{self._rest.url}: Audio2Face did not keep the keys as they were sent; write them into its scene with "
                "--app-usd instead"
            )

    def put_back(self, before: list[_Key]) -> str:
        """Restore the keys that were there; what came of it, in words."""
        try:
            self.keep_only(before)
            self.write(self._changed(before))
            self.check(before)
        except Audio2FaceError:
            return "its keys could not be put back as they were, so open the scene again"
        return "its keys are as they were"

    def _changed(self, keys: list[_Key]) -> list[_Key]:
        """Those of the keys that the app does not have, or not with these values."""
        found = self.keys()
        return [key for key in keys if not any(self._agree(key, other) for other in found)]

    def _times(self) -> list[float]:
        """When there are keys, in seconds, in order."""
        call = "/A2F/A2E/GetKeys"
        times = self._rest.post(call, a2f_instance=self._instance, as_timestamps=True)
        if not isinstance(times, list) or not all(_is_number(seconds) and seconds >= 0 for seconds in times):
            raise self._rest.nonsense(call, "no list of times")
        if len(times) > MAX_KEYS:
            raise self._rest.nonsense(call, f"more than {MAX_KEYS} keys")
        return sorted({float(seconds) for seconds in times})

    def _emotions(self, seconds: float) -> dict[str, float]:
        call = "/A2F/A2E/GetEmotion"
        found = self._rest.post(call, a2f_instance=self._instance, as_vector=False, frame=seconds, as_timestamp=True)
        if not isinstance(found, dict) or not all(_is_number(value) for value in found.values()):
            raise self._rest.nonsense(call, "no emotions by name")
        return {name: float(value) for name, value in found.items()}

    def _remove(self, times: list[float]) -> None:
        self._rest.post("/A2F/A2E/RemoveKeys", a2f_instance=self._instance, keys=times, as_timestamps=True)

    def _same(self, seconds: float, other: float) -> bool:
        return abs(seconds - other) < 0.5 / self._fps

    def _at(self, seconds: float, keys: list[_Key]) -> bool:
        return any(self._same(seconds, key.seconds) for key in keys)

    def _agree(self, sent: _Key, found: _Key) -> bool:
        values = {name.lower(): value for name, value in found.emotions.items()}
        return self._same(sent.seconds, found.seconds) and all(
            abs(values.get(name.lower(), 0.0) - value) <= VALUE_TOLERANCE for name, value in sent.emotions.items()
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _takes_none(rest: Rest, why: str) -> Audio2FaceError:
    return Audio2FaceError(
        f"{rest.url}: this Audio2Face app takes no keys by REST ({why}); write them into its scene with --app-usd"
    )
