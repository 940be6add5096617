"""The whole panel without a UI, against the real service with the shipped model, and the test Audio2Face."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from flat_line import JOY

import dser_ext
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.emotion.style import PRESETS
from dser_ext.panel.document import Voice
from dser_ext.panel.model import Panel
from dser_ext.panel.service import READY, Service

PATIENCE_SECONDS = 20
PAIN = A2F_EMOTIONS.index("pain")


@pytest.fixture
def line(tmp_path: Path) -> str:
    return str(shutil.copy(dser_ext.sample_line(), tmp_path / "line.ogg"))


@pytest.fixture
def panel(running_service) -> Iterator[Panel]:
    panel = Panel(Service(running_service.target))
    yield panel
    panel.close()


def settle(panel: Panel) -> None:
    """Let frames go by until nothing is going on."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        panel.update()
        if panel.task is None and not panel.document.pending:
            return
        time.sleep(0.005)
    raise AssertionError("the panel does not come to rest")


@pytest.fixture
def emoted(panel: Panel, line: str) -> Panel:
    panel.open(line)
    panel.auto_emote()
    settle(panel)
    assert panel.problem is None
    return panel


def keys(panel: Panel) -> Keyframes:
    assert panel.document.edited is not None
    return panel.document.edited.keys


def test_one_click_makes_the_keys_of_the_command_line(emoted, line):
    expected = dser_ext.save(dser_ext.recognize(line), Path(line).with_name("cli.json"))
    np.testing.assert_allclose(keys(emoted).times, expected.keyframes.times)
    np.testing.assert_allclose(keys(emoted).values, expected.keyframes.values, atol=1e-6)
    assert emoted.document.waveform.seconds == pytest.approx(emoted.document.seconds, abs=0.01)
    assert emoted.undoes == "Auto-emote"


def test_the_line_on_the_players_of_the_app_is_opened(panel, line, tmp_path):
    def wait(holds) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not holds() and time.monotonic() < until:
            panel.update()
            time.sleep(0.01)

    panel.player_track = lambda: "line.ogg"
    panel.open_played()
    wait(lambda: panel.problem)
    assert "line.ogg is on the player, but in none of the folders" in panel.problem.sentence
    panel.recent = [str(tmp_path / "other.wav")]
    panel.open_played()
    wait(lambda: panel.document.path)
    assert panel.document.path == line


def test_without_a_line_it_says_what_to_do(panel):
    panel.auto_emote()
    assert "Choose a line first" in panel.problem.sentence
    panel.open("nowhere.wav")
    assert panel.problem.sentence.startswith("nowhere.wav: is no file")


def test_a_file_without_sound_is_told_in_one_sentence(panel, tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"not sound at all")
    panel.open(str(tmp_path / "empty.wav"))
    panel.auto_emote()
    settle(panel)
    assert "empty.wav" in panel.problem.sentence
    assert "Traceback" in panel.problem.details
    panel.dismiss()
    assert panel.problem is None


def test_a_style_shows_at_once_and_the_keys_follow(emoted):
    before = keys(emoted)
    emoted.set_preset("subtle")
    np.testing.assert_allclose(emoted.document.curves.values, PRESETS["subtle"].apply(emoted.document.track, 30).values)
    settle(emoted)
    moments = np.arange(0, 6, 0.1)
    curves = emoted.document.curves
    followed = np.stack([np.interp(moments, curves.times, column) for column in curves.values.T], axis=1)
    np.testing.assert_allclose(keys(emoted).at(moments), followed, atol=0.03)
    emoted.undo()
    settle(emoted)
    np.testing.assert_array_equal(keys(emoted).values, before.values)


def test_a_slider_is_one_step_to_undo(emoted):
    for gain in (0.9, 0.8, 0.7):
        emoted.set_style("gain", gain=gain)
    emoted.drop()
    settle(emoted)
    emoted.undo()
    assert emoted.document.style.gain == 1.0


@pytest.mark.parametrize(
    ("settings", "holds"),
    [
        ({"max_emotions": 1}, lambda values: ((values > 0.12).sum(axis=1) <= 2).all()),
        ({"gain": 0.0}, lambda values: not values.any()),
        ({"gains": {"joy": 0.0}}, lambda values: not values[:, JOY].any()),
        (
            {"preferred": {"pain": 1.0}, "preferred_strength": 1.0},
            lambda values: values[:, A2F_EMOTIONS.index("pain")].min() > 0.97,
        ),
    ],
)
def test_every_control_reaches_the_keys(emoted, settings, holds):
    emoted.set_style(**settings)
    settle(emoted)
    assert holds(keys(emoted).values)


def test_what_cannot_be_is_told(emoted):
    emoted.set_style(gain=99)
    assert "gain must be a number from 0 to 4" in emoted.problem.sentence


