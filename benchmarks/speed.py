"""How fast recognition is, and how much memory it takes; prints a markdown table.

    python benchmarks/speed.py [--lengths 1 3 30 600 7200]

Each length is recognised in turn with wav2vec2-base in Hugging Face transformers (eager, float32, random weights serve
for time) hearing as much, at most ten seconds at a time, so that both see the same machine in the same minute; the
ratio is what to quote. Needs the training extra for the comparison.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

import dser_ext

RATE = 16_000
COMPARED_SECONDS = 10.0  # at most
PEAK = r"""
import re, sys
from pathlib import Path
from dser_ext.cli.main import main
sys.exit(main(sys.argv[1:]) or print(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]))
"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", type=float, nargs="+", default=[1, 3, 30, 600, 7200], metavar="SECONDS")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each; the median counts")
    options = parser.parse_args()
    speech, _ = soundfile.read(dser_ext.sample_line(), dtype="float32")
    with tempfile.TemporaryDirectory() as folder:
        lines = {seconds: _line(Path(folder), speech, seconds) for seconds in options.lengths}
        _command(Path(folder), _line(Path(folder), speech, 3.0), options.repeat)
        _compute(lines, options.repeat)
        _memory(Path(folder), lines[max(lines)], max(lines))


def _line(folder: Path, speech: np.ndarray, seconds: float) -> Path:
    """Speech of this length: the sample line over and over, from a place that differs each time."""
    path = folder / f"{seconds:g}.wav"
    random = np.random.default_rng(0)
    left = round(seconds * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        while left:
            piece = np.roll(speech, random.integers(len(speech)))[:left]
            file.write(piece)
            left -= len(piece)
    return path


def _command(folder: Path, line: Path, repeat: int) -> None:
    command = [sys.executable, "-m", "dser_ext.cli.main", "emote", str(line), "-o", str(folder / "line.json")]
    took = [_timed(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(repeat + 1)][1:]
    print(
        f"\ndser emote, 3 s line, start to finished JSON: median {np.median(took):.2f} s, slowest {max(took):.2f} s\n"
    )


def _compute(lines: dict[float, Path], repeat: int) -> None:
    from dser_ext.recognition.recognizer import recognize

    wav2vec2 = _wav2vec2()
    recognize(lines[min(lines)])
    print("| line | ms for 1 s of speech | wav2vec2-base, eager | times faster |\n|---|---|---|---|")
    for seconds, line in lines.items():
        compared = min(seconds, COMPARED_SECONDS)
        wav2vec2(compared)
        ours, theirs = [], []
        for _ in range(repeat if seconds <= 60 else 1):
            theirs.append(_timed(lambda compared=compared: wav2vec2(compared)) / compared)
            ours.append(_timed(lambda line=line: recognize(line)) / seconds)
            theirs.append(_timed(lambda compared=compared: wav2vec2(compared)) / compared)
        mine, other = float(np.median(ours)), float(np.median(theirs))
        print(f"| {seconds:g} s | {1000 * mine:.1f} | {1000 * other:.1f} | {other / mine:.1f} |", flush=True)


def _wav2vec2() -> Callable[[float], object]:
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    model = Wav2Vec2Model(Wav2Vec2Config()).eval()

    def run(seconds: float) -> object:
        with torch.inference_mode():
            return model(torch.randn(1, round(seconds * RATE)))

    return run


def _memory(folder: Path, line: Path, seconds: float) -> None:
    """The peak as Linux tells it; getrusage's counts what the parent had when it started the child."""
    command = [sys.executable, "-c", PEAK, "emote", str(line), "-o", str(folder / "long.json")]
    start = time.perf_counter()
    peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1024
    print(f"\ndser emote, {seconds:g} s line: {time.perf_counter() - start:.0f} s, peak memory {peak:.0f} MiB")


def _timed(run) -> float:
    time.sleep(0.1)  # until the other's threads, which wait busily for more work, have come to rest
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
