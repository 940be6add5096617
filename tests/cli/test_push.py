"""dser push: sound and keys go to Audio2Face, its animation comes to a file, and every failure is one line."""

from __future__ import annotations

import csv
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import a2f_server
import numpy as np
import pytest
import soundfile

from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.formats.track_json import read_track

SERVER = Path(a2f_server.__file__)
ROOT = SERVER.parents[2]


@pytest.fixture
def a2f(start_a2f):
    return start_a2f()


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


def test_a_line_becomes_blendshapes_for_importers(dser, line, a2f):
    done = dser("push", line, "--a2f", a2f.target, "-o", "face.json")
    assert done.code == 0
    face = json.loads(Path("face.json").read_text(encoding="utf-8"))
    assert (face["exportFps"], face["numFrames"], face["numPoses"]) == (30, 45, 52)
    assert face["trackPath"] == "line.wav"
    assert np.shape(face["weightMat"]) == (45, 52)
    assert np.ptp(face["weightMat"], axis=0).max() > 0.1
    assert done.line.startswith("dser: face.json: 45 frames of 52 blendshapes, ")


def test_a_line_becomes_the_table_that_nvidias_client_writes(dser, line, a2f):
    assert dser("push", line, "--a2f", a2f.target, "-o", "face.CSV").code == 0
    rows = list(csv.DictReader(Path("face.CSV").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 45
    assert "blendShapes.JawOpen" in rows[0]
    np.testing.assert_allclose([float(row["timeCode"]) for row in rows], np.arange(45) / 30, atol=1e-6)


def test_the_face_follows_the_keys_of_the_recognised_line(dser, line, a2f):
    dser("emote", line, "-o", "line.json", "--style", "expressive")
    written = read_track("line.json").keyframes
    assert dser("push", line, "--a2f", a2f.target, "-o", "face.json", "--style", "expressive").code == 0
    sent = a2f.requests[-1].keys
    np.testing.assert_allclose([seconds for seconds, _ in sent], written.times, atol=1e-6)
    values = [[emotion[name] for name in A2F_EMOTIONS] for _, emotion in sent]
    np.testing.assert_allclose(values, written.values, atol=1e-5)


def test_the_emotions_that_audio2face_ends_with_are_the_keys(line, a2f):
    import dser_ext
    from dser_ext.audio import read
    from dser_ext.audio2face.animate import animate

    keys = dser_ext.Performance.of(dser_ext.recognize(line)).keyframes
    animation = animate(read(line), keys, a2f.target)
    np.testing.assert_allclose(animation.emotions, keys.at(animation.emotion_times), atol=1e-6)


def test_an_edited_track_is_sent_as_it_is_and_no_model_is_needed(dser, line, a2f):
    dser("emote", line, "-o", "line.json")
    track = json.loads(Path("line.json").read_text(encoding="utf-8"))
    glad = [1.0 if name == "joy" else 0.0 for name in A2F_EMOTIONS]
    track["keyframes"].update(times=[0.0, 1.0], values=[glad, glad])
    Path("line.json").write_text(json.dumps(track))
    done = dser("push", line, "--track", "line.json", "--a2f", a2f.target, "-o", "face.json", "--model", "none")
    assert done.code == 0
    assert done.line.endswith("2 emotion keys sent")
    assert [emotion["joy"] for _, emotion in a2f.requests[0].keys] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["line.wav", "--a2f", "localhost:1", "-o", "face.fbx"], "an animation ends in .csv, .json, .usda"),
        (["line.wav", "--a2f", "localhost:1", "--track", "line.json", "-o", "line.json"], "line.json is an input"),
        (["line.wav", "--a2f", "localhost:1", "-o", "face.json", "--timeout", "0"], "0 is no number from 0.1 to 3600"),
        (["line.wav", "-o", "face.json"], "one of the arguments --a2f, --app, --app-usd is required"),
        (["line.wav", "--a2f", "localhost:1", "-o", "face.json", "--format", "fbx"], "invalid choice: 'fbx'"),
        (["line.wav", "--a2f", "localhost:1", "-o", "a.json", "--config", "a.json"], "a.json is an input"),
        (["line.wav", "--a2f", "localhost:1", "-o", "a.json", "--root-certificate", "a.pem"], "with --tls alone"),
        (["line.wav", "--a2f", "localhost:1", "-o", "a.json", "--tls", "--client-key", "a.key"], "go together"),
        (["line.wav", "--a2f", "localhost:1"], "required: -o"),
    ],
)
def test_wrong_usage_is_said_before_any_work(dser, arguments, message):
    done = dser("push", *arguments)
    assert done.code == 2
    assert message in done.lines[-1]


