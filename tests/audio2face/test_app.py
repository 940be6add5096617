"""A line gets on the older app's player and its keys on the face, and what the app had is not lost on the way."""

from __future__ import annotations

import json
import time
from pathlib import Path

import a2f_app
import numpy as np
import pytest
import soundfile
from a2f_app import PLAYER
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.audio2face.app import App
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import Audio2FaceError, AudioError, DserWarning

SET = "/A2F/A2E/SetEmotionByName"
CALM = dict.fromkeys(A2F_EMOTIONS, 0.0)
THEIRS = {0.5: {**CALM, "joy": 1.0}, 1.0: {**CALM, "pain": 0.25}, 9.0: {**CALM, "fear": 0.5}}
"""Keys that somebody made by hand; one is at a time at which ours has one, too."""


def keys(*times: float) -> Keyframes:
    values = np.random.default_rng(1).uniform(0.1, 1, (len(times), 10))
    return Keyframes(np.array(times), values.astype(np.float32))


OURS = keys(0, 0.25, 0.5, 1.7)


@pytest.fixture
def line(tmp_path) -> Path:
    soundfile.write(tmp_path / "line.wav", np.zeros(16_000, np.float32), 16_000)
    return tmp_path / "line.wav"


def complaint(app: App, message: str, keyframes: Keyframes = OURS) -> str:
    """What the user is told of keys that cannot be written; whatever it is, it is one line."""
    with pytest.raises(Audio2FaceError, match=message) as caught:
        app.replace_keys(keyframes)
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith(app.url)
    return str(caught.value)


def assert_keyed(peer, keyframes: Keyframes) -> None:
    np.testing.assert_allclose(sorted(peer.keys), keyframes.times, atol=1e-6)
    values = [[peer.keys[seconds][name] for name in A2F_EMOTIONS] for seconds in sorted(peer.keys)]
    np.testing.assert_allclose(values, keyframes.values, atol=1e-6)


def test_the_line_is_the_track_of_the_player(start_app, line, monkeypatch):
    peer = start_app()
    monkeypatch.chdir(line.parent)
    with pytest.raises(Audio2FaceError, match="no name of a track"):
        App(peer.url).current_track()
    assert App(peer.url).load_track("line.wav") == PLAYER
    assert App(peer.url).current_track() == "line.wav"
    assert (peer.root, peer.track) == (str(line.parent), "line.wav")


def test_the_face_has_our_keys_and_nothing_else_is_triggered(start_app, line):
    peer = start_app()
    app = App(peer.url)
    with app.quiet():
        app.load_track(line)
        assert app.replace_keys(OURS) == (4, 0)
    assert_keyed(peer, OURS)
    assert peer.seconds == 0
    assert not {"GenerateKeys", "Play", "Load", "SetSettings"} & {call.rpartition("/")[2] for call in peer.calls}


def test_keys_that_were_there_give_way(start_app):
    peer = start_app(keys=dict(THEIRS))
    assert App(peer.url).replace_keys(OURS) == (4, 3)
    assert_keyed(peer, OURS)


def test_the_same_keys_may_be_pushed_again(start_app):
    peer = start_app()
    App(peer.url).replace_keys(OURS)
    assert App(peer.url).replace_keys(keys(0, 0.25, 0.5, 1.7)) == (4, 4)
    assert_keyed(peer, OURS)


@pytest.mark.parametrize(
    "settings",
    [{"keyframer_fps": 60.0}, {"keyframer_fps": 60}, {}, {"keyframer_fps": "fast"}, {"keyframer_fps": 1e300}],
)
def test_keys_go_to_the_frames_that_the_app_has(start_app, settings):
    peer = start_app(settings=settings)
    assert App(peer.url).replace_keys(keys(0, 0.0084, 0.0171, 1.0001)) == (3, 0)  # two meet on the first frame
    np.testing.assert_allclose(sorted(peer.keys), [0, 1 / 60, 1], atol=1e-9)
    assert peer.keys[sorted(peer.keys)[1]]["joy"] == pytest.approx(float(keys(0, 1, 2, 3).values[2, 6]), abs=1e-6)


