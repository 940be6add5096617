"""dser push --app: the line goes on the older app's player, its keys on the face, and every failure is one line."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import a2f_app
import numpy as np
import pytest
from a2f_app import FACE, PLAYER, STREAMING

from dser_ext.audio import read
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.formats.track_json import read_track

SCENE = f"""#usda 1.0
def "World"
{{
    def "audio2face"
    {{
        def "CoreFullface"
        {{
            float[] state:setting_emotion = {[0] * 10}
            float[] feelings
        }}
    }}
}}
"""


@pytest.fixture
def track(dser, line) -> Path:
    """line.json: the track of line.wav, so that no test needs to recognise it again."""
    dser("emote", line, "-o", "line.json")
    return Path("line.json")


@pytest.fixture
def scene() -> Path:
    """scene.usda: as much of a scene of the app as is looked at."""
    pytest.importorskip("pxr", reason="needs usd-core")
    Path("scene.usda").write_text(SCENE)
    return Path("scene.usda")


def samples(path: str, attribute: str = f"{FACE}.state:setting_emotion") -> tuple[list[float], list[list[float]]]:
    """Seconds and values of the keys in a scene."""
    from pxr import Usd

    stage = Usd.Stage.Open(path)
    found = stage.GetAttributeAtPath(attribute)
    codes = found.GetTimeSamples()
    return [code / stage.GetTimeCodesPerSecond() for code in codes], [list(found.Get(code)) for code in codes]


def test_a_recognised_line_and_its_keys_go_to_the_app(dser, line, track, start_app):
    peer = start_app()
    done = dser("push", line, "--app", peer.url)
    assert (done.code, done.out) == (0, "")
    keys = read_track(track).keyframes
    assert done.lines == [
        f"dser: line.wav: is on {PLAYER} of {peer.url}",
        f"dser: {FACE}: {len(keys.times)} emotion keys",
    ]
    assert (peer.root, peer.track) == (str(Path.cwd()), "line.wav")
    np.testing.assert_allclose(sorted(peer.keys), keys.times, atol=1e-6)
    values = [[peer.keys[seconds][name] for name in A2F_EMOTIONS] for seconds in sorted(peer.keys)]
    np.testing.assert_allclose(values, keys.values, atol=1e-5)


def test_keys_of_an_edited_track_replace_those_in_the_app_and_no_model_is_needed(dser, line, track, start_app):
    document = json.loads(track.read_text(encoding="utf-8"))
    glad = [1.0 if name == "joy" else 0.0 for name in A2F_EMOTIONS]
    document["keyframes"].update(times=[0.0, 1.0], values=[glad, glad])
    track.write_text(json.dumps(document))
    peer = start_app(keys={5.0: dict.fromkeys(A2F_EMOTIONS, 0.5)}, settings={"a2e_auto_generate": True})
    done = dser("push", line, "--track", track, "--app", peer.url, "--model", "none")
    assert done.code == 0
    assert done.lines[-1].endswith("2 emotion keys in place of 1")
    assert {seconds: emotions["joy"] for seconds, emotions in peer.keys.items()} == {0.0: 1.0, 1.0: 1.0}
    assert (peer.generated, peer.settings["a2e_auto_generate"]) == (0, True)


def test_an_app_that_takes_no_keys_by_rest_has_the_line_and_the_user_the_remedy(dser, line, track, start_app):
    done = dser("push", line, "--track", track, "--app", start_app(keyframer="holds").url)
    assert done.code == 1
    assert len(done.lines) == 2
    assert "takes no keys by REST" in done.lines[1]
    assert "--app-usd" in done.lines[1]


def test_keys_may_go_into_a_scene_beside_the_line_on_the_player(dser, line, track, start_app, scene):
    peer = start_app(keyframer="lacks")
    done = dser("push", line, "--track", track, "--app", peer.url, "--app-usd", scene, "-o", "keyed.usda")
    assert done.code == 0
    keys = read_track(track).keyframes
    assert done.lines == [
        f"dser: keyed.usda: {len(keys.times)} emotion keys on {FACE}.state:setting_emotion",
        f"dser: line.wav: is on {PLAYER} of {peer.url}",
    ]
    assert peer.track == "line.wav"
    times, values = samples("keyed.usda")
    np.testing.assert_allclose(times, keys.times, atol=1e-6)
    np.testing.assert_allclose(values, keys.values, atol=1e-6)


def test_a_scene_can_be_keyed_without_the_app(dser, line, track, scene):
    given = ["--track", track, "--app-usd", scene, "-o", "keyed.usda", "--instance", f"{FACE}.feelings"]
    done = dser("push", line, *given)
    assert (done.code, len(done.lines)) == (0, 1)
    assert len(samples("keyed.usda", f"{FACE}.feelings")[0]) == len(read_track(track).keyframes.times)
    assert scene.read_text() == SCENE


def test_the_streaming_player_speaks_the_line_once_its_keys_are_there(dser, line, track, start_app, start_player):
    app, keys_when_heard = start_app(), []
    player = start_player(answer=lambda _: keys_when_heard.append(len(app.keys)))
    done = dser("push", line, "--track", track, "--app", app.url, "--app-player", player.target)
    assert done.code == 0
    assert done.lines[1] == f"dser: line.wav: is spoken by {STREAMING} of {player.target}"
    np.testing.assert_array_equal(player.sound, read(line))
    assert keys_when_heard == [len(read_track(track).keyframes.times)]
    assert app.track == ""


def test_a_keyed_scene_can_go_with_the_streaming_player(dser, line, track, scene, start_player):
    player = start_player(instance="/World/ann/PlayerStreaming")
    given = ["--app-usd", scene, "-o", "keyed.usda", "--app-player", player.target, "--player", player.instance]
    done = dser("push", line, "--track", track, *given)
    assert done.code == 0
    assert Path("keyed.usda").exists()
    assert len(player.sound) == len(read(line))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one of the arguments --a2f, --app, --app-usd is required"),
        (["--app-player", "h:1"], "one of the arguments --a2f, --app, --app-usd is required"),
        (["--a2f", "h:1", "--app", "http://h"], "argument --app: not allowed with argument --a2f"),
        (["--a2f", "h:1", "-o", "a.json", "--app-usd", "s.usd"], "argument --app-usd: not allowed with argument --a2f"),
        (["--a2f", "h:1", "-o", "a.json", "--instance", "/W"], "argument --instance: not allowed with argument --a2f"),
        (["--app", "http://h", "--format", "usda"], "argument --format: allowed with argument --a2f alone"),
        (["--app", "http://h", "-o", "face.json"], "argument -o/--output: not allowed with argument --app"),
        (["--app-usd", "s.usd"], "required: -o"),
        (["--app-usd", "s.usd", "-o", "keyed.usd"], "a keyed scene ends in .usda"),
        (["--app-usd", "s.usda", "-o", "s.usda"], "s.usda is an input"),
        (["--app", "http://h", "--app-usd", "s", "-o", "k.usda", "--app-player", "h:1"], "--app has nothing to do"),
    ],
)
def test_wrong_usage_is_said_before_any_work(dser, arguments, message):
    done = dser("push", "line.wav", *arguments)
    assert done.code == 2
    assert message in done.lines[-1]


def refused(dser, *arguments) -> str:
    done = dser("push", *arguments)
    assert done.code == 1
    return done.line


def test_what_is_wrong_is_said_before_the_line_is_recognised(dser, line, start_app, monkeypatch):
    monkeypatch.setattr("dser_ext.cli.options.recognizer", lambda _: pytest.fail("recognised in vain"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = start_app().url
    assert f"{nobody}: no Audio2Face app answers there" in refused(dser, line, "--app", nobody)
    assert "write http://HOST:PORT" in refused(dser, line, "--app", "ftp://localhost")
    assert "choose with --instance" in refused(dser, line, "--app", app, "--instance", "/World/eve")
    assert "write HOST:PORT" in refused(dser, line, "--app", app, "--app-player", "localhost")
    assert "holds no streaming player" in refused(
        dser, line, "--app", start_app(streaming=[]).url, "--app-player", "localhost:1"
    )
    assert "missing.wav: cannot be read" in refused(dser, "missing.wav", "--app", app)
    line.rename("line.flac")
    assert "plays only WAV files (.wav); save" in refused(dser, "line.flac", "--app", app)


def test_a_streaming_player_that_is_not_there_is_one_line(dser, line, track, start_app):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
    done = dser("push", line, "--track", track, "--app", start_app().url, "--app-player", target)
    assert done.code == 1
    assert f"dser: {target}: no streaming player of Audio2Face answers there" in done.lines[-1]


def test_a_scene_that_cannot_be_keyed_is_one_line_and_no_file(dser, line, track, scene):
    scene.write_text("#usda 1.0\n")
    message = refused(dser, line, "--track", track, "--app-usd", scene, "-o", "keyed.usda")
    assert message.startswith("dser: scene.usda: has no prim /World/audio2face/CoreFullface; ")
    assert not Path("keyed.usda").exists()


def test_without_usd_core_the_remedy_is_one_line(dser, line, track, monkeypatch):
    monkeypatch.setitem(sys.modules, "pxr", None)
    assert "needs the package usd-core" in refused(
        dser, line, "--track", track, "--app-usd", "scene.usda", "-o", "keyed.usda"
    )


def test_an_app_that_dies_midway_is_one_line_that_says_what_became_of_its_keys(dser, line, track, start_app):
    peer = start_app(
        keys={5.0: dict.fromkeys(A2F_EMOTIONS, 0.5)},
        fault=a2f_app.at_call("/A2F/A2E/SetEmotionByName", 3, a2f_app.die),
    )
    done = dser("push", line, "--track", track, "--app", peer.url, "--timeout", "1")
    assert done.code == 1
    assert "the connection broke before" in done.lines[-1]
    assert "open the scene again" in done.lines[-1]