def test_fewer_keys_on_demand(emoted):
    before = len(keys(emoted).times)
    emoted.set_tolerance(0.1)
    settle(emoted)
    assert len(keys(emoted).times) < before


def test_a_dragged_key_stays_through_another_style_and_another_recognition(emoted):
    since = emoted.document
    index = 1 + int(np.argmax(np.diff(keys(emoted).times)[1:]))  # it has room
    emoted.choose([float(keys(emoted).times[index])])
    emoted.drag(since, emoted.indices, 1, "joy", 0.1)
    emoted.drag(since, emoted.indices, 2, "joy", 0.2)
    emoted.drop()
    moment = float(keys(emoted).times[index])
    value = keys(emoted).values[index].copy()
    assert moment == pytest.approx(since.edited.keys.times[index] + 2 / 30)
    assert value[JOY] == pytest.approx(min(1, since.edited.keys.values[index, JOY] + 0.2))
    assert emoted.chosen == {moment}
    emoted.set_preset("steady")
    settle(emoted)
    np.testing.assert_allclose(keys(emoted).at(moment), value, atol=1e-5)
    emoted.auto_emote()
    settle(emoted)
    np.testing.assert_allclose(keys(emoted).at(moment), value, atol=1e-5)
    for _ in range(3):
        emoted.undo()
    settle(emoted)
    np.testing.assert_array_equal(keys(emoted).times, since.edited.keys.times)


def test_a_locked_span_stays(emoted):
    emoted.choose_span(1.0, 3.0)
    emoted.lock()
    moments = np.linspace(1, 3, 80)
    before = keys(emoted).at(moments)
    emoted.set_style(gain=0.3)
    settle(emoted)
    np.testing.assert_allclose(keys(emoted).at(moments), before, atol=1e-5)
    assert keys(emoted).at(6.0).max() < 0.3
    emoted.choose_nothing()
    emoted.unlock()
    settle(emoted)
    assert keys(emoted).at(moments).max() < 0.35


def test_keys_are_added_deleted_and_nudged(emoted):
    count = len(keys(emoted).times)
    emoted.add_key(1.001)
    assert len(keys(emoted).times) == count + 1
    assert emoted.chosen == {1.0}
    emoted.nudge(0, "anger", 0.3)
    emoted.nudge(2)
    assert list(emoted.chosen) == pytest.approx([1 + 2 / 30])
    emoted.delete()
    assert len(keys(emoted).times) == count
    while emoted.undoes != "Auto-emote":
        emoted.undo()
    assert len(keys(emoted).times) == count


def test_cancelling_changes_nothing(panel, line):
    panel.open(line)
    panel.auto_emote()
    panel.cancel()
    assert panel.task is None
    time.sleep(0.5)
    panel.update()
    assert panel.document.track is None
    assert panel.problem is None


@pytest.mark.slow
def test_a_service_that_is_gone_is_told(line):
    panel = Panel(Service("127.0.0.1:9"))
    panel.open(line)
    panel.auto_emote()
    settle(panel)
    assert "no service answers there" in panel.problem.sentence
    panel.close()


def test_the_service_says_what_it_runs_on(panel):
    panel.look_for_service()
    until = time.monotonic() + PATIENCE_SECONDS
    while panel.service.status.state != READY and time.monotonic() < until:
        panel.update()
        time.sleep(0.01)
    assert panel.service.status.model.startswith("dser-base")
    assert panel.service.status.device == "cpu"


def test_a_voice_of_the_characters_other_lines(panel, line):
    folder = dser_ext.sample_line().with_name("voice")
    panel.open(line)
    panel.set_voice(Voice("folder", str(folder)))
    panel.auto_emote()
    settle(panel)
    assert panel.problem is None
    assert panel.heard.lines == len([each for each in folder.iterdir() if each.suffix in (".ogg", ".wav", ".flac")])
    assert panel.document.track.voice is not None


@pytest.mark.slow
def test_the_lines_of_this_session_are_a_voice_without_the_line_itself(panel, line, tmp_path):
    other = str(shutil.copy(line, tmp_path / "other.ogg"))
    panel.recent = ["of/another/day.wav"]
    panel.open(line)
    panel.set_voice(Voice("session"))
    panel.auto_emote()
    settle(panel)
    assert panel.document.track.voice is None
    assert "no other line" in panel.heard.advice
    panel.save()
    panel.open(other)
    panel.set_voice(Voice("session"))
    panel.auto_emote()
    settle(panel)
    assert panel.heard.lines == 1


def test_a_voice_that_cannot_be_used_is_told(panel, line):
    panel.open(line)
    panel.set_voice(Voice("profile", "missing.voice"))
    panel.auto_emote()
    settle(panel)
    assert panel.problem.sentence.startswith("missing.voice: no voice profile")


