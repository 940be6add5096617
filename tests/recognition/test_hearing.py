"""Lines of any length are heard in windows, joined so that no frame is lost, doubled, moved or cut."""

from __future__ import annotations

import tempfile
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.audio import AudioArray
from dser_ext.errors import AudioError, ModelError
from dser_ext.recognition import hearing
from dser_ext.recognition.hearing import HOP, MARGIN, SHORTEST_FRAMES, Hearing, hear
from dser_ext.steps import result

WINDOW, OVERLAP, LONGEST = 100, 40, 125  # frames
BUNDLE = SimpleNamespace(
    card={"window_seconds": 2.0, "overlap_seconds": 0.8}, feature_size=2, features_sha256="a" * 64, folder="model"
)


class Ruler:
    """A network whose features are the first sample of each frame, and the frame's place in its window."""

    def __init__(self) -> None:
        self.windows: list[int] = []
        self.runs: list[int] = []

    def run(self, inputs):
        waveform = inputs["waveform"]
        frames = waveform[:, ::HOP]
        count = waveform.shape[1] // HOP
        self.windows += [count] * len(waveform)
        self.runs.append(len(waveform))
        place = np.tile(np.arange(count, dtype=np.float32), (len(waveform), 1))
        return {"features": np.stack([frames[:, :count], place], axis=2), "speech": np.ones_like(place)}


