"""Lines of a batch are animated by an Audio2Face-3D service, here one on loopback that keeps its protocol."""

from __future__ import annotations

import json

import a2f_server
import numpy as np
import pytest
from made import results, short_line

from dser_ext.audio2face.connection import Connection
from dser_ext.audio2face.settings import Settings
from dser_ext.batch.faces import ANIMATIONS, Face
from dser_ext.errors import DserError
from dser_ext.formats import read_any


@pytest.fixture
def a2f():
    server = a2f_server.A2FServer()
    yield server
    server.stop()


def face(target: str, **settings: object) -> Face:
    return Face(Connection(target), Settings(**settings), timeout_seconds=5)


def test_each_line_has_its_animations_beside_its_keys(batch, lines, tmp_path, a2f):
    pytest.importorskip("pxr", reason="needs usd-core")
    formats = ("json", *ANIMATIONS)
    summary, _ = batch(lines, formats=formats, voice_by="folder", face=face(a2f.target))
    assert (summary.done, summary.failures) == (6, [])
    assert len(a2f.requests) == 6
    made = results(tmp_path / "out")
    for suffix in (".json", *(suffix for _, suffix in ANIMATIONS.values())):
        assert f"anna/1{suffix}" in made
    blendshapes = read_any(tmp_path / "out" / "anna" / "1.a2f.json")
    table = read_any(tmp_path / "out" / "anna" / "1.a2f.csv")
    np.testing.assert_allclose(blendshapes.weights, table.weights, atol=1e-5)
    assert json.loads(made["anna/1.a2f.json"])["trackPath"] == str(lines / "anna" / "1.wav")
    assert batch(lines, formats=formats, voice_by="folder", face=face(a2f.target))[0].kept == 6
    assert len(a2f.requests) == 6


def test_other_settings_are_animated_anew_and_hear_nothing_again(batch, lines, a2f):
    batch(lines, formats=("json", "a2f-json"), face=face(a2f.target))
    again = face(a2f.target, multipliers={"JawOpen": 0.5})
    summary, engine = batch(lines, formats=("json", "a2f-json"), face=again)
    assert summary.done == 6
    assert not engine.heard
    assert len(a2f.requests) == 12


def test_one_line_that_fails_there_fails_by_itself(batch, lines, a2f):
    calls = []

    def spoil(answer):
        calls.append(answer)
        if len(calls) == 3:
            raise a2f_server.RefusedError("not this one")
        return answer

    a2f.spoil = spoil
    summary, _ = batch(lines, formats=("json", "a2f-json"), face=face(a2f.target))
    assert summary.done == 5
    ((name, error),) = summary.failures
    assert error.startswith(str(lines / name))
    assert batch(lines, formats=("json", "a2f-json"), face=face(a2f.target))[0].done == 1


def test_a_service_that_is_gone_stops_the_run_and_not_each_line(batch, tmp_path):
    for number in range(15):
        short_line(tmp_path / "many" / f"{number:02}.wav", start=0.02 * number)
    nobody = Face(Connection("127.0.0.1:9"), Settings(), timeout_seconds=0.3)
    with pytest.raises(DserError, match=r"Audio2Face failed 10 times in a row, the last time so: .*09\.wav"):
        batch(tmp_path / "many", formats=("json", "a2f-json"), face=nobody)
    assert len(results(tmp_path / "out")) == 10  # their keys
