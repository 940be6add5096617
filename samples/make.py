"""Makes three_moods.ogg and voice/ from CREMA-D: python samples/make.py CREMA_D_FOLDER (16 kHz mono Ogg clips)."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SAMPLE_RATE = 16_000
SPLICED = ("1058_ITS_HAP_XX", "1058_WSI_ANG_XX", "1058_DFA_SAD_XX")
VOICE = (
    "1058_IEO_NEU_XX",
    "1058_TIE_ANG_XX",
    "1058_IOM_DIS_XX",
    "1058_IWW_FEA_XX",
    "1058_TAI_NEU_XX",
    "1058_MTI_SAD_XX",
    "1058_IWL_HAP_XX",
    "1058_TSI_NEU_XX",
)
LOUDNESS = 0.07  # root mean square of each clip: mood must not be told by level
MARGIN_SECONDS = 0.16  # of a clip's own room kept around its speech: the pauses of the line
CROSSFADE_SECONDS = 0.06
SPEECH_DECIBELS = -25  # quieter than the loudest moment by more than this is room, not speech


def main() -> None:
    """Write the line and the voice beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crema_d", type=Path, help="folder with ACTOR/ACTOR_SENTENCE_EMOTION_LEVEL.ogg")
    clips = parser.parse_args().crema_d
    here = Path(__file__).parent
    line = joined([levelled(trimmed(read(clips, name))) for name in SPLICED])
    soundfile.write(here / "three_moods.ogg", line, SAMPLE_RATE, format="OGG", subtype="OPUS")
    (here / "voice").mkdir(exist_ok=True)
    for name in VOICE:
        shutil.copyfile(place(clips, name), here / "voice" / f"{name}.ogg")


def place(clips: Path, name: str) -> Path:
    """Where the corpus has a clip."""
    return clips / name.partition("_")[0] / f"{name}.ogg"


def read(clips: Path, name: str) -> Samples:
    """A clip's samples."""
    samples, rate = soundfile.read(place(clips, name), dtype="float32")
    if rate != SAMPLE_RATE or samples.ndim != 1:
        raise SystemExit(f"{place(clips, name)}: not 16 kHz mono; convert the corpus first")
    return np.asarray(samples, np.float32)


def trimmed(samples: Samples) -> Samples:
    """From shortly before the speech to shortly after it."""
    hop = SAMPLE_RATE // 50
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop)
    power = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-12)
    speech = np.flatnonzero(power > power.max() + SPEECH_DECIBELS)
    margin = round(MARGIN_SECONDS * SAMPLE_RATE)
    return samples[max(0, speech[0] * hop - margin) : (speech[-1] + 1) * hop + margin]


def levelled(samples: Samples) -> Samples:
    """The clip at the loudness all clips get."""
    return samples * np.float32(LOUDNESS / np.sqrt(np.square(samples).mean()))


def joined(clips: list[Samples]) -> Samples:
    """Clips one after the other with equal-power crossfades."""
    fade = round(CROSSFADE_SECONDS * SAMPLE_RATE)
    rise = np.sin(np.linspace(0, np.pi / 2, fade)).astype(np.float32)
    line = clips[0]
    for clip in clips[1:]:
        seam = line[-fade:] * rise[::-1] + clip[:fade] * rise
        line = np.concatenate([line[:-fade], seam, clip[fade:]])
    return line


if __name__ == "__main__":
    main()
