"""dser voice: lines of one speaker become a profile; what is no speech is left out, what is unheard is reported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dser_ext.recognition.voice import VoiceProfile


def test_lines_become_a_profile_named_after_its_file(dser, lines):
    done = dser("voice", *lines, "-o", "anna.voice")
    assert done.code == 0
    profile = VoiceProfile.load("anna.voice")
    assert (profile.name, profile.lines) == ("anna", 4)
    assert 2 < profile.seconds < 20
    assert done.lines[0] == f"dser: anna.voice: 4 lines, {profile.seconds:.1f} s of speech"


def test_a_voice_of_a_single_line_is_saved_with_the_advice_to_give_more(dser, lines):
    done = dser("voice", lines[0], "-o", "anna.voice")
    assert done.code == 0
    extent = f"1 line, {VoiceProfile.load('anna.voice').seconds:.1f} s of speech"
    assert done.lines == [
        f"dser: anna.voice: {extent}",
        f"dser: warning: anna.voice: only {extent}; give at least 4 lines and 8 s, in different moods",
    ]


def test_a_line_given_twice_counts_once(dser, lines):
    dser("voice", *lines, "-o", "once.voice")
    dser("voice", *lines, lines[0], "-o", "twice.voice")
    assert VoiceProfile.load("once.voice").info.seconds == VoiceProfile.load("twice.voice").info.seconds


def test_a_line_that_cannot_be_heard_is_reported_and_the_rest_is_saved(dser, lines):
    Path("broken.wav").write_text("no sound")
    done = dser("voice", lines[0], "broken.wav", "missing.wav", "-o", "anna.voice")
    assert done.code == 1
    assert [line.split(": ")[1] for line in done.lines[:2]] == ["broken.wav", "missing.wav"]
    assert VoiceProfile.load("anna.voice").lines == 1


def test_silence_is_no_part_of_a_voice_and_one_warning(dser, lines, silence):
    done = dser("voice", lines[0], silence, "-o", "anna.voice")
    assert done.code == 0
    assert done.lines[0].startswith("dser: warning: silence.wav: too little speech to tell a voice from")
    assert VoiceProfile.load("anna.voice").lines == 1


def test_without_any_speech_there_is_no_profile(dser):
    soundfile.write("short.wav", np.full(1600, 0.1), 16_000)
    done = dser("voice", "short.wav", "-o", "anna.voice")
    assert done.code == 1
    assert done.lines[-1] == (
        "dser: anna.voice: not written, because no line has enough speech for a voice; name other lines"
    )
    assert not Path("anna.voice").exists()


def test_a_profile_never_takes_the_place_of_a_line(dser, line):
    before = line.read_bytes()
    done = dser("voice", line, "-o", "./line.wav")
    assert done.code == 2
    assert "line.wav is an input and would be replaced" in done.lines[-1]
    assert line.read_bytes() == before


@pytest.mark.parametrize("arguments", [["line.wav"], ["-o", "anna.voice"]])
def test_lines_and_output_are_needed(dser, arguments):
    assert dser("voice", *arguments).code == 2


@pytest.mark.parametrize("output", ["no/such/folder/anna.voice", "takes"])
def test_a_profile_that_cannot_be_written_is_named(dser, lines, output):
    done = dser("voice", *lines, "-o", output)
    assert done.code == 1
    assert done.line.startswith(f"dser: {output}: cannot be written")


@pytest.mark.parametrize("name", ["Käthe 声.voice", "\udcff.voice"])
def test_a_profile_of_any_name_comes_back(dser, lines, name):
    assert dser("voice", lines[0], "-o", name).code == 0
    assert json.loads(Path(name).read_text(encoding="utf-8"))["name"] == Path(name).stem
    assert dser("emote", lines[1], "--voice", name).code == 0
    assert json.loads(lines[1].with_suffix(".json").read_text(encoding="utf-8"))["voice"]["name"] == Path(name).stem