@pytest.mark.parametrize("before", [{}, THEIRS], ids=["no keys", "keys"])
@pytest.mark.parametrize(
    ("keyframer", "reason"),
    [("holds", "makes no key there"), ("whole seconds", "makes no key there"), ("lacks", "cannot tell the keys")],
)
def test_an_app_that_takes_no_keys_by_rest_is_left_as_it_was(start_app, keyframer, reason, before):
    peer = start_app(keyframer=keyframer, keys=dict(before))
    message = complaint(App(peer.url), "takes no keys by REST")
    assert reason in message
    assert "--app-usd" in message
    assert peer.keys == before
    assert peer.held == CALM or before  # what is held does not show where there are keys


def test_keys_that_come_out_other_than_sent_are_put_back(start_app):
    peer = start_app(keyframer="forgets", keys={3.0: dict(CALM)})
    assert "its keys are as they were" in complaint(App(peer.url), "did not keep the keys as they were sent")
    assert peer.keys == {3.0: CALM}


def refuse(_, request) -> bool:
    a2f_app.send(request, 200, json.dumps({"status": "ERROR", "message": "out of\nmemory"}).encode())
    return True


def once(fault):
    """The fault at its first call only."""

    def strike(app, request):
        app.fault = None
        return fault(app, request)

    return strike


