"""Sessions come back as they were kept, and are tracks to everything that reads tracks."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import dser_ext
from dser_ext.emotion.edits import EditedKeys
from dser_ext.emotion.style import PRESETS
from dser_ext.envelope import Envelope
from dser_ext.errors import FormatError
from dser_ext.formats.track_json import Performance
from dser_ext.panel.document import Document, Voice, open_session, save_session, session_path


@pytest.fixture(scope="module")
def document() -> Document:
    line = str(dser_ext.sample_line())
    track = dser_ext.recognize(line)
    edited = EditedKeys.untouched(Performance.of(track).keyframes).locked(2.0, 3.0).with_values([1], "joy", 0.25)
    return Document(line, Voice("folder", "lines"), PRESETS["subtle"], 24.0, 0.05, track, edited)


def test_a_session_comes_back(document, tmp_path):
    path = tmp_path / "line.dser.json"
    save_session(document, path)
    back = open_session(path)
    assert (back.path, back.voice, back.style, back.fps, back.tolerance) == (
        document.path,
        document.voice,
        document.style,
        24.0,
        0.05,
    )
    assert back.edited.locks == document.edited.locks
    np.testing.assert_array_equal(back.edited.touched, document.edited.touched)
    np.testing.assert_allclose(back.edited.keys.values, document.edited.keys.values, rtol=1e-5)
    np.testing.assert_allclose(back.track.concentration, document.track.concentration, rtol=1e-5)
    assert not back.pending


def test_a_session_keeps_the_waveform(document, tmp_path):
    wave = np.sin(np.arange(20_000) / 300).astype(np.float32)
    sounding = replace(document, waveform=Envelope(-np.abs(wave), np.abs(wave), document.seconds))
    save_session(sounding, tmp_path / "line.dser.json")
    back = open_session(tmp_path / "line.dser.json").waveform
    assert back.seconds == pytest.approx(document.seconds)
    np.testing.assert_allclose(back.high, np.abs(wave).reshape(-1, 5).max(axis=1), atol=1e-3)
    np.testing.assert_allclose(back.low, -back.high, atol=1e-3)


def test_a_session_is_a_track(document, tmp_path):
    save_session(document, tmp_path / "line.dser.json")
    np.testing.assert_allclose(
        dser_ext.load(tmp_path / "line.dser.json").keyframes.values, document.edited.keys.values, rtol=1e-5
    )


def test_any_track_opens_as_a_session(document, tmp_path):
    dser_ext.save(document.track, tmp_path / "line.json")
    opened = open_session(tmp_path / "line.json")
    assert opened.path == document.path
    assert not opened.edited.kept.any()


def test_a_session_that_moved_with_its_line_finds_it(document, tmp_path):
    gone = replace(document, path="/gone/three_moods.ogg")
    save_session(gone, tmp_path / "three_moods.dser.json")
    assert open_session(tmp_path / "three_moods.dser.json").path == "/gone/three_moods.ogg"
    (tmp_path / "three_moods.ogg").write_bytes(b"sound")
    assert open_session(tmp_path / "three_moods.dser.json").path == str(tmp_path / "three_moods.ogg")


def test_a_line_without_keys_has_no_session(tmp_path):
    with pytest.raises(FormatError, match="recognise the line first"):
        save_session(Document("line.wav"), tmp_path / "line.dser.json")


@pytest.mark.parametrize(
    "part",
    [
        {"locks": [[2, 1]]},
        {"locks": "here"},
        {"touched": [10_000]},
        {"voice": {"kind": "robot"}},
        {"voice": {"name": "x"}},
        {"tolerance": "little"},
        {"tolerance": 9},
        {"waveform": {"low": [0]}},
        {"waveform": {"low": [0], "high": [0, 1]}},
        {"waveform": {"low": [[]], "high": [[]]}},
        7,
    ],
)
def test_a_damaged_session_is_told_in_one_sentence(document, tmp_path, part):
    path = tmp_path / "line.dser.json"
    save_session(document, path)
    content = json.loads(path.read_text())
    content["panel"] = part
    path.write_text(json.dumps(content))
    with pytest.raises(FormatError, match=r"line\.dser\.json: is no session of this version"):
        open_session(path)


def test_the_session_lies_beside_the_line():
    assert session_path("folder/line.one.wav").as_posix() == "folder/line.one.dser.json"
