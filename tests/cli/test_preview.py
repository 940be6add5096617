"""dser preview: a line becomes a video of a face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.formats import save_animation, track_format
from dser_ext.formats.blendshapes import Animation
from dser_ext.formats.keyed_line import KeyedLine

av = pytest.importorskip("av")


@pytest.fixture
def short() -> Path:
    """short.wav: a fifth of a second of a tone."""
    soundfile.write("short.wav", 0.3 * np.sin(np.arange(3200) * 0.2), 16_000)
    return Path("short.wav")


@pytest.fixture
def keys() -> Path:
    """keys.yaml: joy, from beginning to end."""
    row = [float(name == "joy") for name in A2F_EMOTIONS]
    line = KeyedLine(Keyframes(np.array([0.0, 0.2]), np.array([row, row])), 30.0, 0.2)
    track_format("keys.yaml").write(line, "keys.yaml")
    return Path("keys.yaml")


@pytest.fixture
def animation() -> Path:
    """face.json: a jaw that opens."""
    weights = np.linspace(0, 1, 7, dtype=np.float32)[:, None]
    save_animation(Animation(("JawOpen",), np.arange(7) / 30, weights), "face.json")
    return Path("face.json")


def frame_count(path: str) -> int:
    with av.open(path) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.slow
def test_a_line_becomes_a_video_with_its_sound(dser, line):
    done = dser("preview", line, "-o", "out.mp4", "--fps", "10")
    assert done.code == 0
    assert not done.lines
    assert frame_count("out.mp4") == 15
    with av.open("out.mp4") as container:
        assert [stream.type for stream in container.streams] == ["audio", "video"]


def test_keys_from_a_file_are_shown(dser, short, keys):
    done = dser("preview", short, "--track", keys, "-o", "OUT.MP4", "--fps", "10")
    assert done.code == 0
    assert not done.lines
    assert frame_count("OUT.MP4") == 2


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".json", ".csv", ".usda", ".long.csv", ".unreal.csv", ".blender.json"])
def test_any_track_that_is_read_can_be_shown(dser, short, line, suffix):
    dser("emote", line, "-o", f"line{suffix}", *(["--format", "csv-long"] if suffix == ".long.csv" else []))
    done = dser("preview", short, "--track", f"line{suffix}", "-o", "out.mp4", "--fps", "5")
    assert done.code == 0
    assert frame_count("out.mp4") == 1


@pytest.mark.parametrize(
    "name",
    ["face.json", pytest.param("face.csv", marks=pytest.mark.slow), pytest.param("face.usda", marks=pytest.mark.slow)],
)
def test_an_animation_is_shown_instead(dser, short, animation, name):
    if name != animation.name:
        assert dser("convert", animation, name).code == 0
    done = dser("preview", short, "--animation", name, "-o", "out.mp4", "--fps", "10")
    assert done.code == 0
    assert not done.lines
    assert frame_count("out.mp4") == 2


@pytest.mark.parametrize(
    ("option", "name", "remedy"), [("--track", "face.json", "--animation"), ("--animation", "keys.yaml", "--track")]
)
@pytest.mark.usefixtures("keys", "animation")
def test_the_one_in_place_of_the_other_is_one_line_with_the_remedy(dser, short, option, name, remedy):
    done = dser("preview", short, option, name, "-o", "out.mp4")
    assert done.code == 1
    assert done.line.startswith(f"dser: {name}: holds ")
    assert done.line.endswith(f"give it as {remedy}")
    assert not Path("out.mp4").exists()


def test_keys_of_another_line_are_shown_with_a_warning(dser, short):
    line = KeyedLine(Keyframes(np.array([0.0, 9.0]), np.zeros((2, 10))), 30.0, 9.0)
    track_format("keys.yaml").write(line, "keys.yaml")
    done = dser("preview", short, "--track", "keys.yaml", "-o", "out.mp4", "--fps", "5")
    assert done.code == 0
    assert done.line == "dser: warning: keys.yaml: goes to 9.0 s and short.wav to 0.2 s; is it of another line?"


@pytest.mark.parametrize("output", ["out.mov", "out", "out.mp4.gif"])
def test_another_kind_of_video_is_wrong_usage_before_any_work(dser, short, output):
    done = dser("preview", short, "-o", output, "--model", "never looked for")
    assert done.code == 2
    assert "a preview ends in .mp4" in done.lines[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("short.wav",),
        ("short.wav", "-o", "out.mp4", "--track", "keys.yaml", "--animation", "face.json"),
        ("short.mp4", "-o", "short.mp4"),
        ("short.wav", "-o", "keys.mp4", "--track", "keys.mp4"),
        ("short.wav", "-o", "out.mp4", "--fps", "0"),
    ],
)
@pytest.mark.usefixtures("short")
def test_what_does_not_go_together_is_wrong_usage(dser, arguments):
    assert dser("preview", *arguments).code == 2
    assert sorted(path.name for path in Path().iterdir()) == ["short.wav"]


@pytest.mark.parametrize(
    ("audio", "more", "named"),
    [
        ("missing.wav", (), "missing.wav"),
        ("broken.wav", ("--track", "keys.yaml"), "broken.wav"),
        (".", ("--track", "keys.yaml"), "."),
        ("short.wav", ("--track", "missing.json"), "missing.json"),
        ("short.wav", ("--track", "broken.wav"), "broken.wav"),
        ("short.wav", ("--animation", "broken.csv"), "broken.csv"),
        ("short.wav", ("--style", "unknown"), "unknown"),
    ],
)
@pytest.mark.usefixtures("short", "keys")
def test_what_cannot_be_read_is_one_line(dser, audio, more, named):
    for name in ("broken.wav", "broken.csv"):
        Path(name).write_text("[1, 2")
    done = dser("preview", audio, "-o", "out.mp4", *more)
    assert done.code == 1
    assert named in done.line
    assert not Path("out.mp4").exists()


def test_a_video_that_cannot_be_written_is_one_line(dser, short, keys):
    done = dser("preview", short, "--track", keys, "-o", "no/out.mp4", "--fps", "5")
    assert done.code == 1
    assert done.line.startswith("dser: no/out.mp4: cannot be written (No such file or directory)")
