"""Where the lines of each set come from."""

from __future__ import annotations

import shutil
from pathlib import Path

from dser_training.config import UtteranceConfig
from dser_training.evaluation.sets import clips

from dser_ext.emotion.names import EMOTIONS


def test_a_set_has_the_actors_of_its_split(crema_d: Path) -> None:
    config = UtteranceConfig("", corpora={"crema-d": str(crema_d)})
    assert len(clips("test", config)) == 8
    assert clips("develop", config) == []


def test_a_corpus_that_the_configuration_does_not_name_has_no_lines() -> None:
    assert clips("ravdess", UtteranceConfig("")) == clips("read", UtteranceConfig("")) == []


def test_lines_without_one_of_the_six_emotions_are_left_out(crema_d: Path, tmp_path: Path) -> None:
    line = next((crema_d / "1058").iterdir())
    for emotion in ("02", "03", "08"):  # calm, happy, surprised
        shutil.copy(line, tmp_path / f"03-01-{emotion}-01-01-01-07.ogg")
    found = clips("ravdess", UtteranceConfig("", validate=str(tmp_path)))
    assert [(EMOTIONS[clip.emotion or 0], clip.reference_only) for clip in found] == [
        ("neutral", True),
        ("happiness", False),
    ]
