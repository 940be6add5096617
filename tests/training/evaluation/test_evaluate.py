"""The whole evaluation of the shipped model on eight lines of one actor."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from dser_training.config import ConfigError, UtteranceConfig
from dser_training.corpora.conditions import CONDITIONS
from dser_training.evaluation.evaluate import evaluate
from dser_training.evaluation.voices import ALL, NONE, SETTINGS

from dser_ext.recognition.bundle import ModelBundle

SHIPPED = Path(__file__).parents[3] / "models" / "dser-base"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config(crema_d: Path, tmp_path_factory: pytest.TempPathFactory) -> UtteranceConfig:
    """The actor's lines, once as acted and once, the neutral ones, as read speech of two readers."""
    read = tmp_path_factory.mktemp("read")
    for reader, sentences in (("1", ("IEO", "TAI")), ("2", ("TSI",))):
        folder = read / "made" / reader
        folder.mkdir(parents=True)
        for sentence in sentences:
            shutil.copy(crema_d / "1058" / f"1058_{sentence}_NEU_XX.ogg", folder)
    return UtteranceConfig("", corpora={"crema-d": str(crema_d), "read": str(read)})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model, to be written on."""
    folder = tmp_path_factory.mktemp("models") / "dser-base"
    shutil.copytree(SHIPPED, folder)
    return folder


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluations") / "tiny"


@pytest.fixture(scope="module")
def report(config: UtteranceConfig, bundle: Path, output: Path) -> str:
    return evaluate(config, bundle, output, robustness=True)


@pytest.fixture(scope="module")
def document(report: str, output: Path) -> Any:
    assert report
    return json.loads((output / "evaluation.json").read_text(encoding="utf-8"))


def rows(report: str, section: str) -> list[list[str]]:
    """The cells of the table below a heading, without its header."""
    text = report.partition(f"## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_set_is_measured_under_every_setting(report: str) -> None:
    acted = [row for row in rows(report, "Accuracy") if row[0] == "CREMA-D test"]
    assert [row[1] for row in acted] == list(SETTINGS)
    assert acted[0][2:5] == ["8", "0.0", "0"]
    assert acted[4][2:5] == ["8", "7.0", "7"]
    read = [row for row in rows(report, "Accuracy") if row[0] != "CREMA-D test"]
    assert [row[1:3] for row in read] == [[NONE, "2"], [ALL, "2"]]


def test_each_question_has_its_table(report: str) -> None:
    assert rows(report, "Mixtures that raters heard")[0][:3] == ["CREMA-D test", NONE, "2"]
    assert [row[1] for row in rows(report, "Recall")] == ["alone", "with the voice"]
    assert [row[1:4] for row in rows(report, "By sex and age of the actors")] == [
        ["female", "1", "8"],
        ["30 to 44", "1", "8"],
    ]
    assert [row[1] for row in rows(report, "Robustness")[:8]] == ["as it is", *CONDITIONS]
    assert [row[0] for row in rows(report, "Read speech")] == ["all", "all", "made", "made"]
    assert len(rows(report, "What is no speech")) == 4
    assert "## What failed\n\n- " in report


def test_what_is_no_speech_is_neutral_and_unsure(document: Any) -> None:
    for voices in document["nonspeech"].values():
        assert all(figures["neutral"] == 1 for figures in voices.values())
        assert all(figures["total"] < 0.5 for figures in voices.values())


def test_the_report_lies_beside_its_pictures(report: str, document: Any, output: Path) -> None:
    assert (output / "evaluation.md").read_text(encoding="utf-8") == f"{report}\n"
    assert document["pictures"] == {
        "CREMA-D test: intended and heard": "confusion-crema-d-test.png",
        "CREMA-D test: a line whose emotion changes": "changes-crema-d-test.png",
    }
    assert sorted(path.name for path in output.iterdir()) == [
        "changes-crema-d-test.png",
        "confusion-crema-d-test.png",
        "evaluation.json",
        "evaluation.md",
    ]
    assert "![CREMA-D test: intended and heard](confusion-crema-d-test.png)" in report


def test_the_headline_figures_are_in_the_card_and_the_model_still_opens(document: Any, bundle: Path) -> None:
    metrics = ModelBundle.open(bundle).card["metrics"]
    assert list(metrics) == [
        f"{title}, {setting}" for title in ("CREMA-D test", "read speech, held out") for setting in (NONE, ALL)
    ]
    assert metrics["CREMA-D test, none"]["accuracy"] == document["sets"]["CREMA-D test"][NONE]["accuracy"]


@pytest.mark.slow
def test_the_same_model_gives_the_same_bytes_whatever_its_card_said(
    config: UtteranceConfig, report: str, bundle: Path, tmp_path: Path
) -> None:
    assert report
    before = (bundle / "card.json").read_bytes()
    first, again = tmp_path / "first", tmp_path / "again"
    evaluate(config, bundle, first)
    evaluate(config, bundle, again)
    assert (bundle / "card.json").read_bytes() == before
    for path in first.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()


@pytest.mark.slow
def test_some_sets_alone_leave_the_card_as_it_is(config: UtteranceConfig, tmp_path: Path) -> None:
    bundle = tmp_path / "dser-base"
    shutil.copytree(SHIPPED, bundle)
    before = (bundle / "card.json").read_bytes()
    document = json.loads(evaluate(config, bundle, sets=["read"], as_json=True))
    assert list(document["sets"]) == ["read speech, held out"]
    assert document["pictures"] == {}
    assert (bundle / "card.json").read_bytes() == before


def test_nothing_to_measure_on_and_unknown_sets_are_said(config: UtteranceConfig, bundle: Path) -> None:
    with pytest.raises(ConfigError, match="no corpus"):
        evaluate(UtteranceConfig(""), bundle)
    with pytest.raises(ConfigError, match="tess: no such set"):
        evaluate(config, bundle, sets=["tess"])


@pytest.mark.slow
def test_a_set_of_which_no_line_can_be_heard_is_told_and_left_out(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "1058_IEO_HAP_LO.wav").write_bytes(b"RIFF")
    config = UtteranceConfig("", corpora={"crema-d": str(tmp_path)})
    report = evaluate(config, bundle, sets=["test"])
    assert rows(report, "Accuracy") == []
    assert "- crema-d/1058, 1058_IEO_HAP_LO.wav: " in report
