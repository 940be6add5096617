"""The study of stage 3: what it tries, and that it tells what happened."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from dser_training.config import ConfigError
from dser_training.evaluation.feedback import Feedback, study, trials
from dser_training.main import main

ROOT = Path(__file__).parents[3]
SETTINGS = yaml.safe_load((ROOT / "training/configs/feedback.yaml").read_text(encoding="utf-8"))


def test_every_count_noise_and_beta_is_tried() -> None:
    wanted = Feedback(**SETTINGS)
    tried = trials(wanted)
    assert {(trial.count, trial.annotator.wrong) for name, trial in tried.items() if name.startswith("answers")} == {
        (count, wrong) for count in (200, 500, 1000, 1500) for wrong in (0.0, 0.1, 0.25)
    }
    betas = {trial.settings["beta"] for name, trial in tried.items() if name.startswith("β")}
    assert betas == {0.01, 0.1, 0.5, 10}
    assert len(trials(replace(wanted, betas=[]))) == len(tried) - 4


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"sets": ["develop"]}, "no set learned from"),
        ({"sets": ["mars"]}, "must be of"),
        ({"colour": 3}, "nothing else"),
        ({"preference": {"colour": 3}}, "colour is no setting"),
    ],
)
def test_what_cannot_be_tried_is_said_before_any_work(tmp_path: Path, settings: dict, reason: str) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(yaml.safe_dump(SETTINGS | settings))
    with pytest.raises(ConfigError, match=reason):
        study(path, [])


@pytest.mark.slow
def test_a_small_study_from_splices_to_tables(tmp_path: Path, few_actors) -> None:
    corpus = few_actors(tmp_path / "crema-d", {"develop": 2, "test": 1}, 30)
    form = SETTINGS | {"corpora": {"crema-d": str(corpus)}, "validate": "", "sets": ["test"], "lines": 3}
    form |= {"counts": [12], "wrong": [0.0], "betas": [0.5, 10]}
    form["preference"] = {"run": str(tmp_path / "run"), "epochs": 2, "held_out": 0.5}
    (tmp_path / "f.yaml").write_text(yaml.safe_dump(form), encoding="utf-8")
    assert main(["feedback", "--config", str(tmp_path / "f.yaml"), "--output", str(tmp_path / "out")]) == 0
    document = json.loads((tmp_path / "out" / "feedback.json").read_text(encoding="utf-8"))
    before = document["before"]["CREMA-D test"]["all other lines"]["mean_absolute_error"]
    found = document["trials"]["answers: 12, 0% wrong"]
    assert found["answers"] == 12
    assert 0 < before < 0.3
    assert found["best"]["CREMA-D test"]["all other lines"]["mean_absolute_error"] != before
    text = (tmp_path / "out" / "feedback.md").read_text(encoding="utf-8")
    assert "**simulated**" in text
    assert f"| before | {document['before']['prefers']['nearer to the truth']:.3f} | {before:.4f} |" in text
    assert text.count("β =") == 2
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "trials").rglob("figures.json")}
    assert main(["feedback", "--config", str(tmp_path / "f.yaml")]) == 0  # nothing is trained twice
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "trials").rglob("figures.json")} == written
