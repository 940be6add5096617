"""Maya's animation curves, read back by the grammar of its .anim files."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.formats.keyed_line import KeyedLine
from dser_ext.formats.maya_anim import write_anim

VALUES = np.random.default_rng(0).random((3, 10)).astype(np.float32)


def written(tmp_path, fps: float, times) -> tuple[dict[str, str], dict[str, list[tuple[float, float]]]]:
    """Header and curves of a line with keys at these seconds."""
    write_anim(KeyedLine(Keyframes(np.array(times), VALUES), fps, 3600.0), tmp_path / "line.anim")
    text = (tmp_path / "line.anim").read_text()
    head, *blocks = re.split(r"^anim ", text, flags=re.MULTILINE)
    curves = {}
    for block in blocks:
        match = re.fullmatch(
            r"(\w+)\.\1 \1 dserEmotions 0 0 \d+;\nanimData \{\n  input time;\n  output unitless;\n  weighted 0;\n"
            r"  preInfinity constant;\n  postInfinity constant;\n  keys \{\n((?:    \S+ \S+ linear linear 1 1 0;\n)+)"
            r"  \}\n\}\n",
            block,
        )
        assert match, block
        keys = [row.split()[:2] for row in match[2].splitlines()]
        curves[match[1]] = [(float(time), float(value)) for time, value in keys]
    return dict(re.findall(r"^(\w+) (.*);$", head, flags=re.MULTILINE)), curves


@pytest.mark.parametrize(
    ("fps", "unit"),
    [
        *((24, "film"), (25, "pal"), (30, "ntsc"), (48, "show"), (50, "palf"), (60, "ntscf"), (120, "120fps")),
        *((24000 / 1001, "23.976fps"), (30000 / 1001, "29.97fps"), (60000 / 1001, "59.94fps")),
    ],
)
def test_keys_lie_on_frames_of_the_unit_that_maya_has_for_the_rate(tmp_path, fps, unit):
    head, curves = written(tmp_path, fps, [0, 7 / fps, 86_000 / fps])
    assert head["timeUnit"] == unit
    assert tuple(curves) == A2F_EMOTIONS
    for number, emotion in enumerate(A2F_EMOTIONS):
        assert [time for time, _ in curves[emotion]] == [0, 7, 86_000]
        np.testing.assert_allclose([value for _, value in curves[emotion]], VALUES[:, number], atol=1e-6)
    assert (head["startTime"], head["endTime"]) == ("0", "86000")


def test_a_rate_that_maya_does_not_know_is_written_in_milliseconds(tmp_path):
    head, curves = written(tmp_path, 37, [0, 1 / 37, 2])
    assert head["timeUnit"] == "millisec"
    np.testing.assert_allclose([time for time, _ in curves["joy"]], [0, 1000 / 37, 2000], atol=1e-4)
