"""dser-train evaluate --truth: a model's error with the other lines as the voice, and without."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from dser_training.inversion import document
from dser_training.main import main

import dser_ext
from dser_ext.audio import AudioFile, read
from dser_ext.recognition.recognizer import Recognizer, recognize_lines

SECONDS = 3
TIMES = np.arange(0, SECONDS, 0.04)
COMMAND = ["evaluate", "--config", "training/configs/truth.yaml", "--bundle", "dser-base", "same_voice=true"]


def lines(folder: Path, count: int) -> list[Path]:
    """Pieces of one speaker's line, and a track of no emotion for each beside it."""
    sounds = []
    for index, start in enumerate(range(0, count * SECONDS, SECONDS)):
        sound = folder / f"{index}.wav"
        soundfile.write(sound, read(dser_ext.sample_line())[start * 16_000 : (start + SECONDS) * 16_000], 16_000)
        none = np.zeros((len(TIMES), 10))
        head = {"audio": {"path": str(sound)}, "offset": {"seconds": 0.0}}
        rows = {"times": TIMES, "emotions": none, "low": none, "high": none}
        document.write(head, rows, folder / f"{index}.json")
        sounds.append(sound)
    return sounds


@pytest.mark.slow
def test_the_other_lines_are_the_voice_in_rows_of_their_own(tmp_path: Path, capsys) -> None:
    from dser_training.inversion.score import _shown

    sounds = lines(tmp_path, 2)
    assert main([*COMMAND, "--truth", str(tmp_path), "--json"]) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert len(models) == 5
    recognizer = Recognizer("dser-base", "cpu")
    told = [_shown(track, TIMES) for _, track in recognize_lines(recognizer, sounds, same_voice=True)]
    assert models["dser-base, sequence, same voice"]["mae"] == pytest.approx(np.mean(told), abs=1e-3)
    alone = [_shown(recognizer.track(recognizer.hear(AudioFile(sound))), TIMES) for sound in sounds]
    assert models["dser-base, sequence"]["mae"] == pytest.approx(np.mean(alone), abs=1e-3)
    for kind in ("sequence", "sliding window"):
        assert models[f"dser-base, {kind}, same voice"]["mae"] != models[f"dser-base, {kind}"]["mae"]


@pytest.mark.slow
def test_one_line_has_no_others_for_a_voice(tmp_path: Path, capsys) -> None:
    lines(tmp_path, 1)
    assert main([*COMMAND, "--truth", str(tmp_path)]) == 1
    assert "same_voice needs two lines with speech" in capsys.readouterr().err
