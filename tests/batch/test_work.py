"""What a worker says of one line, whatever is wrong with it."""

from __future__ import annotations

import numpy as np
import pytest
from made import VOICE, short_line, tone

import dser_ext
from dser_ext.batch.work import Task, work_on
from dser_ext.emotion.names import EMOTIONS


def task(path, tmp_path, **settings) -> Task:
    return Task("line", str(path), results={"json": str(tmp_path / "out" / "line.json")}, **settings)


def test_features_that_were_kept_give_the_same_result(tmp_path, recognizer):
    path = short_line(tmp_path / "a.wav")
    first = work_on(task(path, tmp_path), recognizer)
    whole = (tmp_path / "out" / "line.json").read_bytes()
    again = work_on(task(path, tmp_path, heard=first.heard), recognizer)
    assert (tmp_path / "out" / "line.json").read_bytes() == whole
    assert again.heard is None
    assert again.statistics == first.statistics


def test_statistics_say_what_is_in_the_track(tmp_path, recognizer):
    stats = work_on(task(VOICE[2], tmp_path), recognizer).statistics
    assert sum(stats["mean"]) == pytest.approx(1, abs=1e-3)
    track = dser_ext.load(tmp_path / "out" / "line.json").track
    np.testing.assert_allclose(stats["mean"], track.mean.mean(axis=0), atol=1e-4)
    assert stats["strongest"] == EMOTIONS[int(track.mean.mean(axis=0).argmax())]
    assert 0 < stats["uncertainty"] < 0.3
    assert 0 < stats["speech_seconds"] <= stats["seconds"]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty (0 bytes)"), (b"no sound at all", "is not sound that can be decoded"), (None, "cannot be read")],
)
def test_what_is_wrong_with_a_file_is_said_of_it(tmp_path, recognizer, content, said):
    path = tmp_path / "bad.wav"
    if content is not None:
        path.write_bytes(content)
    outcome = work_on(task(path, tmp_path), recognizer)
    assert outcome.error.startswith(str(path))
    assert said in outcome.error
    assert not (tmp_path / "out").exists()


def test_a_line_without_speech_is_done_with_a_note(tmp_path, recognizer):
    outcome = work_on(task(tone(tmp_path / "hum.wav"), tmp_path), recognizer)
    assert "no speech was found" in outcome.note
    assert outcome.statistics["speech_seconds"] == 0


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path, recognizer, monkeypatch):
    path, times = short_line(tmp_path / "a.wav"), []

    def hear_in_steps(audio):
        if len(times) < 2:
            times.append(short_line(path, start=0.3 + 0.1 * len(times)))
        return type(recognizer).hear_in_steps(recognizer, audio)

    monkeypatch.setattr(recognizer, "hear_in_steps", hear_in_steps)
    outcome = work_on(task(path, tmp_path), recognizer)
    assert outcome.error is None
    from dser_ext.audio import AudioFile

    assert outcome.heard.audio == AudioFile(path).sha256


@pytest.mark.slow
def test_one_that_never_stops_changing_is_left_for_another_time(tmp_path, recognizer, monkeypatch):
    path, times = short_line(tmp_path / "a.wav"), []

    def hear_in_steps(audio):
        times.append(short_line(path, start=0.3 + 0.1 * len(times)))
        return type(recognizer).hear_in_steps(recognizer, audio)

    monkeypatch.setattr(recognizer, "hear_in_steps", hear_in_steps)
    assert "changed while it was read; run again" in work_on(task(path, tmp_path), recognizer).error


def test_a_result_that_cannot_be_written_is_that_lines_failure(tmp_path, recognizer):
    (tmp_path / "out").write_text("a file where the folder should be")
    assert "its folder cannot be made" in work_on(task(short_line(tmp_path / "a.wav"), tmp_path), recognizer).error


def test_a_mistake_of_ours_is_that_lines_failure_too(tmp_path, recognizer, monkeypatch):
    monkeypatch.setattr(recognizer, "track_in_steps", lambda *_: 1 / 0)
    outcome = work_on(task(short_line(tmp_path / "a.wav"), tmp_path), recognizer)
    assert "failed unexpectedly (ZeroDivisionError" in outcome.error
