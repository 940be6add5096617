"""Variants of the stage compared, small: five real actors, a small random backbone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dser_training.evaluation.compare import compare
from dser_training.evaluation.comparison import load
from dser_training.evaluation.variant import Variant
from dser_training.evaluation.voices import ALL, NONE, SETTINGS
from dser_training.main import main
from dser_training.stages.run import Run

ROOT = Path(__file__).resolve().parents[3]
CONFIGS, SHARED = ROOT / "training" / "configs", ROOT.parent / "shared"
CREMA_D, RATINGS = SHARED / "data" / "crema-d", SHARED / "data" / "crema-d-ratings"
pytestmark = pytest.mark.skipif(not CREMA_D.is_dir(), reason="needs ../shared/data")
ACTORS = {"train": 3, "develop": 1, "test": 1}
CLIPS_PER_ACTOR = 12
SETS = ["CREMA-D develop", "CREMA-D test"]

Form = dict[str, Any]


@pytest.fixture(scope="module")
def corpus(few_actors: Callable[[Path, dict[str, int], int], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few clips of a few actors of each split, and the raters' votes."""
    folder = few_actors(tmp_path_factory.mktemp("corpora") / "crema-d", ACTORS, CLIPS_PER_ACTOR)
    shutil.copy(RATINGS / "tabulatedVotes.csv", folder)
    return folder


@pytest.fixture
def form(corpus: Path, random_backbone: Callable[[str], Path], tmp_path: Path) -> Form:
    """A comparison as YAML has it: two variants that share a backbone, two seeds."""
    return {
        "settings": {
            "backbone": str(random_backbone("whisper")),
            "corpora": {"crema-d": str(corpus)},
            "run": str(tmp_path / "run"),
            "train": "projection and head",
            "feature_size": 8,
            "epochs": 2,
            "clips_per_voice": 6,
            "workers": 0,
        },
        "variants": {"voice": {"votes": 0.5}, "plain": {"head": "plain", "objective": "dirichlet"}},
        "seeds": [1, 2],
        "sets": ["develop", "test", "ravdess"],
    }


def written(form: Form, folder: Path) -> Path:
    file = folder / "compare.yaml"
    file.write_text(yaml.safe_dump(form, sort_keys=False), encoding="utf-8")
    return file


def tables(text: str) -> dict[tuple[str, str], list[list[str]]]:
    """The rows of each table by its set and figure."""
    found = {}
    for section in text.split("\n## ")[1:]:
        title, *parts = section.split("\n\n")
        for part in parts:
            head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines()]
            assert head[1:] == list(SETTINGS)
            found[title.partition(",")[0], head[0]] = rows
    return found


def times(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["table2", "targets"])
def test_the_comparisons_that_come_with_it_can_be_used(name: str) -> None:
    configs = load(CONFIGS / f"{name}.yaml", []).configs()
    assert len({repr(config) for config in configs.values()}) == len(configs) > 1


