"""Running commands in this process, and lines of speech to run them on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

import dser_ext
from dser_ext.cli.main import main

SAMPLES = Path(__file__).parents[2] / "samples"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    lines: list[str]  # on stderr, without the hint that a voice would help

    @property
    def line(self) -> str:
        """The only line on stderr."""
        assert len(self.lines) == 1, self.lines
        return self.lines[0]


@pytest.fixture
def dser(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs `dser` with these arguments."""

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        lines = [line for line in printed.err.splitlines() if "without a voice, speech" not in line]
        return Done(code, printed.out, lines)

    return run


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def line() -> Path:
    """line.wav: a second and a half of real speech."""
    samples, rate = soundfile.read(dser_ext.sample_line(), dtype="float32")
    soundfile.write("line.wav", samples[: 3 * rate // 2], rate)
    return Path("line.wav")


@pytest.fixture
def lines() -> list[Path]:
    """takes/: four lines of one actor."""
    shutil.copytree(SAMPLES / "voice", "takes")
    for spare in sorted(Path("takes").iterdir())[4:]:
        spare.unlink()
    return sorted(Path("takes").iterdir())


@pytest.fixture
def silence() -> Path:
    """silence.wav: a second of nothing."""
    soundfile.write("silence.wav", np.zeros(16_000, np.float32), 16_000)
    return Path("silence.wav")
