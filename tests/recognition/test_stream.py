"""Speech that is told while it is spoken."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dser_ext.audio import AudioArray
from dser_ext.errors import DserError
from dser_ext.recognition.recognizer import Recognizer, loaded
from dser_ext.recognition.stream import STEP_FRAMES, Stream

HOP = 320


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return loaded()


def spoken(stream: Stream, samples: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    told = [stream.feed(samples[start : start + block]) for start in range(0, len(samples), block)]
    return np.concatenate([*told, stream.end()])


@settings(max_examples=8, deadline=None)
@given(block=st.integers(1000, 60_000), length=st.integers(0, 100_000))
def test_every_frame_is_told_once_however_the_sound_comes_in(
    block: int, length: int, speech: NDArray[np.float32]
) -> None:
    samples = speech[:length]
    assert spoken(Stream(loaded()), samples, block).shape == (-(-length // HOP), 6)


@pytest.mark.slow
def test_the_size_of_blocks_changes_nothing(recognizer: Recognizer, speech: NDArray[np.float32]) -> None:
    samples = speech[: 16_000 * 4]
    one, other = (spoken(Stream(recognizer), samples, block) for block in (320, 7001))
    assert np.array_equal(one, other)


def test_a_line_is_told_a_bounded_time_behind_it(recognizer: Recognizer, speech: NDArray[np.float32]) -> None:
    stream, told = Stream(recognizer, look_ahead_seconds=0.3), 0
    for frame in range(150):
        told += len(stream.feed(speech[frame * HOP : (frame + 1) * HOP]))
        assert frame + 1 - told <= 15 + STEP_FRAMES


@pytest.mark.parametrize("seconds", [-0.1, 2.9, float("nan"), float("inf")])
def test_a_look_ahead_beyond_the_window_is_refused(recognizer: Recognizer, seconds: float) -> None:
    with pytest.raises(DserError, match=r"cannot be had; choose 0 to 2\.8 s"):
        Stream(recognizer, look_ahead_seconds=seconds)


@pytest.mark.slow
def test_the_longest_look_ahead_tells_every_frame(recognizer: Recognizer, speech: NDArray[np.float32]) -> None:
    assert spoken(Stream(recognizer, look_ahead_seconds=2.8), speech, 5000).shape == (-(-len(speech) // HOP), 6)


def test_what_is_told_late_is_what_the_whole_line_tells(recognizer: Recognizer, speech: NDArray[np.float32]) -> None:
    """While a line is no longer than a window, all of it is heard, and its last step is the line itself.

    A line's frames are kept in 16 bits, a stream's in 32.
    """
    samples = speech[: 16_000 * 3]
    whole = recognizer.concentration(recognizer.hear(AudioArray(samples, 16_000)))
    assert np.allclose(spoken(Stream(recognizer, look_ahead_seconds=2.8), samples, 4000), whole, atol=2e-3)


@pytest.mark.slow
def test_looking_further_ahead_tells_what_the_whole_line_tells_better(
    recognizer: Recognizer, speech: NDArray[np.float32]
) -> None:
    whole = recognizer.concentration(recognizer.hear(AudioArray(speech, 16_000)))

    def error(look_ahead_seconds: float) -> float:
        told = spoken(Stream(recognizer, look_ahead_seconds=look_ahead_seconds), speech, 16_000)
        mixtures = [each / each.sum(axis=1, keepdims=True) for each in (told, whole)]
        return float(np.abs(mixtures[0] - mixtures[1]).mean())

    assert error(1.0) < error(0.0)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.5])
def test_a_longer_step_tells_every_frame_a_step_later_at_most(
    recognizer: Recognizer, speech: NDArray[np.float32], seconds: float
) -> None:
    stream, told = Stream(recognizer, look_ahead_seconds=0.3, step_seconds=seconds), 0
    for frame in range(150):
        told += len(stream.feed(speech[frame * HOP : (frame + 1) * HOP]))
        assert frame + 1 - told <= 15 + round(50 * seconds)
    assert told + len(stream.end()) == 150


@pytest.mark.parametrize("seconds", [0.0, 1.6, float("nan")])
def test_a_step_beyond_half_a_window_is_refused(recognizer: Recognizer, seconds: float) -> None:
    with pytest.raises(DserError, match=r"cannot be had; choose 0\.02 to 1\.5 s"):
        Stream(recognizer, step_seconds=seconds)


def test_a_stream_tells_about_the_voice_what_it_has_heard_of_it(
    recognizer: Recognizer, speech: NDArray[np.float32]
) -> None:
    """Not quite what the line as a whole tells: features of short windows differ from those of long ones."""
    stream = Stream(recognizer)
    spoken(stream, speech, 16_000)
    heard = stream._context[:, :-1].mean(axis=0)
    voice = stream.profile("live")
    assert voice is not None
    assert voice.seconds == pytest.approx(len(speech) / 16_000, abs=0.5)
    mean = (voice.pieces * voice.piece_seconds[:, None]).sum(axis=0) / voice.piece_seconds.sum()
    np.testing.assert_allclose(mean, heard, atol=0.05)


@pytest.mark.slow
def test_several_streams_at_once_tell_what_each_tells_alone(
    recognizer: Recognizer, speech: NDArray[np.float32]
) -> None:
    lines = [np.roll(speech, 9000 * number)[: 16_000 * 3] for number in range(4)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda line: spoken(Stream(recognizer), line, 1600), lines))
    for line, told in zip(lines, together, strict=True):
        assert np.array_equal(told, spoken(Stream(recognizer), line, 1600))
