"""Which lines are drawn for a line: how many, of what, never itself, and the same ones every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from dser_training.corpora.clip import Clip
from dser_training.evaluation.voices import ALL, NONE, SETTINGS, draw, seed

from dser_ext.emotion.names import EMOTIONS, NEUTRAL

Speaker = Callable[..., list[Clip]]


@pytest.fixture(scope="module")
def lines(speaker: Speaker) -> list[Clip]:
    """As an actor of CREMA-D has them."""
    return speaker(anger=14, disgust=14, fear=14, happiness=14, neutral=12, sadness=14)


def emotions(clips: list[Clip]) -> Counter[str]:
    return Counter(EMOTIONS[clip.emotion] for clip in clips if clip.emotion is not None)


@pytest.mark.parametrize("setting", SETTINGS)
def test_no_line_is_drawn_for_itself_nor_any_twice(setting: str, lines: list[Clip]) -> None:
    for line in lines:
        drawn = draw(setting, line, lines)
        assert line not in drawn
        assert len(set(drawn)) == len(drawn)


def test_a_voice_has_the_size_asked_for(lines: list[Clip]) -> None:
    sizes = {setting: len(draw(setting, lines[0], lines)) for setting in SETTINGS}
    assert sizes == {
        NONE: 0,
        "1 other line": 1,
        "4 other lines": 4,
        "16 other lines": 16,
        ALL: 81,
        "16, 70 % neutral": 16,
        "16 neutral": 12,
        "16, random mixture": 16,
        "16 of its own emotion": 13,
    }


def test_fewer_lines_are_drawn_where_there_are_fewer(speaker: Speaker) -> None:
    lines = speaker(anger=3, neutral=2)
    assert len(draw("16 other lines", lines[0], lines)) == 4
    assert emotions(draw("16, 70 % neutral", lines[0], lines)) == {"neutral": 2, "anger": 2}
    assert draw("16 of its own emotion", lines[0], lines[:1]) == []


def test_a_voice_has_the_emotions_asked_for(lines: list[Clip]) -> None:
    line = lines[0]
    mostly = emotions(draw("16, 70 % neutral", line, lines))
    assert mostly["neutral"] == 11
    assert mostly.total() == 16
    assert set(emotions(draw("16 neutral", line, lines))) == {"neutral"}
    assert set(emotions(draw("16 of its own emotion", line, lines))) == {"anger"}


def test_random_mixtures_differ_from_line_to_line_and_are_mostly_one_sided(lines: list[Clip]) -> None:
    mixtures = [emotions(draw("16, random mixture", line, lines)) for line in lines]
    even = [emotions(draw("16 other lines", line, lines)) for line in lines]
    largest = [[max(counts.values()) for counts in kind] for kind in (mixtures, even)]
    assert sum(largest[0]) > 1.3 * sum(largest[1])
    assert len({counts.most_common(1)[0][0] for counts in mixtures}) == 6


def test_neither_order_nor_folder_nor_a_second_draw_changes_what_is_drawn(lines: list[Clip]) -> None:
    for setting in SETTINGS:
        drawn = draw(setting, lines[5], lines)
        assert draw(setting, lines[5], lines) == drawn
        assert draw(setting, lines[5], lines[::-1]) == drawn


def test_a_smaller_voice_is_part_of_a_larger_one(lines: list[Clip]) -> None:
    one, four, sixteen = (
        draw(setting, lines[9], lines) for setting in ("1 other line", "4 other lines", "16 other lines")
    )
    assert one == four[:1]
    assert four == sixteen[:4]


def test_lines_and_speakers_draw_for_themselves(lines: list[Clip], speaker: Speaker) -> None:
    assert len({seed(line) for line in lines}) == len(lines)
    assert seed(speaker("made/2", anger=1)[0]) != seed(speaker("made/1", anger=1)[0])


def test_what_counts_as_neutral_in_references_is_drawn_as_neutral(speaker: Speaker) -> None:
    lines = speaker(anger=2, neutral=1)
    calm = Clip(lines[0].path.with_name("calm.wav"), "made/1", NEUTRAL, "validate", reference_only=True)
    assert calm in draw("16 neutral", lines[0], [*lines, calm])