def failed_push(dser, line, target, *more) -> str:
    done = dser("push", line, "--a2f", target, "-o", "face.json", *more)
    assert done.code == 1
    assert {path.name for path in Path().iterdir()} <= {"line.wav", "takes"}
    return done.line


def test_an_audio2face_that_is_not_there_is_one_line_with_a_remedy(dser, line):
    target = f"127.0.0.1:{free_port()}"
    assert f"dser: {target}: no Audio2Face answers there" in failed_push(dser, line, target)


@pytest.mark.parametrize("target", ["localhost", "localhost:port", "http://localhost:52000"])
def test_an_address_that_is_none_is_one_line(dser, line, target):
    assert "write HOST:PORT" in failed_push(dser, line, target)


def test_something_else_that_listens_there_is_one_line(dser, line):
    with socket.create_server(("127.0.0.1", 0)) as web:
        message = failed_push(dser, line, f"127.0.0.1:{web.getsockname()[1]}", "--timeout", "1")
    assert "Audio2Face has sent nothing for 1 s" in message


@pytest.mark.parametrize(
    ("failure", "frames", "message"),
    [
        ("refuse", 0, "Audio2Face refuses the line: the moon is in the wrong phase"),
        ("error", 5, "ran out of memory"),
        ("cut", 5, "frames"),
        ("garbage", 5, "127.0.0.1:"),
        ("hang", 0, "Audio2Face has sent nothing for 0.5 s, after 0 frames"),
        ("hang", 5, "Audio2Face has sent nothing for 0.5 s, after 5 frames"),
    ],
)
def test_an_audio2face_that_fails_is_one_line_and_no_file(dser, line, start_a2f, failure, frames, message):
    server = start_a2f(spoil=a2f_server.after_frames(frames, a2f_server.FAILURES[failure]))
    started = time.monotonic()
    assert message in failed_push(dser, line, server.target, "--timeout", "0.5")
    assert time.monotonic() - started < 10


def test_an_audio2face_that_dies_in_mid_stream_is_one_line_and_no_file(dser, line):
    target = f"127.0.0.1:{free_port()}"
    command = [sys.executable, str(SERVER), "--listen", target, "--fail", "die", "--after-frames", "20"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(SERVER.parent)])}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout.readline().startswith(b"listening")
            said = failed_push(dser, line, target)
            # Frames that had not left the process die with it.
            assert re.search(r"stopped in the middle of the answer, after (1?\d|20) frames", said), said
        finally:
            server.kill()


def test_settings_come_from_a_file_like_those_of_nvidias_client(dser, line, a2f):
    Path("a2f.yml").write_text(
        "face_parameters:\n  skinStrength: 0.5\nblendshape_parameters:\n  multipliers: {JawOpen: 0.0}\n"
    )
    assert dser("push", line, "--a2f", a2f.target, "-o", "face.json", "--config", "a2f.yml").code == 0
    header = a2f.requests[0].header
    assert dict(header.face_params.float_params) == {"skinStrength": 0.5}
    assert header.emotion_post_processing_params.emotion_strength == 1
    face = json.loads(Path("face.json").read_text(encoding="utf-8"))
    assert not np.array(face["weightMat"])[:, face["facsNames"].index("jawOpen")].any()


def test_what_a_settings_file_cannot_have_its_way_with_is_a_warning(dser, line, a2f):
    document = {"emotion_with_timecode_list": {"a": {"time_code": 0, "emotions": {}}}}
    Path("a2f.json").write_text(json.dumps(document))
    done = dser("push", line, "--a2f", a2f.target, "-o", "face.json", "--config", "a2f.json")
    assert done.code == 0
    assert done.lines[0].startswith("dser: warning: emotion_with_timecode_list is left out")


@pytest.mark.parametrize(
    ("content", "words"),
    [("face_parameters: {nose: 1}", "face_parameters: there is no 'nose'"), ("a: [", "no YAML in line 1")],
)
def test_a_settings_file_that_is_wrong_is_one_line_and_nothing_is_sent(dser, line, a2f, content, words):
    Path("a2f.yml").write_text(content)
    done = dser("push", line, "--a2f", a2f.target, "-o", "face.json", "--config", "a2f.yml")
    assert done.code == 1
    assert done.line.startswith(f"dser: a2f.yml: {words}")
    assert not a2f.requests


