"""dser info: what the model is, in words or for machines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import dser_ext
from dser_ext.emotion.names import EMOTIONS
from dser_ext.recognition.bundle import CARD, HEAD, ModelBundle
from dser_ext.recognition.devices import arithmetic


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
    assert facts["device"] in ("cpu", "cuda", "tensorrt")
    assert facts["why"]
    assert facts["processor"] == arithmetic(ModelBundle.open())


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


@pytest.mark.parametrize(
    ("state", "shown", "code"),
    [("SERVING", "SERVING", 0), ("NOT_SERVING", "NOT_SERVING", 1), ("UNKNOWN", "UNKNOWN", 1), (None, "NO_HEALTH", 1)],
)
def test_it_tells_whether_an_audio2face_is_ready(dser, start_a2f, state, shown, code):
    target = start_a2f(health=state).target
    done = dser("info", "--a2f", target)
    assert done.code == code
    assert done.out.startswith(f"{target}  {shown}")
    assert not done.lines


def test_it_tells_a_machine_whether_an_audio2face_is_ready(dser, start_a2f):
    target = start_a2f().target
    assert json.loads(dser("info", "--a2f", target, "--json").out) == {"a2f": target, "health": "SERVING"}


def test_it_asks_over_tls(dser, start_a2f, certificates):
    server = start_a2f(credentials=certificates.server())
    target = f"localhost:{server.target.rpartition(':')[2]}"
    assert dser("info", "--a2f", target, "--tls", "--root-certificate", certificates.path("authority.pem")).code == 0
    done = dser("info", "--a2f", target)
    assert done.code == 1
    assert "this port speaks TLS" in done.line


def test_an_audio2face_that_is_not_there_is_one_line(dser):
    done = dser("info", "--a2f", "127.0.0.1:1")
    assert done.code == 1
    assert done.line.startswith("dser: 127.0.0.1:1: no Audio2Face answers there")
