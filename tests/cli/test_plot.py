"""dser plot: a line or a track becomes a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.mark.parametrize(("output", "start"), [("out.png", b"\x89PNG\r\n"), ("OUT.SVG", b"<?xml")])
def test_a_line_becomes_a_picture(dser, line, output, start):
    done = dser("plot", line, "-o", output)
    assert done.code == 0
    assert not done.lines
    assert Path(output).read_bytes().startswith(start)


def test_a_track_becomes_the_picture_of_its_line(dser, line):
    dser("plot", line, "-o", "line.svg", "--style", "expressive", "--fps", "24")
    dser("emote", line, "-o", "line.json", "--style", "expressive", "--fps", "24")
    assert dser("plot", "line.json", "-o", "track.svg").code == 0
    assert abs(len(Path("track.svg").read_bytes()) / len(Path("line.svg").read_bytes()) - 1) < 0.02


@pytest.mark.parametrize("lost", ["missing", "empty", "another"])
def test_a_track_without_its_sound_is_drawn_without_a_waveform(dser, line, lost):
    dser("emote", line, "-o", "line.json")
    dser("plot", "line.json", "-o", "with.svg")
    line.unlink() if lost == "missing" else line.write_bytes(b"" if lost == "empty" else b"another sound")
    assert dser("plot", "line.json", "-o", "without.svg").code == 0
    assert Path("without.svg").stat().st_size < Path("with.svg").stat().st_size


@pytest.mark.parametrize("output", ["out.gif", "out", ".png.txt"])
def test_another_kind_of_picture_is_wrong_usage_before_any_work(dser, line, output):
    done = dser("plot", line, "-o", output, "--model", "never looked for")
    assert done.code == 2
    assert "a picture ends in .png or .svg" in done.lines[-1]


@pytest.mark.parametrize("source", ["missing.wav", "missing.json", "broken.wav", "broken.json", "."])
def test_a_source_that_cannot_be_read_is_one_line(dser, source):
    for name in ("broken.wav", "broken.json"):
        Path(name).write_text("[1, 2")
    done = dser("plot", source, "-o", "out.png")
    assert done.code == 1
    assert done.line.startswith(f"dser: {source}: ")
    assert not Path("out.png").exists()


@pytest.mark.parametrize(
    "change", [{"path": 5}, {"path": "a\0b"}, {"path": "x" * 5000}, {"seconds": "long"}, {"seconds": -1}]
)
def test_a_hostile_track_is_at_most_one_line(dser, line, change):
    dser("emote", line, "-o", "line.json")
    track = json.loads(Path("line.json").read_text(encoding="utf-8"))
    track["audio"].update(change)
    Path("line.json").write_text(json.dumps(track))
    done = dser("plot", "line.json", "-o", "out.png")
    assert done.code in (0, 1)
    assert done.code == len(done.lines)


def test_a_picture_that_cannot_be_written_is_one_line(dser, line):
    done = dser("plot", line, "-o", "no/out.png")
    assert done.code == 1
    assert done.line.startswith("dser: no/out.png: cannot be written (No such file or directory)")
