"""When the emotion changes: splices of each speaker's lines, whose borders are known, as recognition tells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import SAMPLE_RATE, AudioArray
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.recognition.hearing import Hearing
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.stream import Stream
from dser_ext.recognition.voice import VoiceProfile, merge
from dser_training.corpora.clip import Clip, acted, by_speaker
from dser_training.corpora.splices import draw, render
from dser_training.evaluation import changes
from dser_training.evaluation.voices import ALL, NONE, SEED

SPLICES = {"changes": 6, "stay": 3, "glide": 2}
"""Of each speaker, by kind."""
SOME = "16 other lines"
VOICES: dict[str, int | None] = {NONE: 0, SOME: 16, ALL: None}
"""How many of the speaker's lines that do not stand in a splice make its voice."""


Example = tuple[dict[str, changes.Floats], Sequence[float]]
LIVE = {"changes": 3, "stay": 1}
"""Splices of each speaker that are told live, too."""
LOOK_AHEADS = (0.0, 0.3, 0.6, 1.0)
"""Seconds."""
EXAMPLE_BORDERS = 3  # of the line that is drawn, at least
WINDOW_SECONDS, STRIDE_SECONDS = 1.4, 1.0  # of the method it is drawn beside (paper, stage 2)


@dataclass(frozen=True, eq=False)
class Told:
    """A splice with what the recogniser hears in it, and the voice of each setting."""

    line: changes.Known
    samples: NDArray[np.float32]
    heard: Hearing
    voices: dict[str, VoiceProfile | None]


def splices(recognizer: Recognizer, profiles: Mapping[Clip, VoiceProfile]) -> list[Told]:
    """Those of all speakers. profiles: of each line what it tells of its speaker's voice; others are left out."""
    return list(_splices(recognizer, profiles, SPLICES))


def figures(recognizer: Recognizer, spliced: Sequence[Told]) -> dict[str, Any]:
    """`changes.figures` of each voice setting."""
    return {
        setting: _figures([(s.line, recognizer.concentration(s.heard, s.voices[setting])) for s in spliced])
        for setting in (VOICES if spliced else ())
    }


def live(recognizer: Recognizer, profiles: Mapping[Clip, VoiceProfile]) -> dict[str, Any]:
    """`changes.figures` with all other lines, of each look-ahead and of lines that are heard whole."""
    spliced = list(_splices(recognizer, profiles, LIVE))
    if not spliced:
        return {}
    whole = _figures([(s.line, recognizer.concentration(s.heard, s.voices[ALL])) for s in spliced])
    told: dict[float, list[tuple[changes.Known, NDArray[np.float32]]]] = {seconds: [] for seconds in LOOK_AHEADS}
    for splice in spliced:
        heard: dict[bytes, NDArray[np.float32]] = {}
        for seconds, lines in told.items():
            stream = _Replayed(recognizer, splice.voices[ALL], seconds, heard)
            lines.append((splice.line, np.concatenate([stream.feed(splice.samples), stream.end()])))
    return {f"{seconds:g} s": _figures(lines) for seconds, lines in told.items()} | {"the whole line": whole}


class _Replayed(Stream):
    """A stream that hears no window twice that another stream of the same line has heard."""

    def __init__(
        self,
        recognizer: Recognizer,
        voice: VoiceProfile | None,
        seconds: float,
        heard: dict[bytes, NDArray[np.float32]],
    ) -> None:
        super().__init__(recognizer, voice, seconds)
        self._heard_windows = heard

    def _hear(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        key = window.tobytes()
        if key not in self._heard_windows:
            self._heard_windows[key] = super()._hear(window)
        return self._heard_windows[key]


def example(
    recognizer: Recognizer, spliced: Sequence[Told]
) -> tuple[dict[str, changes.Floats], Sequence[float]] | None:
    """A line's mixtures as they are, as windows tell them, and as the whole line is told, and its borders.

    Of the lines with several borders the one with the median error; None if there are none.
    """
    told = [(s, changes.shares(recognizer.concentration(s.heard, s.voices[ALL]))) for s in spliced]
    told = [(s, whole) for s, whole in told if len(s.line.borders) >= EXAMPLE_BORDERS]
    if not told:
        return None
    told.sort(key=lambda pair: changes.mean_absolute_error(pair[1], pair[0].line.mixtures))
    splice, whole = told[len(told) // 2]
    window, stride = round(WINDOW_SECONDS * SAMPLE_RATE), round(STRIDE_SECONDS * SAMPLE_RATE)
    starts = range(0, max(1, len(splice.samples) - window + 1), stride)
    heard = [recognizer.hear(AudioArray(splice.samples[start : start + window], SAMPLE_RATE)) for start in starts]
    means = np.stack(
        [changes.shares(recognizer.concentration(each, splice.voices[ALL])).mean(axis=0) for each in heard]
    )
    middles = (np.array(starts) + window / 2) / SAMPLE_RATE * FRAME_RATE
    frames = np.arange(len(whole))
    return {
        "what the line is made of": splice.line.mixtures.astype(np.float64),
        f"told in windows of {WINDOW_SECONDS:g} s every {STRIDE_SECONDS:g} s": np.stack(
            [np.interp(frames, middles, share) for share in means.T], axis=1
        ),
        "told in one pass": whole,
    }, splice.line.borders


def _splices(recognizer: Recognizer, profiles: Mapping[Clip, VoiceProfile], counts: dict[str, int]) -> Iterator[Told]:
    for number, own in enumerate(by_speaker(acted(list(profiles))).values()):
        random = np.random.default_rng([SEED, number])
        tests = [clip for clip in own if not clip.reference_only]
        if not tests:
            continue
        for kind in [kind for kind, count in counts.items() for _ in range(count)]:
            splice = draw(kind, tests, random)
            spliced = render(splice, random)
            others = [profiles[clip] for clip in own if clip not in splice.clips]
            order = random.permutation(len(others))
            yield Told(
                changes.Known(kind, spliced.mixtures, spliced.borders),
                spliced.samples,
                recognizer.hear(AudioArray(spliced.samples, SAMPLE_RATE)),
                {setting: merge(others[index] for index in order[:most]) for setting, most in VOICES.items()},
            )


def _figures(told: Sequence[tuple[changes.Known, NDArray[np.float32]]]) -> dict[str, Any]:
    """Figures that nothing could be measured for are None."""
    found = changes.figures([changes.shares(alpha) for _, alpha in told], [line for line, _ in told])
    return {"lines": len(told), **{name: None if np.isnan(value) else value for name, value in found.items()}}
