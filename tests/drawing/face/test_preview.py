"""A whole preview: the face, what is around it, and for how long."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from dser_ext.audio import SAMPLE_RATE, AudioArray
from dser_ext.drawing.face.preview import preview
from dser_ext.drawing.face.shapes import SHAPES
from dser_ext.drawing.face.stage import MARGIN, PANEL_BOTTOM, PANEL_TOP, SIZE, WAVEFORM_BINS, Stage
from dser_ext.emotion.colours import A2F_COLOURS
from dser_ext.emotion.curves import Curves
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.envelope import envelope
from dser_ext.errors import DserWarning, FormatError
from dser_ext.formats.blendshapes import Animation

av = pytest.importorskip("av")


def tone(seconds: float) -> AudioArray:
    samples = 0.5 * np.sin(np.arange(max(1, round(seconds * SAMPLE_RATE))) * 0.1)
    return AudioArray(samples.astype(np.float32), SAMPLE_RATE, "line.wav")


def keys(seconds: float, **strengths: float) -> Keyframes:
    row = [strengths.get(name, 0.0) for name in A2F_EMOTIONS]
    return Keyframes(np.array([0.0, seconds]), np.array([row, row], np.float32))


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]


def stage(seconds: float = 2.0, **strengths: float) -> Stage:
    curves = Curves(30, keys(seconds, **strengths).at(np.arange(int(seconds * 30) + 1) / 30)) if strengths else None
    return Stage("line.wav", seconds, curves, envelope(tone(seconds).blocks(), WAVEFORM_BINS))


def cursor(frame: np.ndarray) -> int:
    """The column of the cursor, counted from the left of the panel."""
    panel = frame[PANEL_TOP:PANEL_BOTTOM, MARGIN : SIZE - MARGIN, :3]
    return int((panel.max(axis=2) < 60).all(axis=0).argmax())


@pytest.mark.parametrize(("seconds", "count"), [(0.001, 1), (0.11, 3)])
def test_it_is_as_long_as_its_sound(tmp_path: Path, seconds: float, count: int) -> None:
    preview(tmp_path / "a.mp4", tone(seconds), keys(seconds, joy=0.8), 20)
    shown = pictures(tmp_path / "a.mp4")
    assert len(shown) == count
    assert shown[0].shape == (SIZE, SIZE, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_the_cursor_is_where_the_line_is() -> None:
    still = stage(2.0, joy=0.8)
    width = SIZE - 2 * MARGIN
    for seconds in (0.0, 1.0, 2.1):
        assert cursor(still.frame(seconds, {})) == pytest.approx(min(1, seconds / 2) * width, abs=2)


def test_bars_show_how_much_of_each_emotion_there_is() -> None:
    frame = stage(2.0, joy=0.75, anger=0.3).frame(1.0, {})[..., :3]
    for name, share in (("joy", 0.75), ("anger", 0.3)):
        colour = [int(A2F_COLOURS[name][at : at + 2], 16) for at in (1, 3, 5)]
        found = (np.abs(frame[:PANEL_TOP].astype(int) - colour).max(axis=2) < 3).sum(axis=1).max()
        assert found == pytest.approx(112 * share, abs=2)


def test_a_line_without_emotions_is_filmed_too() -> None:
    neutral, unknown = stage(1.0, joy=0.01).frame(0.5, {}), stage(1.0).frame(0.5, {})
    assert neutral.shape == unknown.shape == (SIZE, SIZE, 4)
    assert (neutral != unknown).any(axis=2)[:PANEL_TOP].sum() > 50, "it says that the face is neutral"


@pytest.mark.slow
def test_an_animation_is_shown_as_it_is_and_held_after_its_end(tmp_path: Path) -> None:
    opening = Animation(("jawOpen", "TongueOut"), np.array([0.0, 0.1]), np.array([[0, 1], [1, 0]], np.float32))
    preview(tmp_path / "a.mp4", tone(0.3), opening, 20)
    shut, half, wide, *rest = (frame[:560, 200:] for frame in pictures(tmp_path / "a.mp4"))
    differences = [(np.abs(shut - other).max(axis=2) > 40).sum() for other in (half, wide, *rest)]
    assert differences[1] > 1.2 * differences[0] > 1000
    assert differences[2:] == pytest.approx([differences[1]] * 3, rel=0.1)


def test_the_emotions_that_drove_an_animation_are_shown_beside_it(tmp_path: Path) -> None:
    driven = Animation(
        *(("JawOpen",), np.array([0.0]), np.zeros((1, 1), np.float32)),
        *(np.array([0.0, 0.1]), keys(0.1, joy=0.9).values),
    )
    preview(tmp_path / "a.mp4", tone(0.1), driven, 20)
    colour = [int(A2F_COLOURS["joy"][at : at + 2], 16) for at in (1, 3, 5)]
    frame = pictures(tmp_path / "a.mp4")[0][:PANEL_TOP]
    assert (np.abs(frame - colour).max(axis=2) < 40).sum() > 300


def test_an_animation_of_another_head_warns_once(tmp_path: Path) -> None:
    other = Animation(("browRaise", "tailWag"), np.array([0.0]), np.ones((1, 2), np.float32))
    with pytest.warns(DserWarning, match=r"browRaise, tailWag") as said:
        preview(tmp_path / "a.mp4", tone(0.1), other, 20)
    assert len(said) == 1


def test_absurd_weights_still_leave_a_head(tmp_path: Path) -> None:
    wild = Animation(SHAPES, np.array([0.0]), np.where(np.arange(len(SHAPES)) % 2, 3e38, -3e38)[None])
    preview(tmp_path / "a.mp4", tone(0.05), wild, 20)
    frame = pictures(tmp_path / "a.mp4")[0]
    assert frame[100, 398].max() < 150, "hair where it always is"


def test_progress_is_told_frame_by_frame(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    preview(tmp_path / "a.mp4", tone(0.1), keys(0.1), 20, lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_another_suffix_is_an_error_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r'a\.gif: .*"\.mp4"'):
        preview(tmp_path / "a.gif", tone(0.1), keys(0.1), 20)


@pytest.mark.slow
@pytest.mark.slow
def test_memory_does_not_grow_with_the_line(tmp_path: Path) -> None:
    peaks = []
    for seconds in (5.0, 5.0, 120.0):
        tracemalloc.start()
        preview(tmp_path / "a.mp4", AudioArray(np.zeros(round(seconds * 1000), np.int16), 1000), keys(1.0), 2)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + (8 << 20)