@pytest.mark.parametrize("path", ["/A2F/SetFrame", SET, "/A2F/A2E/GetKeys", "/A2F/A2E/RemoveKeys"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_keys_are_put_back_when_the_app_refuses_midway(start_app, path, count):
    peer = start_app(keys=dict(THEIRS), fault=a2f_app.at_call(path, count, once(refuse)))
    app = App(peer.url)
    if path.endswith("RemoveKeys") and count > 1:
        app.replace_keys(OURS)
        return
    if path.endswith("GetKeys") and count == 1:
        complaint(app, "GetKeys: out of memory")
    else:
        assert "(its keys are as they were)" in complaint(app, f"reports an error from {path}: out of memory")
    assert set(peer.keys) == set(THEIRS)
    for seconds, emotions in THEIRS.items():
        assert peer.keys[seconds] == pytest.approx(emotions, abs=0.011)


@pytest.mark.parametrize("count", [1, 3])
def test_that_keys_could_not_be_put_back_is_said(start_app, count):
    peer = start_app(keys=dict(THEIRS), fault=a2f_app.at_call(SET, count, a2f_app.die))
    message = complaint(App(peer.url), "the connection broke before /A2F/A2E/SetEmotionByName was answered")
    assert "could not be put back as they were, so open the scene again" in message
    assert set(THEIRS) <= set(peer.keys)  # none is removed before ours are all there


def test_keys_are_put_back_when_the_user_interrupts(start_app, monkeypatch):
    peer = start_app(keys=dict(THEIRS))
    app = App(peer.url)
    monkeypatch.setattr("dser_ext.audio2face.app_keys._Keyframer.keep_only", once_interrupted())
    with pytest.raises(KeyboardInterrupt):
        app.replace_keys(OURS)
    assert peer.keys.keys() == THEIRS.keys()


def once_interrupted():
    from dser_ext.audio2face.app_keys import _Keyframer

    keep_only, calls = _Keyframer.keep_only, []

    def interrupted(self, wanted):
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        keep_only(self, wanted)

    return interrupted


def test_an_app_that_lacks_the_call_to_set_an_emotion_takes_no_keys(start_app):
    def lack(_, request):
        a2f_app.send(request, 404, b'{"detail":"Not Found"}')
        return True

    peer = start_app(fault=a2f_app.at_call("/A2F/SetFrame", 1, lack))
    complaint(App(peer.url), r"takes no keys by REST \(it cannot set them\)")


def test_the_app_makes_no_keys_of_its_own_meanwhile_and_does_again_afterwards(start_app, line):
    peer = start_app(settings={"a2e_auto_generate": True}, keys=dict(THEIRS))
    app = App(peer.url)
    with app.quiet():
        app.load_track(line)
    assert (peer.generated, peer.settings["a2e_auto_generate"]) == (0, True)
    with pytest.raises(ZeroDivisionError), app.quiet():
        raise ZeroDivisionError
    assert peer.settings["a2e_auto_generate"] is True


@pytest.mark.parametrize("settings", [{}, {"a2e_auto_generate": False}])
def test_a_setting_that_is_off_or_not_told_is_left_untouched(start_app, line, settings):
    peer = start_app(settings=settings)
    app = App(peer.url)
    with app.quiet():
        app.load_track(line)
    assert "/A2F/A2E/EnableAutoGenerateOnTrackChange" not in peer.calls


def test_that_a_setting_could_not_be_set_back_is_a_warning(start_app):
    enable = "/A2F/A2E/EnableAutoGenerateOnTrackChange"
    peer = start_app(settings={"a2e_auto_generate": True}, fault=a2f_app.at_call(enable, 2, refuse))
    app = App(peer.url)
    with pytest.warns(DserWarning, match="Auto Generate On Track Change is left off"), app.quiet():
        pass


def test_several_faces_and_players_are_told_apart_by_name_or_by_place(start_app):
    faces, players = ([f"/World/{who}/{what}" for who in ("ann", "bob")] for what in ("CoreFullface", "Player"))
    peer = start_app(faces=faces, players=players)
    with pytest.raises(
        Audio2FaceError, match=r"several faces; choose with --instance among /World/ann/\S+, /World/bob"
    ):
        App(peer.url)
    with pytest.raises(Audio2FaceError, match="no face /World/eve; choose with --instance among"):
        App(peer.url, "/World/eve")
    assert App(peer.url, faces[1]).player() == players[1]
    assert App(peer.url, faces[1], players[0]).player() == players[0]
    peer.faces = ["/World/Face"]
    with pytest.raises(Audio2FaceError, match="several players; choose with --player among"):
        App(peer.url).player()


def test_a_scene_without_face_or_player_is_named(start_app):
    with pytest.raises(Audio2FaceError, match="holds no face; open one"):
        App(start_app(faces=[]).url)
    app = App(start_app(players=[], streaming=[]).url)
    with pytest.raises(Audio2FaceError, match="holds no player"):
        app.player()
    with pytest.raises(Audio2FaceError, match="holds no streaming player"):
        app.player(streaming=True)


def test_a_line_that_the_app_does_not_see_is_named(start_app, line):
    def elsewhere(_, request):
        a2f_app.send(request, 200, b'{"status": "OK", "result": ["other.wav"]}')
        return True

    peer = start_app(fault=a2f_app.at_call("/A2F/Player/GetTracks", 1, elsewhere))
    with pytest.raises(Audio2FaceError, match=r"line\.wav: .* does not find it in .*; put it where"):
        App(peer.url).load_track(line)
    assert peer.track == ""


@pytest.mark.parametrize("name", ["line.ogg", "ogg.wav", "missing.wav", "empty.wav", "."])
def test_only_a_wav_file_can_be_a_track(start_app, line, name):
    line.with_name("line.ogg").write_bytes(line.read_bytes())
    line.with_name("ogg.wav").write_bytes(b"OggS" + bytes(20))
    line.with_name("empty.wav").write_bytes(b"")
    with pytest.raises(AudioError, match=r"; (save the line as one|check its name)"):
        App(start_app().url).load_track(line.parent / name)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    answer=st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["status", "result", "message", "regular", "fullface_instances"]), inner)
        ),
        max_leaves=6,
    ),
    path=st.sampled_from(sorted(path for _, path in a2f_app.CALLS)),
    enveloped=st.booleans(),
)
def test_whatever_the_app_answers_is_taken_or_one_sentence(wild_app, line_of_module, answer, path, enveloped):
    def answer_wildly(_, request):
        said = {"status": "OK", "result": answer} if enveloped else answer
        a2f_app.send(request, 200, json.dumps(said).encode())
        return True

    wild_app.keys, wild_app.fault = dict(THEIRS), None
    wild_app.calls.clear()
    wild_app.fault = a2f_app.at_call(path, 1, answer_wildly)
    said = wild_app.url
    try:
        app = App(wild_app.url, timeout_seconds=5)
        with app.quiet():
            app.load_track(line_of_module)
            app.replace_keys(OURS)
    except Audio2FaceError as error:
        said = str(error)
    assert wild_app.url in said
    assert said.isprintable()


@pytest.fixture(scope="module")
def wild_app():
    peer = a2f_app.A2FApp()
    yield peer
    peer.stop()


@pytest.fixture(scope="module")
def line_of_module(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("wild") / "line.wav"
    soundfile.write(path, np.zeros(1600, np.float32), 16_000)
    return path


def test_an_app_that_hangs_midway_does_not_hold_us_up(start_app):
    peer = start_app(fault=a2f_app.at_call(SET, 3, lambda *_: time.sleep(2) is None))
    started = time.monotonic()
    complaint(App(peer.url, timeout_seconds=0.3), "has not answered /A2F/A2E/SetEmotionByName within 0.3 s")
    assert time.monotonic() - started < 2
