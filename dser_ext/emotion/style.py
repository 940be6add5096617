"""Style: an animator's settings that turn what the model believes into the ten curves Audio2Face gets."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.audio2emotion import Audio2Emotion
from dser_ext.emotion.curves import Curves, frame_count
from dser_ext.emotion.frame_rate import exact_fps
from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS, NEUTRAL, TO_A2F
from dser_ext.emotion.settings import check_emotions, check_number, check_switch, checked_settings
from dser_ext.emotion.track import EmotionTrack
from dser_ext.errors import FormatError

_RANGES = {
    "gain": (0.0, 4.0),
    "contrast": (0.3, 3.0),
    "smoothing_seconds": (0.0, 5.0),
    "preferred_strength": (0.0, 1.0),
    "tail_seconds": (0.0, 5.0),
}


EXTENDED = {
    "amazement": ("fear", "joy"),
    "cheekiness": ("disgust", "joy"),
    "outofbreath": ("anger", "fear"),
    "pain": ("disgust", "sadness"),
}
"""Emotions that show where two others are heard at once: by twice the weaker one, all of it where both are one half.

Grief shows where hardly anything but sadness is heard: from GRIEF of it on, all of it where sadness is. The rules are
ours, by what the faces of these emotions have in common.
"""
GRIEF = 0.6


@dataclass(frozen=True)
class Style:
    """How strongly and how smoothly a track shows on the face.

    Raises FormatError for a value outside its range or a name that is no Audio2Face emotion.
    """

    name: str = "natural"
    gain: float = 1.0  # 0 to 4: multiplies every emotion
    contrast: float = 1.0  # 0.3 to 3: above 1 the strongest emotion gains on the others
    max_emotions: int = len(TO_A2F)  # 1 to 5: so many of those heard at a moment show, the strongest
    smoothing_seconds: float = 0.2  # 0 to 5: full width of the window that the curves are averaged in
    gains: Mapping[str, float] = field(default_factory=dict)  # 0 to 4 an Audio2Face emotion, on top of `gain`
    limits: Mapping[str, float] = field(default_factory=dict)  # 0 to 1 an Audio2Face emotion: its ceiling
    preferred: Mapping[str, float] = field(default_factory=dict)  # 0 to 1 an Audio2Face emotion: a mood to lean to
    preferred_strength: float = 0.0  # 0 to 1: 0 shows only what was heard, 1 only the preferred mood
    tail_seconds: float = 0.0  # 0 to 5: before the end of the line, in which the face turns neutral
    extended: bool = False
    """Also feed the five emotions that are never heard by themselves, by `EXTENDED`."""
    audio2emotion: Audio2Emotion | None = None
    """NVIDIA's post-processing in place of contrast, smoothing, the most emotions and the preferred mood's strength."""

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            check_number(f"style: {name}", getattr(self, name), low, high)
        check_number("style: max_emotions", self.max_emotions, 1, len(TO_A2F), whole=True)
        check_switch("style: extended", self.extended)
        for name, high in (("gains", 4.0), ("limits", 1.0), ("preferred", 1.0)):
            emotions = dict(getattr(self, name))
            check_emotions(f"style: {name}", emotions, high)
            object.__setattr__(self, name, emotions)

    def apply(self, track: EmotionTrack, fps: float) -> Curves:
        """The ten curves of a track at `fps` frames a second, in [0, 1], from 0 to the end of the sound."""
        fps = exact_fps(fps)
        times = np.arange(frame_count(track.seconds, fps)) / fps
        values = self._values(track, times, fps)
        if self.extended:
            _extend(values)
        values = self.gain * values * _vector(self.gains, 1.0)
        values = np.minimum(values, _vector(self.limits, 1.0))
        lean = self.preferred_strength
        values = (1 - lean) * values + lean * _vector(self.preferred, 0.0)
        if tail := min(self.tail_seconds, times[-1]):
            values *= np.clip((times[-1] - times) / tail, 0, 1)[:, None]
        return Curves(fps, values.astype(np.float32))

    def _values(self, track: EmotionTrack, times: NDArray[np.float64], fps: float) -> NDArray[np.float64]:
        """The ten emotions before gain and limits, (F, 10)."""
        if self.audio2emotion is not None:
            return self.audio2emotion.apply(np.log(np.float64(track.at(times))), _vector(self.preferred, 0.0), fps)
        strongest = _strongest(track.mean.astype(np.float64), self.max_emotions)
        mixture = _smoothed(strongest, track.times, self.smoothing_seconds)
        sharpened = mixture**self.contrast
        sharpened /= np.maximum(sharpened.sum(axis=1, keepdims=True), 1e-9)
        values = np.zeros((len(times), len(A2F_EMOTIONS)))
        for emotion, channel in TO_A2F.items():
            heard = np.interp(times, track.times, sharpened[:, EMOTIONS.index(emotion)])
            values[:, A2F_EMOTIONS.index(channel)] = heard
        return values

    def to_json(self) -> dict[str, Any]:
        """The settings as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Any) -> Style:
        """The style of a JSON object; settings left out keep their defaults. Raises FormatError for any other key."""
        settings = checked_settings("style", document, cls)
        if not isinstance(settings.get("name", ""), str):
            raise FormatError("style: name must be a text")
        if settings.get("audio2emotion") is not None:
            steps = checked_settings("style: audio2emotion", settings["audio2emotion"], Audio2Emotion)
            settings["audio2emotion"] = Audio2Emotion(**steps)
        return cls(**settings)


