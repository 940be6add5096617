"""What a batch costs beside the recognition itself: python benchmarks/batch.py [--lines 1000]

On as many lines of three seconds, each cut elsewhere from the bundled speech, prints in one run: wall time against pure
recognition time divided by the workers; two workers against one; memory after 100 lines and at the end; a run with
nothing to do; a run in another style, from kept features.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import soundfile

from dser_ext.audio import SAMPLE_RATE, AudioFile, read
from dser_ext.recognition.recognizer import Recognizer

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 3
DSER = [sys.executable, "-m", "dser_ext.cli.main", "batch"]


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=2, help="of which the faster counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_lines(folder / "in", options.lines)
        measure(folder, options.lines, options.rounds)


def measure(folder: Path, lines: int, rounds: int) -> None:
    """Run everything on a folder of lines."""
    cores = len(os.sched_getaffinity(0))
    pure, one, many = (float("inf"),) * 3
    memory: list[tuple[int, float]] = []
    for turn in range(rounds):
        pure = min(pure, pure_seconds(folder / "in", lines))
        one = min(one, batch(folder, f"one{turn}", "--jobs", "1")[0])
        seconds, seen = batch(folder, f"many{turn}", "--jobs", str(cores))
        if seconds < many:
            many, memory = seconds, seen
    again, _ = batch(folder, f"many{rounds - 1}", "--jobs", str(cores))
    styled, _ = batch(folder, f"many{rounds - 1}", "--jobs", str(cores), "--style", "expressive")
    voiced, _ = batch(folder, "voiced", "--jobs", str(cores), "--voice-by", "folder")
    print(f"pure recognition, one thread: {1000 * pure / lines:.1f} ms a line of {SECONDS} s")
    print(
        f"{cores} workers: {1000 * many / lines:.1f} ms a line = {many / (pure / cores):.3f} x pure / {cores} "
        "(aim <= 1.15)"
    )
    print(
        f"1 worker: {1000 * one / lines:.1f} ms a line; {cores} workers are {one / many:.2f} x as fast "
        "(aim >= 1.8 of 2)"
    )
    early = next(mib for done, mib in memory if done >= lines / 10)
    print(
        f"memory, all processes: {early:.0f} MiB after {lines // 10} lines, {memory[-1][1]:.0f} MiB at the end "
        f"({100 * (memory[-1][1] / early - 1):+.1f} %, aim within 5)"
    )
    print(f"nothing to do: {1000 * again / lines:.2f} ms a line, start included (aim <= 2)")
    print(f"another style, from kept features: {1000 * styled / lines:.1f} ms a line")
    print(f"with the folder's voice: {1000 * voiced / lines:.1f} ms a line")


def make_lines(folder: Path, count: int) -> None:
    """Lines of real speech, no two alike."""
    folder.mkdir()
    speech = np.concatenate([read(path) for path in sorted((ROOT / "samples").rglob("*.ogg"))])
    generator = np.random.default_rng(0)
    for number in range(count):
        start = generator.integers(0, len(speech) - SECONDS * SAMPLE_RATE)
        line = speech[start : start + SECONDS * SAMPLE_RATE] * generator.uniform(0.3, 1)
        soundfile.write(folder / f"line {number:05}.wav", line, SAMPLE_RATE, subtype="PCM_16")


def pure_seconds(folder: Path, lines: int) -> float:
    """Decoding and both networks for all lines, one after the other in one thread."""
    recognizer = Recognizer(device="cpu", threads=1)
    recognizer.warm()
    paths = sorted(folder.iterdir())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.perf_counter()
        for path in paths[:lines]:
            recognizer.track(recognizer.hear(AudioFile(path)))
        return time.perf_counter() - began


def batch(folder: Path, out: str, *arguments: str) -> tuple[float, list[tuple[int, float]]]:
    """Seconds from start to end of a run, and lines done and memory (MiB) meanwhile."""
    place = folder / out
    began = time.perf_counter()
    process = subprocess.Popen(
        [*DSER, str(folder / "in"), str(place), *arguments], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    seen: list[tuple[int, float]] = []
    watcher = threading.Thread(target=watch, args=(process, place, seen))
    watcher.start()
    assert process.wait() == 0
    seconds = time.perf_counter() - began
    watcher.join()
    return seconds, seen


def watch(process: subprocess.Popen[bytes], place: Path, seen: list[tuple[int, float]]) -> None:
    """Twice a second: how many results there are, and what the run and its workers hold (unshared, and shared once)."""
    while process.poll() is None:
        time.sleep(0.5)
        done = len(list(place.glob("*.json"))) if place.exists() else 0
        mib = sum(unshared_mib(pid) for pid in family(process.pid))
        if mib and process.poll() is None:
            seen.append((done, mib))


def family(pid: int) -> list[int]:
    """A process and its children."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in family(int(child)))]


def unshared_mib(pid: int) -> float:
    """Proportional set size."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return next((int(row.split()[1]) / 1024 for row in text.splitlines() if row.startswith("Pss:")), 0.0)


if __name__ == "__main__":
    main()
