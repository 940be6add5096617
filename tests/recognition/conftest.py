"""The shipped model, loaded once, and speech to try it on: one actor's lines, which are in the repository."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

import dser_ext
from dser_ext.recognition.recognizer import Recognizer, loaded

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="session")
def recognizer() -> Recognizer:
    return loaded()


@pytest.fixture(scope="session")
def moods() -> Path:
    """6.6 s: happy, then angry, then sad."""
    return dser_ext.sample_line()


@pytest.fixture(scope="session")
def lines() -> list[Path]:
    """Eight other lines of the same actor."""
    return sorted((SAMPLES / "voice").glob("*.ogg"))


@pytest.fixture(scope="session")
def speech(moods):
    """The samples of `moods`, (n,) float32 at 16 kHz."""
    return soundfile.read(moods, dtype="float32")[0]
