"""Splices: clips of one speaker put one after the other, with known borders between their emotions.

No corpus with emotions that change over time is public; splices make one whose truth is exact. What joins two clips
must not give the border away: both have one level, pauses are filled with the room tone of both, and some joints lie
between clips of one emotion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.recognition.speech import HOP, loud_frames
from dser_training.corpora.clip import Clip, CorpusError
from dser_training.stages.sounds import joined, levelled, sound

KINDS = ("changes", "stay", "glide")
"""Several emotions, one that stays, and one that slowly becomes another."""
PARTS = (2, 5)  # clips of a splice with changes
SAME_SHARE = 0.2  # of their joints that lie between clips of one emotion
STAY_FRAMES = 10 * FRAME_RATE  # that one emotion stays for at least, where the speaker has enough of it
PAUSE_SHARE, LONGEST_PAUSE = 0.7, 0.8  # of joints that are pauses, and seconds; the others are crossfades
GLIDE_SECONDS = (1.0, 2.0)
FADE_FRAMES = 3  # of a crossfade, 60 ms
EDGE_FRAMES = 5  # of a clip that are kept before and after its speech
TONE_FRAMES = 10  # that a clip's room tone is taken from, its quietest

Sound = NDArray[np.float32]
Random = np.random.Generator
Change = Callable[[Sound], Sound]
"""What every clip of a voice goes through alike; it keeps whole frames."""


@dataclass(frozen=True)
class Splice:
    """Which clips of a speaker, and what joins them.

    kind: one of KINDS. joints: frames after each clip but the last: of a pause, or, below zero, in which one clip turns
    into the next.
    """

    kind: str
    clips: tuple[Clip, ...]
    joints: tuple[int, ...]


@dataclass(frozen=True)
class Spliced:
    """A splice's sound and truth.

    samples: (320 F,) at 16 kHz. mixtures: (F, 6), what is expressed in each frame; rows sum to 1.
    borders: seconds at which the strongest emotion changes.
    """

    samples: Sound
    mixtures: NDArray[np.float32]
    borders: tuple[float, ...]


def draw(kind: str, clips: Sequence[Clip], random: Random) -> Splice:
    """A splice of one speaker's clips, each of which has an emotion and stands in it once.

    Raises CorpusError if the speaker has no two clips of different emotions, which changes are made of.
    """
    order = [clips[index] for index in random.permutation(len(clips))]
    if kind == "stay":
        chosen = _enough([clip for clip in order if clip.emotion == order[0].emotion])
        return Splice(kind, tuple(chosen), tuple(_pause(random) for _ in chosen[1:]))
    count = 2 if kind == "glide" else int(random.integers(PARTS[0], PARTS[1] + 1))
    chosen = order[:1]
    for _ in range(count - 1):
        same = kind == "changes" and len(chosen) > 1 and random.random() < SAME_SHARE
        fitting = [c for c in order if c not in chosen and (c.emotion == chosen[-1].emotion) == same]
        chosen += fitting[:1]
    if len({clip.emotion for clip in chosen}) < 2:
        raise CorpusError(f"{order[0].speaker}: no clips of two emotions to splice; leave this speaker out")
    if kind == "glide":
        return Splice(kind, tuple(chosen), (-round(random.uniform(*GLIDE_SECONDS) * FRAME_RATE),))
    return Splice(kind, tuple(chosen), tuple(_pause(random) for _ in chosen[1:]))


def as_it_is(samples: Sound) -> Sound:
    """No change."""
    return samples


def render(splice: Splice, random: Random, change: Change = as_it_is) -> Spliced:
    """The sound of a splice. change: what every clip goes through alike, such as a virtual voice."""
    parts = [_spoken(change(sound(clip))) for clip in splice.clips]
    pieces, fades, of_part = parts[:1], [], [0]
    for number, (joint, part) in enumerate(zip(splice.joints, parts[1:], strict=True), start=1):
        if joint > 0:
            pieces.append(_pause_between(parts[number - 1], part, joint + 2 * FADE_FRAMES, random))
            fades.append(FADE_FRAMES)
            of_part.append(-1)
        fades.append(FADE_FRAMES if joint >= 0 else min(-joint, len(parts[number - 1]) // HOP, len(part) // HOP))
        pieces.append(part)
        of_part.append(number)
    samples, starts = joined(pieces, fades)
    count = len(samples) // HOP
    begins = [start for start, part in zip(starts, of_part, strict=True) if part >= 0]
    ends = [start + len(part) // HOP for start, part in zip(begins, parts, strict=True)]
    emotions = [clip.emotion for clip in splice.clips]
    mixtures = np.zeros((count, len(EMOTIONS)), np.float32)
    mixtures[:, emotions[0]] = 1
    frames, borders = np.arange(count) + 0.5, []
    for before, after, end, begin in zip(emotions, emotions[1:], ends, begins[1:], strict=False):
        middle = (end + begin) / 2
        slope = end - begin if end - begin > FADE_FRAMES else 0  # frames that a glide takes
        later = np.clip((frames - middle) / slope + 0.5, 0, 1) if slope else (frames > middle).astype(float)
        mixtures *= 1 - later[:, None]
        mixtures[:, after] += later
        if after != before:
            borders.append(middle / FRAME_RATE)
    return Spliced(samples, mixtures, tuple(borders))


def _pause(random: Random) -> int:
    return round(random.uniform(0, LONGEST_PAUSE) * FRAME_RATE) if random.random() < PAUSE_SHARE else 0


def _enough(clips: Sequence[Clip]) -> list[Clip]:
    """The first of these that last for STAY_FRAMES together."""
    chosen, frames = [], 0
    for clip in clips:
        if frames < STAY_FRAMES:
            chosen.append(clip)
            frames += len(_spoken(sound(clip))) // HOP
    return chosen


def _spoken(samples: Sound) -> Sound:
    """Samples from a little before the first speech to a little after the last, at one level."""
    loud = np.flatnonzero(loud_frames(samples))
    if not len(loud):
        return samples
    start, stop = max(0, loud[0] - EDGE_FRAMES), loud[-1] + 1 + EDGE_FRAMES
    return levelled(samples)[start * HOP : stop * HOP]


def _pause_between(before: Sound, after: Sound, frames: int, random: Random) -> Sound:
    """The room tone of one clip, turning into that of the next."""
    later = np.linspace(0, 1, frames * HOP, dtype=np.float32)
    return (1 - later) * _room_tone(before, frames, random) + later * _room_tone(after, frames, random)


def _room_tone(samples: Sound, frames: int, random: Random) -> Sound:
    """Noise with the spectrum of the clip's quietest stretch."""
    power = np.convolve(np.square(samples).reshape(-1, HOP).sum(axis=1), np.ones(TONE_FRAMES), mode="valid")
    start = int(power.argmin()) if len(power) and len(samples) >= TONE_FRAMES * HOP else 0
    quiet = samples[start * HOP : (start + TONE_FRAMES) * HOP]
    spectrum = np.abs(rfft(quiet * np.hanning(len(quiet)))) / np.sqrt(np.square(np.hanning(len(quiet))).sum())
    noise = rfft(random.standard_normal(frames * HOP, dtype=np.float32))
    shape = np.interp(np.linspace(0, 1, len(noise)), np.linspace(0, 1, len(spectrum)), spectrum)
    return np.asarray(irfft(noise * shape, frames * HOP), np.float32)