def test_a_session_is_kept_beside_the_line_and_opens_again(emoted, line):
    emoted.choose_span(1, 2)
    emoted.lock()
    assert emoted.dirty
    emoted.save()
    assert not emoted.dirty
    kept = emoted.document
    emoted.open(line)
    assert emoted.document is not kept
    assert emoted.document.edited.locks == kept.edited.locks
    np.testing.assert_allclose(keys(emoted).values, kept.edited.keys.values, rtol=1e-5)


def test_unsaved_changes_are_guarded(emoted, line, tmp_path):
    other = str(shutil.copy(line, tmp_path / "other.ogg"))
    emoted.open(other)
    assert "not saved" in emoted.question.sentence
    emoted.answer(2)  # cancel
    assert emoted.document.path == line
    emoted.open(other)
    emoted.answer(0)  # save
    assert emoted.document.path == other
    assert Path(line).with_name("line.dser.json").exists()


def test_a_session_that_cannot_be_saved_is_not_lost(emoted, line, tmp_path):
    (tmp_path / "line.dser.json").mkdir()
    emoted.open("elsewhere.wav")
    emoted.answer(0)
    assert "cannot be written" in emoted.problem.sentence
    assert emoted.document.path == line
    assert emoted.dirty


def test_changes_that_were_not_saved_are_offered_again(emoted, line, running_service):
    emoted.set_preset("subtle")
    settle(emoted)
    emoted.close()
    for answer, style in ((0, "subtle"), (1, "natural")):
        again = Panel(Service(running_service.target))
        again.open(line)
        assert "not saved" in again.question.sentence
        again.answer(answer)
        assert again.document.style.name == style
        assert again.dirty == (answer == 0)
    assert not Path(line).with_name("line.unsaved.dser.json").exists()


def test_saving_forgets_what_was_kept(emoted, line):
    emoted.close()
    assert Path(line).with_name("line.unsaved.dser.json").exists()
    emoted.save()
    assert not Path(line).with_name("line.unsaved.dser.json").exists()


@pytest.mark.parametrize(
    ("form", "suffix"),
    [("a2f-json", ".a2f.json"), ("a2f-csv", ".a2f.csv"), ("usda", ".usda"), ("livelink-csv", ".livelink.csv")],
)
def test_an_animation_is_written_in_every_format(emoted, start_a2f, line, form, suffix):
    emoted.target, emoted.animation_format = start_a2f().target, form
    emoted.push()
    settle(emoted)
    assert emoted.problem is None
    assert Path(line).with_suffix(suffix).stat().st_size > 1000


@pytest.mark.parametrize("form", ["json", "csv", "a2f-yaml"])
def test_every_format_is_written_beside_the_line(emoted, line, form):
    emoted.export(form)
    assert emoted.problem is None
    assert Path(line).with_suffix({"a2f-yaml": ".yaml"}.get(form, f".{form}")).stat().st_size > 100


def test_copied_keys_are_what_the_sample_client_reads(emoted):
    listed = yaml.safe_load(emoted.keys_as_yaml())["emotion_with_timecode_list"]
    assert [each["time_code"] for each in listed.values()] == pytest.approx(keys(emoted).times.tolist())
    rows = [[each["emotions"][name] for name in A2F_EMOTIONS] for each in listed.values()]
    np.testing.assert_allclose(rows, keys(emoted).values, atol=1e-6)


def test_audio2face_gets_the_keys_as_they_are(emoted, start_a2f, line):
    a2f = start_a2f()
    emoted.choose([float(keys(emoted).times[2])])
    emoted.nudge(0, "pain", 0.5)
    emoted.target = a2f.target
    emoted.push()
    settle(emoted)
    assert emoted.problem is None
    sent = a2f.requests[-1].keys
    np.testing.assert_allclose([time for time, _ in sent], keys(emoted).times, atol=1e-6)
    np.testing.assert_allclose(
        [[emotion[name] for name in A2F_EMOTIONS] for _, emotion in sent], keys(emoted).values, atol=1e-5
    )
    assert Path(line).with_suffix(".a2f.json").exists()


@pytest.mark.slow
def test_a_live_panel_pushes_after_a_change(emoted, start_a2f):
    a2f = start_a2f()
    emoted.target, emoted.live = a2f.target, True
    until = time.monotonic() + PATIENCE_SECONDS
    while not a2f.requests and time.monotonic() < until:
        emoted.update()
        time.sleep(0.02)
    settle(emoted)
    assert len(a2f.requests) == 1


def test_without_keys_nothing_is_sent(panel, line):
    panel.open(line)
    panel.push()
    assert "no keys yet" in panel.problem.sentence
    panel.export("json")
    assert "no keys yet" in panel.problem.sentence
    assert panel.keys_as_yaml() == ""


def test_changes_while_it_is_heard_are_not_lost(panel, line):
    panel.open(line)
    panel.auto_emote()
    panel.set_preset("subtle")
    settle(panel)
    assert panel.document.style.name == "subtle"
    assert keys(panel).values.max() <= 0.6