@pytest.mark.slow
def test_a_comparison_has_a_row_a_variant_and_a_column_a_voice_setting(
    form: Form, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "compared"
    assert main(["compare", "--config", str(written(form, tmp_path)), "--output", str(output)]) == 0
    text = (output / "comparison.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.strip() == text.strip()
    found = tables(text)
    assert list(found) == [
        (title, what) for title in SETS for what in ("accuracy", "calibration error", "log-likelihood")
    ]
    for rows in found.values():
        assert [row[0] for row in rows] == ["voice", "plain"]
        assert all(" ± " in cell for cell in rows[0][1:])
        assert rows[1][2:] == ["–"] * (len(SETTINGS) - 1)
    document = json.loads((output / "comparison.json").read_text(encoding="utf-8"))
    figures = document["variants"]["voice"]["sets"]["CREMA-D test"]["all other lines"]
    accuracy = figures["accuracy"]
    assert figures["lines"] == CLIPS_PER_ACTOR
    assert accuracy["mean"] == pytest.approx(sum(accuracy["seeds"]) / 2, abs=1e-4)
    assert document["variants"]["plain"]["settings"] == form["variants"]["plain"]


@pytest.mark.slow
def test_the_same_settings_give_the_same_figures_and_another_seed_others(form: Form, tmp_path: Path) -> None:
    texts = []
    for name in ("once", "again"):
        form["settings"]["run"] = str(tmp_path / name)
        texts.append(compare(load(written(form, tmp_path), [])))
    assert texts[0] == texts[1]
    other = compare(load(written(form, tmp_path), ["seeds=[3]", "settings.epochs=1"]))
    assert " ± " not in tables(other)["CREMA-D test", "accuracy"][0][1]
    assert tables(other)["CREMA-D test", "log-likelihood"] != tables(texts[0])["CREMA-D test", "log-likelihood"]


@pytest.mark.slow
def test_a_comparison_that_was_stopped_goes_on_and_does_nothing_twice(
    form: Form, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs: list[int] = []
    stop_at: list[int] = []
    epoch = Run._epoch

    def counted(run: Run) -> float:
        epochs.append(run.progress["epoch"])
        if len(epochs) in stop_at:
            raise KeyboardInterrupt
        return epoch(run)

    monkeypatch.setattr(Run, "_epoch", counted)
    uninterrupted = compare(load(written(form, tmp_path), [f"settings.run={tmp_path / 'uninterrupted'}"]))
    assert epochs == [0, 1] * 4
    run = tmp_path / "run"
    epochs.clear()
    stop_at.append(6)
    with pytest.raises(KeyboardInterrupt):
        compare(load(written(form, tmp_path), []))
    before = times(run)
    assert len(list(run.glob("*/figures-*.json"))) == 2
    epochs.clear()
    stop_at.clear()
    assert compare(load(written(form, tmp_path), [])) == uninterrupted
    assert epochs == [1, 0, 1]
    after = times(run)
    done = [name for name in before if not name.endswith(("last.safetensors", "best.safetensors", "config.json"))]
    assert len(done) == 6  # figures, the scale, and what was heard: lines to train on and those of two sets
    assert {name: after[name] for name in done} == {name: before[name] for name in done}
    compare(load(written(form, tmp_path), []))
    assert times(run) == after


@pytest.mark.slow
def test_another_set_or_variant_is_measured_without_training_anew(form: Form, tmp_path: Path) -> None:
    compare(load(written(form | {"sets": ["develop"]}, tmp_path), ["seeds=[1]"]))
    before = times(tmp_path / "run")
    form["variants"]["renamed"] = form["variants"].pop("voice")
    text = compare(load(written(form, tmp_path), ["seeds=[1]"]))
    after = times(tmp_path / "run")
    assert {name: after[name] for name in before} == before
    assert sorted({title for title, _ in tables(text)}) == SETS


@pytest.mark.slow
def test_votes_that_are_gone_are_not_remembered(form: Form, corpus: Path, tmp_path: Path) -> None:
    copied = tmp_path / "crema-d"
    shutil.copytree(corpus, copied)
    form["settings"]["corpora"] = {"crema-d": str(copied)}
    texts = []
    for votes in (True, False):
        if not votes:
            (copied / "tabulatedVotes.csv").unlink()
        texts.append(tables(compare(load(written(form, tmp_path), ["seeds=[1]"]))))
    assert ("CREMA-D test", "log-likelihood") in texts[0]
    assert ("CREMA-D test", "log-likelihood") not in texts[1]
    assert texts[0]["CREMA-D test", "calibration error"][0] != texts[1]["CREMA-D test", "calibration error"][0]


@pytest.mark.slow
def test_a_head_alone_is_trained_on_what_a_run_has_learned(form: Form, tmp_path: Path) -> None:
    settings = {name: value for name, value in form["settings"].items() if name != "run"}
    first = tmp_path / "first.yaml"
    first.write_text(yaml.safe_dump(settings), encoding="utf-8")
    assert main(["utterance", "--config", str(first), f"run={tmp_path / 'first'}"]) == 0
    form["settings"] |= {"start": str(tmp_path / "first"), "train": "head"}
    found = tables(compare(load(written(form, tmp_path), [])))
    assert [row[0] for row in found["CREMA-D test", "accuracy"]] == ["voice", "plain"]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["settings.train=all"], "voice: only a frozen backbone is compared"),
        (["variants.plain={epoch: 1}"], "plain: epoch is no setting"),
        (["variants.plain=3"], "variants names with such settings"),
        (["variants={}"], "variants names with such settings"),
        (["seeds=[]"], "seeds must be a list of whole numbers"),
        (["seeds=[a]"], "seeds must be a list of whole numbers"),
        (["sets=[read]"], "sets must be a list of develop, test, ravdess"),
        (["sets=[ravdess]"], "no corpus of the sets"),
        (["title=Table 2"], "not a comparison"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(
    form: Form, tmp_path: Path, overrides: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "--config", str(written(form, tmp_path)), *overrides]) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("dser-train: ")
    assert said in line


@pytest.mark.slow
def test_without_a_voice_a_line_is_measured_against_nothing(form: Form, tmp_path: Path) -> None:
    comparison = load(written(form, tmp_path), [])
    figures = Variant(comparison.configs()["voice"], ["test"]).figures(1)["CREMA-D test"]
    assert set(figures) == set(SETTINGS)
    assert figures[NONE]["lines"] == figures[ALL]["lines"] == CLIPS_PER_ACTOR
    assert figures[NONE]["log_likelihood"] != figures[ALL]["log_likelihood"]