def _extend(values: NDArray[np.float64]) -> None:
    column = {name: values[:, index] for index, name in enumerate(A2F_EMOTIONS)}
    for name, (one, other) in EXTENDED.items():
        column[name][:] = 2 * np.minimum(column[one], column[other])
    column["grief"][:] = np.maximum(0, column["sadness"] - GRIEF) / (1 - GRIEF)


def _strongest(mixture: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """The mixture without all but so many of the emotions that show; what they leave is neutral."""
    shown = [EMOTIONS.index(emotion) for emotion in TO_A2F]
    if most >= len(shown):
        return mixture
    kept = mixture.copy()
    weakest = np.argsort(mixture[:, shown], axis=1)[:, : len(shown) - most]
    np.put_along_axis(kept, np.array(shown)[weakest], 0.0, axis=1)
    kept[:, NEUTRAL] += 1 - kept.sum(axis=1)
    return np.asarray(kept)


def _vector(values: Mapping[str, float], otherwise: float) -> NDArray[np.float64]:
    return np.array([values.get(name, otherwise) for name in A2F_EMOTIONS])


def _smoothed(mixture: NDArray[np.float64], times: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
    """Average in a Hann window of this full width; at the ends over the part of the window that has frames."""
    if len(times) < 2:
        return mixture
    half = round(min(seconds / 2 / float(times[1] - times[0]), 1e9))
    if half < 1:
        return mixture
    within = min(half, len(mixture) - 1)  # what lies farther out meets no frame
    window = 0.5 + 0.5 * np.cos(np.pi * np.arange(-within, within + 1) / (half + 1))
    weight = np.convolve(np.ones(len(mixture)), window)[within:-within]
    return np.stack([np.convolve(column, window)[within:-within] / weight for column in mixture.T], axis=1)


PRESETS = {
    style.name: style
    for style in (
        Style(),
        Style("subtle", gain=0.6, smoothing_seconds=0.4),
        Style("expressive", gain=1.3, contrast=1.5),
        Style("steady", smoothing_seconds=1.0),
        Style("audio2emotion", audio2emotion=Audio2Emotion()),
    )
}
"""Styles with a name."""


def style(name_or_file: str | os.PathLike[str]) -> Style:
    """A preset by its name, or the style in a JSON file, which is called like the file unless it says its name.

    Raises FormatError if it is neither.
    """
    preset = PRESETS.get(str(name_or_file))
    if preset is not None:
        return preset
    try:
        document = json.loads(Path(name_or_file).read_text(encoding="utf-8"))
        named = {"name": Path(name_or_file).stem, **document} if isinstance(document, dict) else document
        return Style.from_json(named)
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(
            f"{name_or_file}: neither a style ({', '.join(PRESETS)}) nor a readable JSON file with one"
        ) from error
    except FormatError as error:
        raise FormatError(f"{name_or_file}: {error}") from error
