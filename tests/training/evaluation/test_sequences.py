"""Sliding windows against the sequence model, small: five real actors, a small random backbone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from dser_training.evaluation.voices import ALL, NONE
from dser_training.main import main

ROOT = Path(__file__).resolve().parents[3]
CONFIGS, CREMA_D = ROOT / "training" / "configs", ROOT.parent / "shared" / "data" / "crema-d"
pytestmark = pytest.mark.skipif(not CREMA_D.is_dir(), reason="needs ../shared/data")
ACTORS = {"train": 2, "develop": 1, "test": 1}
CLIPS_PER_ACTOR = 18


@pytest.mark.slow
def test_both_are_trained_and_measured_on_the_same_splices(
    few_actors: Callable[[Path, dict[str, int], int], Path],
    random_backbone: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    corpus = few_actors(tmp_path / "crema-d", ACTORS, CLIPS_PER_ACTOR)
    form = {
        "settings": {
            "backbone": str(random_backbone("whisper")), "corpora": {"crema-d": str(corpus)},
            "run": str(tmp_path / "run"), "train": "projection and head", "feature_size": 8, "epochs": 1, "workers": 0,
        },
        "sequence": {
            "corpora": {"crema-d": str(corpus)}, "voices": 1, "splices_per_voice": 2, "epochs": 1, "workers": 0,
        },
        "variants": {"voice, one": {"estimated": True}},
        "trained": {},
        "windows": [1.0, 0.6],
        "strides": [0.8],
        "sets": ["test", "develop"],
    }  # fmt: skip
    file = tmp_path / "table.yaml"
    file.write_text(yaml.safe_dump(form), encoding="utf-8")
    assert main(["sequences", "--config", str(file), "--output", str(tmp_path / "report")]) == 0
    printed = capsys.readouterr().out
    [sets] = json.loads((tmp_path / "report/sequences.json").read_text(encoding="utf-8"))["variants"].values()
    for title in ("CREMA-D develop", "CREMA-D test"):
        windows, whole = sets[title].keys()
        assert (windows, whole) == ("windows of 1 s every 0.8 s", "sequence model")
        assert all({NONE, ALL} < settings.keys() for settings in sets[title].values())
        assert f"## {title}" in printed
    form |= {"variants": {}, "trained": {"voice, one": str(tmp_path / "run" / "voice-one-sequence")}}
    file.write_text(yaml.safe_dump(form), encoding="utf-8")
    assert main(["sequences", "--config", str(file)]) == 0  # what is there is measured in the same way
    assert capsys.readouterr().out == printed
    file.write_text(yaml.safe_dump(form | {"sets": ["develop", "ravdess"]}), encoding="utf-8")
    assert main(["sequences", "--config", str(file)]) == 1
    assert "ravdess: nothing to measure on" in capsys.readouterr().err
    form["trained"] = {"voice, one": str(tmp_path / "run" / "voice-one")}
    file.write_text(yaml.safe_dump(form), encoding="utf-8")
    assert main(["sequences", "--config", str(file)]) == 1
    assert "no run of the sequence stage" in capsys.readouterr().err


def test_what_is_no_table_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "table.yaml"
    file.write_text("variants: {}", encoding="utf-8")
    assert main(["sequences", "--config", str(file)]) == 1
    assert "no table of sequences" in capsys.readouterr().err
    text = (CONFIGS / "table3.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("sets: [develop, test", "sets: [test"), encoding="utf-8")
    assert main(["sequences", "--config", str(file)]) == 1
    assert "with develop among them" in capsys.readouterr().err
