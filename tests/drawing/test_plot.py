"""Pictures of lines: what is on them, where, and how large they get."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from dser_ext.drawing import page
from dser_ext.drawing.plot import WAVEFORM_BINS, draw
from dser_ext.emotion.colours import A2F_COLOURS, EMOTION_COLOURS
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS, TO_A2F
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import AudioInfo, EmotionTrack, ModelInfo, VoiceInfo
from dser_ext.envelope import Envelope, envelope
from dser_ext.errors import FormatError
from dser_ext.formats.track_json import Performance


def line(seconds: float = 5.0, shares: list[float] | None = None, keys: Keyframes | None = None) -> Performance:
    """A line whose mood wanders, or whose six shares are given and stay."""
    count = max(1, int(np.ceil(50 * seconds)))
    times = np.arange(count) / 50
    moods = np.stack([1.02 + np.sin(times * (0.8 + 0.11 * index) + index) for index in range(6)], axis=1)
    mean = np.tile(shares, (count, 1)) if shares else moods / moods.sum(axis=1, keepdims=True)
    track = EmotionTrack(
        times,
        12 * mean + 1e-4,
        AudioInfo("lines/scene 4/mara_017.wav", "0" * 64, seconds),
        ModelInfo("small", "1.2", "0" * 64),
        VoiceInfo("Mara", 12, 31.4),
    )
    every = np.unique(np.append(np.arange(0, seconds, max(0.4, seconds / 20_000)), seconds))
    keys = keys or Keyframes(every, np.tile(np.linspace(0, 0.9, 10), (len(every), 1)))
    return Performance(track, Style(), 30, keys)


def sound(seconds: float = 5.0) -> Envelope:
    samples = np.sin(np.arange(int(seconds * 16_000)) * 0.03) * np.linspace(0.1, 0.8, int(seconds * 16_000))
    return envelope([samples.astype(np.float32)], WAVEFORM_BINS)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def panel(image: np.ndarray, performance: Performance, index: int, waveform: Envelope | None = None) -> np.ndarray:
    """The pixels inside one panel, counted from the top."""
    box = page.page(performance, waveform).axes[index].get_position()
    height, width = image.shape[:2]
    rows = slice(round((1 - box.y1) * height), round((1 - box.y0) * height))
    return image[rows, round(box.x0 * width) : round(box.x1 * width)]


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])


def near(image: np.ndarray, colour: str, within: int = 12) -> np.ndarray:
    return np.abs(image - rgb(colour)).max(axis=-1) <= within


def texts(path: Path) -> list[str]:
    return ["".join(node.itertext()) for node in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_a_png_is_as_large_as_a_readme_shows_it_twice(tmp_path: Path) -> None:
    draw(line(), tmp_path / "line.png", waveform=sound())
    assert (tmp_path / "line.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    with Image.open(tmp_path / "line.png") as image:
        assert image.size == (1600, 900)
    assert [path.name for path in tmp_path.iterdir()] == ["line.png"]


@pytest.mark.parametrize("waveform", [None, sound()])
def test_each_emotion_covers_its_share_of_the_area(tmp_path: Path, waveform: Envelope | None) -> None:
    performance = line(shares=[0.3, 0.05, 0.2, 0.25, 0.1, 0.1])
    draw(performance, tmp_path / "line.png", waveform=waveform)
    area = panel(pixels(tmp_path / "line.png"), performance, 0, waveform)
    for name, share in zip(EMOTIONS, (0.3, 0.05, 0.2, 0.25, 0.1, 0.1), strict=True):
        assert near(area, EMOTION_COLOURS[name]).mean() == pytest.approx(share, abs=0.025), name


def test_an_area_changes_at_the_moment_when_the_emotion_does(tmp_path: Path) -> None:
    performance = line(4.0)
    mean = np.where(performance.track.times[:, None] < 1.0, np.eye(6)[0], np.eye(6)[5])
    performance = replace(performance, track=replace(performance.track, concentration=20 * mean + 1e-3))
    draw(performance, tmp_path / "line.png", waveform=sound(4.0))
    image = pixels(tmp_path / "line.png")
    for index, name in ((0, "area"), (1, "waveform")):
        part = panel(image, performance, index, sound(4.0))
        anger = np.flatnonzero(near(part, EMOTION_COLOURS["anger"]).any(axis=0))
        sadness = np.flatnonzero(near(part, EMOTION_COLOURS["sadness"]).any(axis=0))
        quarter = part.shape[1] / 4
        assert anger.max() == pytest.approx(quarter, abs=8), name
        assert sadness[sadness > 5].min() == pytest.approx(quarter, abs=8), name


def test_key_markers_stand_at_the_times_of_the_keys(tmp_path: Path) -> None:
    times = np.array([0.5, 1.1, 2.4, 3.0, 4.75])
    performance = line(keys=Keyframes(times, np.full((5, 10), 0.5)))
    draw(performance, tmp_path / "line.png")
    keys = panel(pixels(tmp_path / "line.png"), performance, -1)
    row = keys[round(keys.shape[0] * 0.1 / 1.2)].max(axis=1) < 80  # the markers' row lies above 1
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row, [0]])))
    centres = (edges[::2] + edges[1::2] - 1) / 2
    assert centres == pytest.approx(times / 5 * keys.shape[1], abs=2)


def test_curves_pass_through_their_keys_and_only_those_with_something_to_show_appear(tmp_path: Path) -> None:
    values = np.zeros((3, 10))
    values[:, A2F_EMOTIONS.index("joy")] = [0.2, 0.9, 0.5]
    values[:, A2F_EMOTIONS.index("pain")] = 0.01
    performance = line(keys=Keyframes(np.array([0.0, 2.5, 5.0]), values))
    draw(performance, tmp_path / "line.png")
    draw(performance, tmp_path / "line.svg")
    keys = panel(pixels(tmp_path / "line.png"), performance, -1)
    joy = near(keys, A2F_COLOURS["joy"])
    for moment, value in ((1.25, 0.55), (2.4, 0.872), (3.75, 0.7)):
        rows = np.flatnonzero(joy[:, round(moment / 5 * keys.shape[1])])
        assert rows.mean() == pytest.approx((1 - value / 1.2) * keys.shape[0], abs=3)
    assert "joy" in texts(tmp_path / "line.svg")
    assert "pain" not in texts(tmp_path / "line.svg")


def test_the_spread_is_higher_where_the_model_is_less_sure(tmp_path: Path) -> None:
    performance = line(4.0, shares=[0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    total = np.where(performance.track.times < 2, 3.0, 60.0)[:, None]
    performance = replace(performance, track=replace(performance.track, concentration=total * performance.track.mean))
    draw(performance, tmp_path / "line.png")
    spread = (panel(pixels(tmp_path / "line.png"), performance, 1) < 240).any(axis=-1).mean(axis=0)
    unsure, sure = spread[spread.size // 4], spread[3 * spread.size // 4]
    assert unsure == pytest.approx(0.5 / np.sqrt(4) / 0.25, abs=0.06)
    assert sure == pytest.approx(0.5 / np.sqrt(61) / 0.25, abs=0.06)


def test_an_svg_is_xml_and_says_everything_as_text(tmp_path: Path) -> None:
    draw(line(), tmp_path / "line.SVG", waveform=sound())
    words = texts(tmp_path / "line.SVG")
    assert set(EMOTIONS) <= set(words)
    assert {"mara_017.wav", "Emotion", "Waveform", "Spread", "Keys", "seconds"} <= set(words)
    facts = next(text for text in words if "model" in text)
    for fact in ("5.0 s", "model small 1.2", "voice Mara (12 lines, 31.4 s)", "style natural", "14 keys at 30 fps"):
        assert fact in facts


def test_what_is_not_known_is_said_so(tmp_path: Path) -> None:
    performance = line()
    performance = replace(performance, track=replace(performance.track, audio=None, model=None, voice=None))
    draw(performance, tmp_path / "line.svg")
    words = " ".join(texts(tmp_path / "line.svg"))
    for fact in ("Line without a file", "model unknown", "no voice"):
        assert fact in words
    assert "Waveform" not in words


def test_a_neutral_line_says_that_the_face_stays_neutral(tmp_path: Path) -> None:
    keys = Keyframes(np.array([0.0, 2.0]), np.zeros((2, 10)))
    draw(line(2.0, [0.001, 0.001, 0.001, 0.001, 0.995, 0.001], keys), tmp_path / "line.svg", waveform=sound(2.0))
    assert any("a neutral face" in text for text in texts(tmp_path / "line.svg"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["$x$ & <b>.wav", "日本語.wav", "bell\x07 \udcff.wav", "W" * 300, "C:\\lines\\a.wav", "$"]
)
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_any_file_name_can_be_a_title(tmp_path: Path, name: str, suffix: str) -> None:
    performance = line(1.0)
    performance = replace(performance, track=replace(performance.track, audio=AudioInfo(name, "0" * 64, 1.0)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(performance, tmp_path / f"line.{suffix}")
    if suffix == "png":
        image = pixels(tmp_path / "line.png")
        assert (image[:120, -40:] == 255).all(), "the title runs off the page"
    elif name.isascii() and len(name) < 20 and name.isprintable():
        assert name.rsplit("\\")[-1] in texts(tmp_path / "line.svg")


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_same_line_gives_the_same_bytes_whatever_the_settings_around_it(tmp_path: Path, suffix: str) -> None:
    import matplotlib

    draw(line(), tmp_path / f"one.{suffix}", waveform=sound())
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "savefig.bbox": "tight"}):
        before = dict(matplotlib.rcParams)
        draw(line(), tmp_path / f"two.{suffix}", waveform=sound())
        assert dict(matplotlib.rcParams) == before
    assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()


@pytest.mark.slow
def test_pictures_may_be_drawn_in_several_threads(tmp_path: Path) -> None:
    paths = [tmp_path / f"{index}.svg" for index in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda path: draw(line(), path, waveform=sound()), paths))
    assert len({path.read_bytes() for path in paths}) == 1


@pytest.mark.parametrize("name", ["line.jpg", "line", "line.png.pdf"])
def test_another_suffix_is_an_error_that_names_the_choices(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match=rf'{name}: .*"\.png" or "\.svg"'):
        draw(line(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"line\.png: cannot be written"):
        draw(line(), tmp_path / "missing" / "line.png")


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.004, 0.02, 1.0, 59.99, 125.0, 3599.0])
def test_lines_of_any_length_have_an_axis_that_can_be_read(tmp_path: Path, seconds: float) -> None:
    draw(line(seconds), tmp_path / "line.svg", waveform=sound(min(seconds, 10.0)))
    axes = page.page(line(seconds), None).axes[-1]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert 4 <= len(labels) <= 13
    assert len(set(labels)) == len(labels)
    assert (":" in labels[-1]) == (seconds > 120)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *((0.25, "0.25 s"), (0.999, "1.0 s"), (5.27, "5.3 s"), (59.97, "1 min 00 s"), (185.4, "3 min 05 s")),
        *((3599.7, "1 h 00 min"), (7200, "2 h 00 min")),
    ],
)
def test_lengths_are_said_as_a_person_would(seconds: float, said: str) -> None:
    assert page.length(seconds) == said


@pytest.mark.slow
def test_two_hours_with_thousands_of_keys_stay_small_and_quick(tmp_path: Path) -> None:
    performance = line(7200.0)
    assert len(performance.keyframes.times) > 17_000
    outline = replace(sound(), seconds=7200.0)
    for suffix in ("png", "svg"):
        draw(line(1.0), tmp_path / f"warm.{suffix}")
        path = tmp_path / f"line.{suffix}"
        tracemalloc.start()
        start = time.perf_counter()
        draw(performance, path, waveform=outline)
        took, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert path.stat().st_size < 2_000_000
        assert took < 10
        assert peak < 100 << 20


@pytest.mark.parametrize("count", [59, 140, 600])
def test_hundreds_of_keys_still_leave_a_small_picture(tmp_path: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    keys = Keyframes(np.linspace(0, 30, count), rng.uniform(0, 1, (count, 10)))
    draw(line(30.0, keys=keys), tmp_path / "line.svg", waveform=sound(30.0))
    assert (tmp_path / "line.svg").stat().st_size < 1_500_000
    assert set(A2F_EMOTIONS) <= set(texts(tmp_path / "line.svg"))


COLOUR_VISION = {
    "normal": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
"""What is left of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1)."""


def lab(colour: str, vision: str) -> np.ndarray:
    encoded = rgb(colour) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(COLOUR_VISION[vision]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ seen / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", COLOUR_VISION)
def test_the_six_colours_stay_apart_for_every_kind_of_colour_vision(vision: str) -> None:
    for one, other in combinations(EMOTIONS, 2):
        apart = np.linalg.norm(lab(EMOTION_COLOURS[one], vision) - lab(EMOTION_COLOURS[other], vision))
        assert apart >= 18, f"{one} and {other}"


def test_an_emotion_has_the_same_colour_in_audio2face() -> None:
    assert set(A2F_COLOURS) == set(A2F_EMOTIONS)
    assert all(A2F_COLOURS[channel] == EMOTION_COLOURS[emotion] for emotion, channel in TO_A2F.items())


def test_importing_the_module_does_not_load_matplotlib_and_drawing_does_not_load_pyplot(tmp_path: Path) -> None:
    code = """
import sys, numpy as np
from dser_ext.drawing.plot import draw
from dser_ext.emotion.track import EmotionTrack
from dser_ext.formats.track_json import Performance
assert "matplotlib" not in sys.modules
draw(Performance.of(EmotionTrack(np.arange(50) / 50, np.ones((50, 6)))), sys.argv[1])
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "line.png")], check=True)
