"""People are asked about sequences that they can tell apart, and about what is not known yet."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from dser_training.preferences.pairs import Asked, choose, difference
from hypothesis import given, settings
from hypothesis import strategies as st

ALL_SPEECH = np.ones(200, np.bool_)


def steady(emotion: int, frames: int = 200, share: float = 1.0) -> np.ndarray:
    mixtures = np.full((frames, 6), (1 - share) / 5, np.float32)
    mixtures[:, emotion] = share
    return mixtures


class TestDifference:
    def test_of_a_sequence_to_itself_is_none(self):
        assert difference(steady(0), steady(0), ALL_SPEECH)[0] == 0

    def test_of_two_emotions_is_all_there_can_be(self):
        assert difference(steady(0), steady(3), ALL_SPEECH)[0] == pytest.approx(1)

    def test_grows_with_what_differs(self):
        found = [difference(steady(4), steady(0, share=share), ALL_SPEECH)[0] for share in (0.2, 0.4, 0.8)]
        assert found == sorted(found)

    def test_is_found_where_it_is_however_long_the_rest_is_alike(self):
        other = steady(4, 2000)
        other[1200:1260] = steady(5, 60)
        apart, start = difference(steady(4, 2000), other, np.ones(2000, np.bool_))
        assert apart > 0.9
        assert 1195 <= start <= 1215

    def test_what_is_faster_than_a_face_hardly_counts(self):
        other = steady(4)
        other[100:103] = steady(5, 3)
        assert difference(steady(4), other, ALL_SPEECH)[0] < 0.1

    def test_nothing_differs_in_silence(self):
        other = steady(4)
        other[100:] = steady(5, 100)
        speech = np.arange(200) < 90
        assert difference(steady(4), other, speech)[0] < 0.01

    @settings(max_examples=50, deadline=None)
    @given(st.integers(1, 120), st.integers(0, 2**32 - 1))
    def test_lies_between_0_and_1_and_is_the_same_both_ways(self, frames, seed):
        random = np.random.default_rng(seed)
        one, other = random.dirichlet(np.ones(6), (2, frames)).astype(np.float32)
        speech = random.random(frames) < 0.8
        apart = difference(one, other, speech)
        assert -1e-6 <= apart[0] <= 1 + 1e-6
        assert difference(other, one, speech) == apart


class TestChoice:
    def test_leaves_out_what_nobody_could_tell_apart(self):
        asked = Asked("a", [steady(4), steady(4, share=0.9), steady(0)], ALL_SPEECH, 0.1)
        chosen = choose([asked], 10, 0.2)
        assert {(pair.one, pair.other) for pair in chosen} == {(0, 2), (1, 2)}
        assert all(pair.emotions == ("anger", "neutral") for pair in chosen)

    def test_asks_about_every_line_before_it_asks_about_one_again(self):
        lines = [Asked(str(n), [steady(0), steady(3), steady(5)], ALL_SPEECH, 0.1) for n in range(6)]
        chosen = choose(lines, 12, 0.2)
        assert Counter(pair.line for pair in chosen[:6]) == {str(n): 1 for n in range(6)}
        assert set(Counter(pair.line for pair in chosen).values()) == {2}

    def test_asks_about_all_emotions_before_it_repeats_itself(self):
        lines = [Asked(str(n), [steady(0), steady(3)], ALL_SPEECH, 0.1) for n in range(5)]
        lines.append(Asked("rare", [steady(2), steady(5)], ALL_SPEECH, 0.09))
        assert "rare" in [pair.line for pair in choose(lines, 2, 0.2)]

    def test_asks_first_where_the_model_is_unsure(self):
        lines = [Asked(str(n), [steady(0), steady(3)], ALL_SPEECH, 0.01 * (1 + n)) for n in range(5)]
        assert [pair.line for pair in choose(lines, 5, 0.2)] == ["4", "3", "2", "1", "0"]

    def test_is_no_longer_than_asked_for(self):
        asked = Asked("a", [steady(n) for n in range(6)], ALL_SPEECH, 0.1)
        assert len(choose([asked], 4, 0.2)) == 4
        assert len(choose([asked], 100, 0.2)) == 15