def test_a_line_goes_over_tls_with_the_key_from_the_environment_which_nobody_sees(
    dser, line, start_a2f, certificates, monkeypatch
):
    monkeypatch.setenv("DSER_A2F_API_KEY", "secret-key")
    server = start_a2f(credentials=certificates.server(mutual=True))
    target = f"localhost:{server.target.rpartition(':')[2]}"
    way = ["--a2f", target, "--tls", "--root-certificate", certificates.path("authority.pem"), "--function-id", "f-1"]
    own = ["--client-certificate", certificates.path("client.pem"), "--client-key", certificates.path("client.key")]
    done = dser("push", line, *way, *own, "-o", "face.json")
    assert done.code == 0
    assert server.metadata[0]["authorization"] == "Bearer secret-key"
    assert server.metadata[0]["function-id"] == "f-1"
    assert "secret-key" not in done.out + "".join(done.lines)


def test_the_key_is_not_sent_in_the_open(dser, line, monkeypatch):
    monkeypatch.setenv("DSER_A2F_API_KEY", "secret-key")
    message = failed_push(dser, line, "render-farm.invalid:52000")
    assert "not sent without TLS" in message
    assert "secret-key" not in message


def test_an_animation_goes_to_unreal_as_a_recording_of_live_link_face(dser, line, a2f):
    done = dser("push", line, "--a2f", a2f.target, "-o", "face.csv", "--format", "livelink-csv")
    assert done.code == 0
    rows = list(csv.DictReader(Path("face.csv").read_text(encoding="utf-8").splitlines()))
    assert (len(rows), rows[31]["Timecode"], rows[0]["HeadYaw"]) == (45, "00:00:01:01.000", "0.0")


def test_an_animation_goes_to_a_stage(dser, line, a2f):
    usd = pytest.importorskip("pxr.Usd")
    assert dser("push", line, "--a2f", a2f.target, "-o", "face.usda").code == 0
    assert usd.Stage.Open("face.usda").GetEndTimeCode() == 44


@pytest.mark.slow
def test_a_line_of_more_than_five_minutes_is_animated_in_parts(dser, line, start_a2f):
    assert dser("emote", line, "-o", "line.json").code == 0
    soundfile.write("long.wav", np.zeros(301 * 16_000, np.int16), 16_000)
    server = start_a2f(spoil=a2f_server.every(15))
    done = dser("push", "long.wav", "--track", "line.json", "--a2f", server.target, "-o", "face.csv")
    assert done.code == 0
    assert [round(request.seconds) for request in server.requests] == [300, 1]
    rows = list(csv.DictReader(Path("face.csv").read_text(encoding="utf-8").splitlines()))
    assert float(rows[-1]["timeCode"]) > 300


@pytest.mark.parametrize("source", ["missing.wav", "broken.wav", "."])
def test_sound_that_cannot_be_read_is_one_line_and_nothing_is_sent(dser, source, a2f):
    Path("broken.wav").write_text("no sound")
    done = dser("push", source, "--a2f", a2f.target, "-o", "face.json")
    assert done.code == 1
    assert done.line.startswith(f"dser: {source}: ")
    assert not a2f.requests


def test_a_track_that_cannot_be_read_is_one_line_and_nothing_is_sent(dser, line, a2f):
    Path("track.json").write_text("{}")
    done = dser("push", line, "--track", "track.json", "--a2f", a2f.target, "-o", "face.json")
    assert done.code == 1
    assert done.line.startswith("dser: track.json: ")
    assert not a2f.requests


def test_an_animation_that_cannot_be_written_is_one_line(dser, line, a2f):
    done = dser("push", line, "--a2f", a2f.target, "-o", "no/face.json")
    assert done.code == 1
    assert done.line.startswith("dser: no/face.json: cannot be written")


def test_a_truncated_line_is_animated_with_one_warning(dser, line, a2f):
    line.write_bytes(line.read_bytes()[:-16_000])
    done = dser("push", line, "--a2f", a2f.target, "-o", "face.json")
    assert done.code == 0
    assert [("warning: line.wav: ends early" in text) for text in done.lines] == [True, False]
