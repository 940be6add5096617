"""How fast `dser preview` films, apart from recognition: python benchmarks/preview.py [SECONDS].

Prints frames for each second of the clock and of the processor, with the encoder and for the pictures alone. The ratio
to the 30 frames of a second of video is what carries over to other machines.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dser_ext import sample_line
from dser_ext.audio import SAMPLE_RATE, AudioArray, read
from dser_ext.drawing.face.preview import preview
from dser_ext.drawing.face.shapes import SHAPES, TABLE
from dser_ext.drawing.face.stage import WAVEFORM_BINS, Stage
from dser_ext.emotion.curves import Curves
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.envelope import envelope

FPS = 30


def main() -> None:
    """Film the sample line, over and over up to the length given."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    samples = np.resize(read(sample_line()), round(seconds * SAMPLE_RATE))
    keys = Keyframes(np.linspace(0, seconds, 11), np.eye(11, 10, dtype=np.float32))
    audio, frames = AudioArray(samples, SAMPLE_RATE, "line"), round(seconds * FPS)
    stage = Stage("line", seconds, Curves(FPS, keys.at(np.arange(frames) / FPS)), envelope([samples], WAVEFORM_BINS))
    weights = [dict(zip(SHAPES, row.tolist(), strict=True)) for row in TABLE]

    def pictures() -> None:
        for number in range(frames):
            stage.frame(number / FPS, weights[number % len(weights)])

    _measure("pictures alone", frames, pictures)
    with tempfile.TemporaryDirectory() as folder:
        _measure("whole preview", frames, lambda: preview(Path(folder, "line.mp4"), audio, keys, FPS))


def _measure(name: str, frames: int, work: Callable[[], None]) -> None:
    clock, processor = time.perf_counter(), time.process_time()
    work()
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    print(f"{name}: {frames / clock:.1f} frames a second, {frames / processor:.1f} for each second of one processor")


if __name__ == "__main__":
    main()
