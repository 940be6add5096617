"""Whether a line is told alike at any length and wherever the windows join; prints a markdown table.

    python benchmarks/long_lines.py [LINE …]

The lines, of one speaker, make one of ten minutes: in random order, with pauses of up to 0.8 s between them. It is
recognised against all of them as the voice: whole, without its first seconds, so that windows join elsewhere, and in
pieces of ten seconds. What differs, differs in the mean mixture, 0 to 1 an emotion. Without LINE, the sample line.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from numpy.typing import NDArray

import dser_ext
from dser_ext.audio import AudioArray, AudioFile
from dser_ext.emotion.track import FRAME_RATE

RATE = 16_000
SECONDS, PIECE_SECONDS, LONGEST_PAUSE = 600, 10, 0.8
EDGE_SECONDS = 30  # at both ends that do not count where windows are moved


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lines", nargs="*", metavar="LINE", help="sound files of one speaker")
    files = parser.parse_args().lines or [dser_ext.sample_line()]
    warnings.simplefilter("ignore", dser_ext.DserWarning)
    recognizer = dser_ext.Recognizer()
    voice, errors = recognizer.voice(files, "the lines")
    for error in errors:
        raise SystemExit(str(error))
    samples = _joined([np.concatenate(list(AudioFile(file).blocks())) for file in files])

    def told(part: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(recognizer.track(recognizer.hear(AudioArray(part, RATE)), voice.profile).mean)

    card = recognizer.bundle.card
    step, overlap = (round(card[name] * FRAME_RATE) for name in ("window_seconds", "overlap_seconds"))
    step -= overlap
    whole = told(samples)
    inner = np.arange(len(whole))[EDGE_SECONDS * FRAME_RATE : -EDGE_SECONDS * FRAME_RATE]
    moves = np.abs(np.diff(whole, axis=0)).mean(axis=1)
    joins = (inner - 1) % step < overlap  # windows start every `step` frames and fade at their start
    print("| | at joins | elsewhere | strongest emotion another, share of frames |\n|---|---|---|---|")
    print(f"| from one frame to the next | {moves[inner[joins]].mean():.4f} | {moves[inner[~joins]].mean():.4f} | |")
    moved = step // 2
    other = np.concatenate([np.zeros((moved, whole.shape[1])), told(samples[moved * RATE // FRAME_RATE :])])
    differs = np.abs(whole - other).mean(axis=1)
    either = joins | ((inner - moved) % step < overlap)
    print(
        f"| windows that join {moved / FRAME_RATE:g} s later | {differs[inner[either]].mean():.4f} | "
        f"{differs[inner[~either]].mean():.4f} | {_turned(whole[inner], other[inner]):.4f} |"
    )
    size = PIECE_SECONDS * FRAME_RATE
    pieces = np.concatenate(
        [told(samples[at * RATE // FRAME_RATE :][: PIECE_SECONDS * RATE]) for at in range(0, len(whole), size)]
    )[: len(whole)]
    differs = np.abs(whole - pieces).mean(axis=1)
    edge = np.minimum(np.arange(len(whole)) % size, size - 1 - np.arange(len(whole)) % size) < FRAME_RATE
    print(
        f"| {PIECE_SECONDS} s alone; within 1 s of their ends, and elsewhere | {differs[edge].mean():.4f} | "
        f"{differs[~edge].mean():.4f} | {_turned(whole, pieces):.4f} |"
    )


def _turned(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.mean(one.argmax(axis=1) != other.argmax(axis=1)))


def _joined(lines: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Ten minutes of the lines."""
    random = np.random.default_rng(0)
    parts: list[NDArray[np.float32]] = []
    while sum(map(len, parts)) < SECONDS * RATE:
        for index in random.permutation(len(lines)):
            parts += [lines[index], np.zeros(round(random.uniform(0, LONGEST_PAUSE) * RATE), np.float32)]
    return np.concatenate(parts)[: SECONDS * RATE]


if __name__ == "__main__":
    main()
