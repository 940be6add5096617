"""Videos read back: what is in them, when, and what is left where one cannot be written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dser_ext.audio import SAMPLE_RATE
from dser_ext.drawing.face.video import write_video
from dser_ext.errors import FormatError

av = pytest.importorskip("av")

FLASH = 0.5  # s


def frames(count: int, fps: float, size: int = 64) -> Iterator[np.ndarray]:
    """Dark pictures, but for one that is bright from FLASH on."""
    for number in range(count):
        yield np.full((size, size, 4), 230 if number == round(FLASH * fps) else 20, np.uint8)


def beep(seconds: float, block: int = 4001) -> Iterator[np.ndarray]:
    """Silence, but for a tone of 40 ms from FLASH on, in blocks."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tone = 0.8 * np.sin(2 * np.pi * 1000 * times) * ((times >= FLASH) & (times < FLASH + 0.04))
    yield from np.split(tone.astype(np.float32), range(block, len(tone), block))


def seen_and_heard(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times and brightness of the pictures; times and samples of the sound."""
    shown, lit, when, sound = [], [], [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            shown.append(frame.time)
            lit.append(frame.to_ndarray(format="gray").mean())
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray()[0]
            when.append(frame.time + np.arange(len(samples)) / frame.sample_rate)
            sound.append(samples)
    return np.array(shown), np.array(lit), np.concatenate(when), np.concatenate(sound)


@pytest.mark.parametrize("fps", [30.0, 24000 / 1001, 25.0])
def test_what_is_seen_at_a_moment_is_heard_at_it(tmp_path: Path, fps: float) -> None:
    count = round(1.2 * fps)
    write_video(tmp_path / "a.mp4", frames(count, fps), fps, beep(count / fps))
    shown, lit, when, sound = seen_and_heard(tmp_path / "a.mp4")
    assert shown == pytest.approx(np.arange(count) / fps, abs=1e-3)
    flash, tone = shown[lit.argmax()], when[(np.abs(sound) > 0.2).argmax()]
    assert abs(flash - tone) < 1 / fps
    assert tone == pytest.approx(FLASH, abs=0.01)


def test_picture_and_sound_are_as_long_as_what_was_given(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", frames(33, 30), 30, beep(1.1))
    with av.open(str(tmp_path / "a.mp4")) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert float(video.duration * video.time_base) == pytest.approx(1.1, abs=1e-3)
        assert float(sound.duration * sound.time_base) == pytest.approx(1.1, abs=1024 / SAMPLE_RATE)


def test_it_is_what_every_player_plays_and_begins_before_it_is_loaded(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", frames(10, 30), 30, beep(0.33))
    with av.open(str(tmp_path / "a.mp4")) as container:
        video, sound = container.streams.video[0].codec_context, container.streams.audio[0].codec_context
        assert (video.name, video.pix_fmt, sound.name) == ("h264", "yuv420p", "aac")
    content = (tmp_path / "a.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_colours_are_those_of_television(tmp_path: Path) -> None:
    colours = np.array([(200, 60, 40), (40, 90, 180)])
    picture = np.full((64, 64, 4), 255, np.uint8)
    picture[:, :32, :3], picture[:, 32:, :3] = colours
    write_video(tmp_path / "a.mp4", [picture] * 3, 30, beep(0.1))
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
        planes = frame.to_ndarray()
    assert (int(frame.colorspace), int(frame.color_range)) == (1, 1), "BT.709, limited range"
    luma = colours @ (0.2126, 0.7152, 0.0722)
    assert planes[32, [16, 48]] == pytest.approx(16 + 219 / 255 * luma, abs=3)
    blue = planes[64:80].reshape(32, 32)  # at half the size
    assert blue[16, [8, 24]] == pytest.approx(128 + 224 / 255 * (colours[:, 2] - luma) / 1.8556, abs=3)


@pytest.mark.parametrize("count", [1, 2])
def test_a_line_of_almost_nothing_is_a_video_too(tmp_path: Path, count: int) -> None:
    write_video(tmp_path / "a.mp4", frames(count, 30), 30, [np.zeros(1, np.float32)])
    shown, _, _, sound = seen_and_heard(tmp_path / "a.mp4")
    assert len(shown) == count
    assert len(sound)


def test_what_fails_on_the_way_leaves_what_was_there(tmp_path: Path) -> None:
    def failing() -> Iterator[np.ndarray]:
        yield from frames(5, 30)
        raise RuntimeError("power cut")

    (tmp_path / "a.mp4").write_bytes(b"before")
    with pytest.raises(RuntimeError, match="power cut"):
        write_video(tmp_path / "a.mp4", failing(), 30, beep(1.0))
    assert (tmp_path / "a.mp4").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_folder_that_is_not_there_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"a\.mp4: cannot be written"):
        write_video(tmp_path / "missing" / "a.mp4", frames(2, 30), 30, beep(0.1))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").symlink_to("/dev/full")
    with pytest.raises(FormatError, match=r"a\.mp4: cannot be written"):
        write_video(tmp_path / "a.mp4", frames(2, 30), 30, beep(0.1))


def test_without_pyav_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(FormatError, match=r"dser-audio2face\[av\]"):
        write_video(tmp_path / "a.mp4", frames(2, 30), 30, beep(0.1))
    assert not list(tmp_path.iterdir())