def numbered(samples: int) -> np.ndarray:
    """Sound whose every sample is the number of its frame, from 1 on; float16 holds it exactly up to 2048."""
    return (np.arange(samples) // HOP + 1).astype(np.float32)


def heard(samples: np.ndarray, network: Ruler | None = None, block_seconds: float = 10.0) -> Hearing:
    class Blocks(AudioArray):
        def blocks(self, _: float = 0.0):
            return super().blocks(block_seconds)

    return result(hear(Blocks(samples, 16_000), network or Ruler(), BUNDLE))


near_window_ends = st.builds(
    lambda windows, more: max(1, (WINDOW + windows * (WINDOW - OVERLAP)) * HOP + more),
    st.integers(0, 12),
    st.integers(-2 * HOP, 2 * HOP),
)


@settings(max_examples=60, deadline=None)
@given(st.one_of(near_window_ends, st.integers(1, 900 * HOP)), st.sampled_from([0.02, 0.5, 1.99, 2.0, 2.01, 10.0]))
def test_frame_k_comes_from_the_samples_at_k_hops_for_any_length_and_any_block_size(samples, block_seconds):
    result = heard(numbered(samples), block_seconds=block_seconds)
    count = -(-samples // HOP)
    assert result.count == len(result.speech) == count
    np.testing.assert_array_equal(result.frames(0, count)[:, 0], np.arange(1, count + 1))


@settings(max_examples=40, deadline=None)
@given(near_window_ends)
def test_what_is_constant_stays_constant_over_every_join(samples):
    frames = heard(np.full(samples, 0.7, np.float32)).frames(0, -(-samples // HOP))[:, 0]
    np.testing.assert_array_equal(frames, np.float32(np.float16(0.7)))


def test_frames_near_a_windows_edge_give_way_to_those_of_its_neighbour():
    network = Ruler()
    count = 700
    place = heard(np.zeros(count * HOP, np.float32), network).frames(0, count)[:, 1]
    inner = place[WINDOW // 2 : -WINDOW // 2]
    edge = int(MARGIN * OVERLAP)
    assert edge <= inner.min() < inner.max() <= WINDOW - 1 - edge
    assert place[0] == 0
    assert place[-1] == WINDOW - 1


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 900))
def test_nothing_but_the_overlap_is_heard_twice_and_no_end_is_short(count):
    network = Ruler()
    heard(np.zeros(count * HOP, np.float32), network)
    once = sum(network.windows) - (len(network.windows) - 1) * OVERLAP
    assert once - max(count, SHORTEST_FRAMES) in (0, 1)  # a frame more makes the last two as long as each other
    if len(network.windows) > 1:
        assert (LONGEST + OVERLAP) / 2 < min(network.windows) <= max(network.windows) <= LONGEST
        assert set(network.windows[:-2]) <= {WINDOW}


@pytest.mark.parametrize(
    ("count", "windows"),
    [
        (LONGEST, [LONGEST]),
        (LONGEST + 1, [(LONGEST + 1 + OVERLAP) // 2] * 2),
        (2 * WINDOW - OVERLAP, [WINDOW, WINDOW]),
        (2 * WINDOW - OVERLAP + 1, [WINDOW, WINDOW + 1]),
    ],
)
def test_the_end_of_a_line_is_one_window_or_two_that_are_alike(count, windows):
    network = Ruler()
    heard(np.zeros(count * HOP, np.float32), network)
    assert network.windows == windows


def test_windows_of_sixteen_seconds_are_heard_at_once():
    network = Ruler()
    heard(np.zeros((WINDOW + 10 * (WINDOW - OVERLAP)) * HOP, np.float32), network)
    assert network.runs == [8, 3]


def test_windows_of_two_lengths_are_not_heard_at_once():
    network = Ruler()
    heard(np.zeros((4 * WINDOW - 3 * OVERLAP - 20) * HOP, np.float32), network)
    assert network.runs == [2, 2]
    assert network.windows == [WINDOW, WINDOW, WINDOW - 10, WINDOW - 10]


def test_a_very_short_line_is_heard_with_silence_after_it():
    network = Ruler()
    assert heard(np.ones(800, np.float32), network).count == 3
    assert network.windows == [25]


def test_pieces_of_a_line_are_the_same_as_the_whole():
    result = heard(numbered(500 * HOP))
    np.testing.assert_array_equal(result.frames(123, 456), result.frames(0, 500)[123:456])


def test_a_long_lines_frames_go_to_a_temporary_file(monkeypatch):
    wanted = heard(numbered(900 * HOP)).frames(0, 900)
    monkeypatch.setattr(hearing, "KEPT_BYTES", 1000)
    np.testing.assert_array_equal(heard(numbered(900 * HOP)).frames(0, 900), wanted)


def test_where_the_temporary_file_has_no_room_the_line_is_named_and_the_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(hearing, "KEPT_BYTES", 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(AudioError, match=r"the array given: no room .* free some in .*gone"):
        heard(numbered(900 * HOP))


def test_a_network_of_another_width_than_the_card_says_is_a_damaged_model():
    class Wide(Ruler):
        def run(self, inputs):
            out = super().run(inputs)
            return {**out, "features": np.repeat(out["features"], 2, axis=2)}

    with pytest.raises(ModelError, match="networks do not fit its card"):
        heard(numbered(3200), Wide())


class Halting(Ruler):
    """A ruler that hears no speech in frames 201 to 400."""

    def run(self, inputs):
        out = super().run(inputs)
        number = out["features"][:, :, 0]
        return {**out, "speech": ((number <= 200) | (number > 400)).astype(np.float32)}


@pytest.mark.parametrize("frames_at_a_time", [1, 70, 4096])
def test_the_profile_has_the_means_of_equal_pieces_of_the_speech(monkeypatch, frames_at_a_time):
    monkeypatch.setattr(hearing, "READ_FRAMES", frames_at_a_time)
    result = heard(numbered(900 * HOP), Halting())
    spoken = result.frames(0, 900)[result.speech]
    assert 690 <= len(spoken) <= 710
    wanted = np.array([part.mean(axis=0) for part in np.array_split(spoken, 4)])
    order = result.profile.pieces[:, 0].argsort()
    np.testing.assert_allclose(result.profile.pieces[order], wanted, rtol=0.01)
    assert result.profile.piece_seconds.max() - result.profile.piece_seconds.min() < 0.03
    assert result.profile.piece_seconds.sum() == pytest.approx(result.profile.seconds)
    assert result.profile.seconds == len(spoken) / 50
    assert result.profile.lines == 1


@pytest.mark.parametrize(("frames", "pieces"), [(150, 1), (200, 1), (201, 2), (400, 2), (401, 3)])
def test_no_piece_has_more_than_four_seconds_of_speech(frames, pieces):
    profile = heard(numbered(frames * HOP)).profile
    assert profile.pieces.shape == (pieces, 2)
    assert profile.piece_seconds.max() <= 4


def test_less_than_half_a_second_of_speech_makes_no_profile():
    assert heard(numbered(24 * HOP)).profile is None
    assert heard(numbered(26 * HOP)).profile is not None


def test_real_speech_that_goes_on_and_on_shows_no_seam_where_windows_join(recognizer, speech):
    result = recognizer.hear(AudioArray(np.tile(speech, 9), 16_000))
    frames = result.frames(0, result.count)
    jumps = np.linalg.norm(np.diff(frames, axis=0), axis=1)
    card = recognizer.bundle.card
    step = round((card["window_seconds"] - card["overlap_seconds"]) * 50)
    joins = np.zeros(len(jumps), bool)
    for start in range(step, result.count - 50, step):
        joins[start : start + round(card["overlap_seconds"] * 50)] = True
    assert 0.1 < joins.mean() < 0.8
    assert jumps[joins].max() < 1.1 * jumps[~joins].max()
    assert np.median(jumps[joins]) < 1.1 * np.median(jumps[~joins])
