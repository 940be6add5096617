"""What an animation is, and the names of its blendshapes."""

from __future__ import annotations

import a2f_face
import numpy as np
import pytest

from dser_ext.errors import FormatError
from dser_ext.formats.blendshapes import ARKIT_BLENDSHAPES, TONGUE_BLENDSHAPES, Animation

NAMES = ("EyeBlinkLeft", "JawOpen")


def test_there_are_52_blendshapes_in_audio2faces_order_and_16_of_the_tongue():
    assert ARKIT_BLENDSHAPES == a2f_face.BLENDSHAPES
    assert len(set(ARKIT_BLENDSHAPES)) == 52
    assert len({*ARKIT_BLENDSHAPES, *TONGUE_BLENDSHAPES}) == 68


@pytest.mark.parametrize(
    ("names", "times", "weights"),
    [
        ((), [0], np.zeros((1, 0))),
        (("a", "a"), [0], np.zeros((1, 2))),
        (("a", ""), [0], np.zeros((1, 2))),
        (NAMES, [], np.zeros((0, 2))),
        (NAMES, [0], np.zeros((1, 3))),
        (NAMES, [0, 0], np.zeros((2, 2))),
        (NAMES, [-1], np.zeros((1, 2))),
        (NAMES, [np.nan], np.zeros((1, 2))),
        (NAMES, [0], np.full((1, 2), np.nan)),
    ],
)
def test_arrays_that_are_no_animation_are_refused(names, times, weights):
    with pytest.raises(FormatError):
        Animation(names, np.array(times, float), weights)


def test_emotions_that_do_not_fit_are_refused():
    with pytest.raises(FormatError, match="emotions do not fit"):
        Animation(NAMES, np.zeros(1), np.zeros((1, 2), np.float32), np.zeros(2), np.zeros((1, 10), np.float32))
