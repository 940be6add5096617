"""Faces can come from Audio2Face, each once."""

from __future__ import annotations

import json

import pytest
from dser_training.preferences.annotate.faces import Faces

from dser_ext.errors import Audio2FaceError


@pytest.fixture
def line(sheet):
    return next(iter(sheet.lines.values()))


def test_audio2face_animates_a_candidate_once(start_a2f, line, tmp_path):
    server = start_a2f()
    made = Faces(server.target, tmp_path / "faces").document(line, 0)
    assert len(server.requests) == 1
    assert len(server.requests[0].sound) > 16_000
    assert Faces(server.target, tmp_path / "faces").document(line, 0) == made
    assert len(server.requests) == 1
    Faces(server.target, tmp_path / "faces").document(line, 1)
    assert len(server.requests) == 2
    face = json.loads(made)
    assert "JawOpen" in face["names"]
    assert len(face["weights"]) > 30


def test_a_spoiled_animation_is_made_anew(start_a2f, line, tmp_path):
    server = start_a2f()
    made = Faces(server.target, tmp_path).document(line, 0)
    [kept] = tmp_path.iterdir()
    kept.write_text("{")
    assert Faces(server.target, tmp_path).document(line, 0) == made
    assert len(server.requests) == 2


@pytest.mark.slow
def test_an_audio2face_that_is_gone_is_said(line, tmp_path):
    with pytest.raises(Audio2FaceError, match=r"127\.0\.0\.1:9"):
        Faces("127.0.0.1:9", tmp_path).document(line, 0)
    assert not list(tmp_path.iterdir())
