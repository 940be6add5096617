"""The sound of clips, one by one and joined."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import SAMPLE_RATE, read
from dser_ext.recognition.speech import HOP, loud_frames
from dser_training.corpora.clip import Clip
from dser_training.networks import LEVEL

LONGEST_SECONDS = 12.0  # of a clip
CROSSFADE_FRAMES = 2  # 40 ms

Sound = NDArray[np.float32]


def sound(clip: Clip) -> Sound:
    """The clip's samples at 16 kHz, a whole number of frames, at most LONGEST_SECONDS."""
    return whole_frames(_decoded(clip).astype(np.float32))


@lru_cache(maxsize=20_000)
def _decoded(clip: Clip) -> NDArray[np.float16]:
    """In half precision, so that CREMA-D takes half a GB."""
    return read(clip.path)[: int(LONGEST_SECONDS * SAMPLE_RATE)].astype(np.float16)


def whole_frames(samples: Sound) -> Sound:
    """Samples without what is left over at the end; at least one frame, silent if there is none."""
    if len(samples) < HOP:
        return np.pad(samples, (0, HOP - len(samples)))
    return samples[: len(samples) // HOP * HOP]


def cut(samples: Sound, frames: int, random: np.random.Generator) -> Sound:
    """At most so many frames of it, with speech in them."""
    spare = len(samples) // HOP - frames
    if spare <= 0:
        return samples
    loud = np.flatnonzero(loud_frames(samples))
    start = random.integers(spare + 1)
    if len(loud):
        middle = loud[np.abs(loud - loud.mean()).argmin()]  # of the speech; the mean itself may lie in a pause
        start = np.clip(start, middle - frames + 1, middle).clip(0, spare)
    return samples[start * HOP : (start + frames) * HOP]


def joined(sounds: Sequence[Sound], fades: Sequence[int] | None = None) -> tuple[Sound, list[int]]:
    """Sounds one after the other, crossfaded, and the frame that each starts at.

    fades: frames of each crossfade, shorter where a sound is; CROSSFADE_FRAMES if not given. Sounds are whole frames.
    """
    fades = [CROSSFADE_FRAMES] * (len(sounds) - 1) if fades is None else fades
    total, starts = np.array(sounds[0], np.float32), [0]
    for samples, frames in zip(sounds[1:], fades, strict=True):
        fade = min(frames * HOP, len(samples), len(total) - starts[-1] * HOP)
        ramp = np.linspace(0, 1, fade, dtype=np.float32)
        starts.append((len(total) - fade) // HOP)
        total = np.concatenate([total, samples[fade:]])
        both = slice(starts[-1] * HOP, starts[-1] * HOP + fade)
        total[both] = total[both] * ramp[::-1] + samples[:fade] * ramp
    return total, starts


def levelled(samples: Sound) -> Sound:
    """Samples whose loud frames have the level that speech is brought to."""
    loud = samples[: len(samples) // HOP * HOP][np.repeat(loud_frames(samples), HOP)]
    return samples * np.float32(LEVEL / (np.sqrt(np.square(loud).mean()) + 1e-9 if len(loud) else 1.0))
