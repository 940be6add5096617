"""dser info: what the model is, in words or for machines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import dser_ext
from dser_ext.emotion.names import EMOTIONS
from dser_ext.recognition.bundle import CARD, HEAD, ModelBundle


def test_it_tells_a_person_what_the_model_is(dser):
    done = dser("info")
    assert done.code == 0
    assert not done.lines
    assert ModelBundle.open().name in done.out
    assert "CPUExecutionProvider" in done.out


def test_it_tells_a_machine_the_same(dser):
    facts = json.loads(dser("info", "--json").out)
    assert facts["dser"] == dser_ext.__version__
    assert facts["model"] == ModelBundle.open().name
    assert facts["sha256"] == ModelBundle.open().sha256
    assert facts["emotions"] == list(EMOTIONS)
    assert all(0 < accuracy <= 1 for accuracy in facts["accuracy"].values())


def test_a_model_without_measured_figures_has_none(dser):
    shutil.copytree(ModelBundle.open().folder, "model")
    card = json.loads(Path("model", CARD).read_text(encoding="utf-8"))
    Path("model", CARD).write_text(json.dumps({**card, "metrics": {}}))
    assert json.loads(dser("info", "--model", "model", "--json").out)["accuracy"] == {}


def test_a_damaged_model_is_one_line(dser):
    shutil.copytree(ModelBundle.open().folder, "model")
    Path("model", HEAD).write_bytes(b"damaged")
    done = dser("info", "--model", "model")
    assert done.code == 1
    assert done.line.startswith(f"dser: model/{HEAD}: damaged")
    assert not done.out


def test_a_missing_model_is_one_line(dser):
    assert "no such model" in dser("info", "--model", "dser-huge").line
