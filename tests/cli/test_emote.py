"""dser emote: a good line becomes a whole file, a bad one a line on stderr, and wrong usage stops before any work."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.emotion.style import PRESETS
from dser_ext.formats.track_json import read_track
from dser_ext.recognition.voice import VoiceProfile

ROOT = Path(__file__).parents[2]
AS_ROOT = os.geteuid() == 0


def document(path: Path | str) -> dict:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def names(folder: Path | str = ".") -> set[str]:
    return {path.name for path in Path(folder).iterdir()}


def process(*arguments: object, **how) -> subprocess.CompletedProcess[str]:
    """dser in a process of its own."""
    command = [sys.executable, "-m", "dser_ext.cli.main", *map(str, arguments)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    env = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False, **how)


# --- the document -----------------------------------------------------------------------------------------------------


def test_a_line_becomes_the_document_of_the_contract(dser, line):
    assert dser("emote", line, "-o", "out.json").code == 0
    track = document("out.json")
    assert list(track) == [
        *("schema", "audio", "model", "voice", "emotions", "times", "concentration", "mean", "std"),
        *("style", "fps", "keyframes"),
    ]
    assert track["schema"] == "dser.track/1"
    assert track["audio"] == {
        "path": "line.wav",
        "sha256": hashlib.sha256(line.read_bytes()).hexdigest(),
        "seconds": 1.5,
    }
    assert set(track["model"]) == {"name", "version", "sha256"}
    assert track["voice"] is None
    assert track["emotions"] == list(EMOTIONS)
    assert track["times"] == [round(index / 50, 6) for index in range(75)]
    for name in ("concentration", "mean", "std"):
        assert np.shape(track[name]) == (75, 6)
    np.testing.assert_allclose(np.sum(track["mean"], axis=1), 1, atol=1e-5)
    assert track["fps"] == 30
    assert track["keyframes"]["names"] == list(A2F_EMOTIONS)
    assert np.shape(track["keyframes"]["values"]) == (len(track["keyframes"]["times"]), 10)


@pytest.mark.parametrize(
    ("tolerance", "style", "fps"),
    [(0.02, "natural", 30), (0.005, "expressive", 24), (0.1, "steady", 29.97), (0.001, "expressive", 60)],
)
def test_the_keys_miss_the_curves_by_no_more_than_the_tolerance(dser, line, tolerance, style, fps):
    dser("emote", line, "-o", "out.json", "--tolerance", tolerance, "--style", style, "--fps", fps)
    written = read_track("out.json")
    assert written.style == PRESETS[style]
    curves = written.style.apply(written.track, fps)
    keys = written.keyframes
    assert np.abs(keys.at(curves.times) - curves.values).max() <= tolerance
    assert keys.times[0] == 0
    assert keys.times[-1] == pytest.approx(curves.times[-1], abs=1e-6)
    np.testing.assert_allclose(keys.times * fps, np.round(keys.times * fps), atol=1e-4)


def test_csv_has_a_row_for_every_animation_frame(dser, line):
    assert dser("emote", line, "-o", "out.csv").code == 0
    rows = list(csv.DictReader(Path("out.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 46
    assert float(rows[30]["seconds"]) == 1
    assert {f"a2f_{name}" for name in A2F_EMOTIONS} <= set(rows[0])


def test_a_style_from_a_file_is_used_and_written_down(dser, line):
    Path("my style.json").write_text(json.dumps({"name": "mine", "gain": 0.5, "limits": {"joy": 0.1}}))
    assert dser("emote", line, "-o", "out.json", "--style", "my style.json").code == 0
    track = document("out.json")
    assert track["style"]["name"] == "mine"
    assert np.max(np.array(track["keyframes"]["values"])[:, A2F_EMOTIONS.index("joy")]) <= 0.1 + 1e-6


# --- where results go -------------------------------------------------------------------------------------------------


def test_without_o_the_result_lies_beside_the_line(dser, lines):
    assert dser("emote", *lines[:2]).code == 0
    assert {path.with_suffix(".json") for path in lines[:2]} <= set(Path("takes").iterdir())


def test_several_lines_go_into_the_folder_o_which_is_made(dser, lines):
    assert dser("emote", *lines[:2], "-o", "new/keys").code == 0
    assert names("new/keys") == {path.with_suffix(".json").name for path in lines[:2]}


@pytest.mark.parametrize("output", ["keys", "keys/"])
def test_a_single_line_goes_into_a_folder_that_exists(dser, line, output):
    Path("keys").mkdir()
    assert dser("emote", line, "-o", output).code == 0
    assert names("keys") == {"line.json"}


def test_a_single_line_goes_into_a_new_folder_if_its_name_ends_in_a_slash(dser, line):
    assert dser("emote", line, "-o", "keys/", "--format", "csv").code == 0
    assert names("keys") == {"line.csv"}


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["--format", "csv"], "line.csv"),
        (["-o", "out.CSV"], "out.CSV"),
        (["-o", "out.json", "--format", "csv"], "out.json"),
        (["-o", "out", "--format", "csv"], "out"),
    ],
)
def test_the_format_is_the_one_named_else_the_suffixs(dser, line, arguments, output):
    assert dser("emote", line, *arguments).code == 0
    assert Path(output).read_text(encoding="utf-8").startswith("frame,seconds,anger")


def test_an_older_result_is_replaced(dser, line):
    Path("out.json").write_text("old")
    assert dser("emote", line, "-o", "out.json").code == 0
    assert document("out.json")["schema"] == "dser.track/1"


# --- wrong usage: exit code 2 before any work -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["line.wav", "line.flac"], r"line\.json would be the result of two lines"),
        (["line.wav", "./line.wav"], "result of two lines"),
        (["line.wav", "takes/line.wav", "-o", "keys"], "result of two lines"),
        (["line.json"], r"line\.json is an input and would be replaced"),
        (["line.wav", "-o", "line.wav", "--format", "json"], r"line\.wav is an input"),
        (["line.wav", "-o", "link.json"], r"link\.json is an input"),
        (["line.wav", "--style", "line.json"], r"line\.json is an input"),
        (["line.wav", "--voice", "anna.json", "-o", "anna.json"], r"anna\.json is an input"),
        (["line.wav", "other.wav", "-o", "line.wav"], r"-o line\.wav is a file, and the results need a folder"),
        (["line.wav", "-o", "out.xyz"], "no format goes by this suffix; name one of json, csv"),
        (["line.wav", "-o", "out"], "no format goes by this suffix"),
        (["line.wav", "--format", "fbx"], "invalid choice: 'fbx'"),
        (["line.wav", "--fps", "0"], "0 is no number from 1 to 240"),
        (["line.wav", "--fps", "nan"], "nan is no number"),
        (["line.wav", "--fps", "many"], "many is no number"),
        (["line.wav", "--tolerance", "0"], r"0 is no number from 0\.0001 to 0\.5"),
        (["line.wav", "--tolerance", "-1"], "-1 is no number"),
        (["line.wav", "--device", "abacus"], "invalid choice: 'abacus'"),
        (["line.wav", "--voice", "takes", "--same-voice"], "not allowed with"),
        ([], "required: AUDIO"),
    ],
)
@pytest.mark.usefixtures("line")
def test_wrong_usage_is_said_before_any_work(dser, arguments, message):
    Path("link.json").symlink_to("line.wav")
    before = names()
    done = dser("emote", *arguments, "--model", "never looked for") if arguments else dser("emote")
    assert done.code == 2
    assert re.search(message, done.lines[-1])
    assert names() == before


# --- bad input: exit code 1, one line, nothing partial ----------------------------------------------------------------


def bad_input(kind: str) -> Path:
    """Make a bad file of this kind."""
    path = Path(f"{kind}.wav")
    tone = np.sin(np.arange(16_000) / 9).astype(np.float32)
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("this is no sound\n" * 99)
    elif kind == "header only":
        soundfile.write(path, tone[:0], 16_000)
    elif kind == "cut in its header":
        soundfile.write(path, tone, 16_000)
        path.write_bytes(path.read_bytes()[:30])
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "unreadable":
        path.symlink_to(path)  # a link to itself cannot be read even by root
    elif kind in ("nan", "inf"):
        tone[9_000] = float(kind)
        soundfile.write(path, tone, 16_000, subtype="FLOAT")
    return path


BAD = ["missing", "empty", "text", "header only", "cut in its header", "folder", "pipe", "unreadable", "nan", "inf"]


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_line_is_reported_in_one_line_with_a_remedy_and_nothing_is_written(dser, kind):
    path = bad_input(kind)
    before = names()
    done = dser("emote", path, "-o", "out.json")
    assert done.code == 1
    assert done.line.startswith(f"dser: {path}: ")
    assert ";" in done.line
    assert names() == before


@pytest.mark.parametrize("how", [[], ["--same-voice"]])
def test_of_several_lines_every_good_one_is_written_and_every_bad_one_reported(dser, lines, how):
    bad = [bad_input(kind) for kind in BAD]
    done = dser("emote", bad[0], lines[0], *bad[1:], lines[1], "-o", "keys", *how)
    assert done.code == 1
    errors = [line for line in done.lines if not line.startswith("dser: warning: the same voice: only 2 lines")]
    assert sorted(line.split(": ")[1] for line in errors) == sorted(map(str, bad))
    assert names("keys") == {path.with_suffix(".json").name for path in lines[:2]}


@pytest.mark.parametrize("name", ["", ".", "/", "..", "a\nb.wav", "\x1b[31m.wav", "\udcff.wav", "x" * 300 + ".wav"])
def test_a_strange_name_is_reported_in_one_printable_line(dser, name):
    done = dser("emote", name)
    assert done.code == 1
    assert done.line.isprintable()


@pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere refuse such names")
def test_a_line_whose_name_is_no_unicode_is_recognised_all_the_same(dser, line):
    line.rename("\udcff.wav")
    assert dser("emote", "\udcff.wav", "-o", "out.json").code == 0
    assert document("out.json")["audio"]["path"] == "\udcff.wav"


@pytest.mark.skipif(AS_ROOT, reason="root may read and write everything")
def test_permissions_are_reported(dser, line):
    line.chmod(0)
    assert "Permission denied" in dser("emote", line, "-o", "out.json").line
    line.chmod(0o600)
    Path("locked").mkdir(mode=0o500)
    assert "Permission denied" in dser("emote", line, "-o", "locked/out.json").line


@pytest.mark.parametrize(
    "output", ["no/such/folder/out.json", "/dev/null/out.json", f"{'x' * 300}.json", "/proc/out.json"]
)
def test_an_output_that_cannot_be_written_is_named(dser, line, output):
    done = dser("emote", line, "-o", output)
    assert done.code == 1
    assert done.line.startswith(f"dser: {output}: cannot be written (")
    assert names() == {"line.wav"}


def test_a_folder_that_cannot_be_made_is_named(dser, lines):
    assert dser("emote", *lines[:2], "-o", "/proc/made").line.startswith("dser: /proc/made: cannot be made (")


def test_a_full_disk_leaves_nothing_and_is_named(line):
    done = process(
        *("emote", line, "-o", "out.json"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert done.returncode == 1
    assert "dser: out.json: cannot be written (File too large); check the folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert names() == {"line.wav"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"mine\.json: neither a style \(natural, .*nor a readable JSON file"),
        ("{", "neither a style"),
        ("[]", "must be a JSON object"),
        ('{"gain": 9}', "gain must be a number from 0 to 4, not 9"),
        ('{"gain": "loud"}', "gain must be a number"),
        ('{"glow": 1}', "glow. is no setting"),
        ('{"limits": {"happiness": 1}}', "limits: .happiness. is no Audio2Face emotion"),
        ('{"name": 5}', "name must be a text"),
        ("[" * 100_000, "neither a style"),
    ],
)
def test_a_bad_style_is_reported_before_any_work(dser, line, content, message):
    if content is not None:
        Path("mine.json").write_text(content)
    done = dser("emote", line, "-o", "out.json", "--style", "mine.json", "--model", "never looked for")
    assert done.code == 1
    assert done.line.startswith("dser: mine.json: ")
    assert re.search(message, done.line)
    assert not Path("out.json").exists()


def test_a_model_that_is_none_is_one_line(dser, lines):
    done = dser("emote", *lines, "--model", "dser-huge")
    assert done.code == 1
    assert "dser-huge: no such model; shipped models: " in done.line


def test_a_voice_of_another_model_is_one_line_for_all_lines(dser, lines):
    dser("voice", *lines, "-o", "anna.voice")
    profile = document("anna.voice")
    Path("anna.voice").write_text(json.dumps({**profile, "features_sha256": "0" * 64}))
    done = dser("emote", *lines, "--voice", "anna.voice", "-o", "keys")
    assert done.code == 1
    assert "anna.voice: voice anna: made with another model" in done.line
    assert not Path("keys").exists()


@pytest.mark.parametrize("content", [None, "{}", "RIFF", '{"schema": "dser.voice/1"}'])
def test_a_damaged_voice_is_one_line(dser, line, content):
    if content is not None:
        Path("anna.voice").write_text(content)
    done = dser("emote", line, "--voice", "anna.voice")
    assert done.code == 1
    assert done.line.startswith("dser: anna.voice: ")


# --- odd but good input: written, one warning -------------------------------------------------------------------------


def test_silence_is_neutral_and_one_warning(dser, silence):
    done = dser("emote", silence)
    assert done.code == 0
    assert done.line == "dser: warning: silence.wav: no speech was found in it, so its track is neutral"
    mean = np.array(document("silence.json")["mean"])
    assert (mean.argmax(axis=1) == EMOTIONS.index("neutral")).all()


@pytest.mark.parametrize("samples", [1, 800])
def test_a_very_short_line_is_written_and_one_warning(dser, samples):
    soundfile.write("short.wav", np.full(samples, 0.1), 16_000)
    done = dser("emote", "short.wav")
    assert done.code == 0
    assert "too short to tell an emotion" in done.line
    assert len(document("short.json")["times"]) == -(-samples // 320)


def test_a_truncated_line_is_written_and_one_warning(dser, line):
    whole = line.read_bytes()
    line.write_bytes(whole[: len(whole) * 2 // 3])
    done = dser("emote", line)
    assert done.code == 0
    assert "warning: line.wav: ends early or is damaged: 1.00 s of 1.50 s could be read" in done.line
    assert len(document("line.json")["times"]) == 50


# --- voices -----------------------------------------------------------------------------------------------------------


def test_without_a_voice_one_hint_is_given_for_all_lines(lines, capsys):
    from dser_ext.cli.main import main

    assert main(["emote", *map(str, lines)]) == 0
    assert capsys.readouterr().err.count("without a voice, speech is measured") == 1
    assert main(["emote", *map(str, lines)]) == 0, "and again in the next call"
    assert capsys.readouterr().err.count("without a voice, speech is measured") == 1
    assert main(["emote", *map(str, lines), "--same-voice"]) == 0
    assert not capsys.readouterr().err


def test_lines_of_the_same_voice_are_each_others_reference(dser, lines):
    assert dser("emote", *lines, "--same-voice", "-o", "keys").code == 0
    for path in Path("keys").iterdir():
        voice = document(path)["voice"]
        assert (voice["name"], voice["lines"]) == ("the other lines", 3)


def test_a_thin_voice_is_one_warning_for_all_lines(dser, lines):
    dser("voice", lines[0], "-o", "anna.voice")
    done = dser("emote", *lines[1:], "--voice", "anna.voice")
    assert done.code == 0
    assert done.line.startswith("dser: warning: anna.voice: only 1 line, ")


def test_a_folder_and_the_profile_made_of_it_are_the_same_voice(dser, lines, line):
    assert dser("voice", *lines, "-o", "takes.voice").code == 0
    assert dser("emote", line, "--voice", "takes", "-o", "folder.json").code == 0
    assert dser("emote", line, "--voice", "takes.voice", "-o", "file.json").code == 0
    by_folder, by_file = document("folder.json"), document("file.json")
    assert by_folder["voice"] == by_file["voice"]
    np.testing.assert_allclose(by_folder["mean"], by_file["mean"], atol=1e-3)
    assert by_file["voice"]["seconds"] == pytest.approx(VoiceProfile.load("takes.voice").seconds, abs=0.01)


def test_a_line_does_not_count_for_itself_when_it_lies_in_the_folder(dser, lines):
    assert dser("emote", *lines, "--voice", "takes", "-o", "keys").code == 0
    assert {document(path)["voice"]["lines"] for path in Path("keys").iterdir()} == {3}


def test_a_result_is_the_same_alone_and_among_others(dser, lines):
    dser("emote", lines[0], "-o", "alone.json")
    dser("emote", *lines[::-1], "-o", "keys")
    assert Path("alone.json").read_bytes() == Path("keys", lines[0].name).with_suffix(".json").read_bytes()


# --- as a process -----------------------------------------------------------------------------------------------------


def test_it_is_a_command_with_exit_codes(line):
    assert process("emote", line, "-o", "out.json").returncode == 0
    assert process("emote", "missing.wav").returncode == 1
    assert process("emote", line, "--fps", "none").returncode == 2
