"""kill -9 at any moment loses nothing: the same command goes on, and ends with what an uninterrupted run ends with."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made import VOICE, results, short_line

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="signals are of POSIX"),
]
LINES, KILLS = 300, 50
OPTIONS = ["--jobs", "2", "--voice-by", "folder", "--format", "json,csv,a2f-yaml"]


def start(source: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dser_ext.cli.main", "batch", str(source), str(out), *OPTIONS]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def count(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*.json") if ".dser" not in path.parts)


def test_fifty_kills_at_random_moments_change_nothing(tmp_path):
    source = tmp_path / "in"
    for number in range(LINES):
        path = source / f"voice {number % 6}" / f"{number}.wav"
        short_line(path, VOICE[number % len(VOICE)], start=0.002 * number)
    assert start(source, tmp_path / "whole").wait() == 0
    expected = results(tmp_path / "whole")
    assert len(expected) == 3 * LINES
    chance, killed, finished = random.Random(0), 0, 0
    interrupted = tmp_path / "out"
    while killed < KILLS:
        process = start(source, interrupted)
        try:
            process.wait(timeout=chance.uniform(0.1, 1.4))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        else:  # done: begin anew with what is left of the kills
            finished += 1
            assert results(interrupted) == expected
            interrupted = tmp_path / f"out {finished}"
        time.sleep(0.05)  # workers of a killed run end a moment later
        assert all(data == expected[name] for name, data in results(interrupted).items() if not name.endswith(".part"))
    assert start(source, interrupted).wait() == 0
    assert results(interrupted) == expected
