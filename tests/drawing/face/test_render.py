"""Pictures of the head: what shows in them."""

from __future__ import annotations

import numpy as np
import pytest

from dser_ext.drawing.face.head import head
from dser_ext.drawing.face.render import Pixels, Renderer
from dser_ext.drawing.face.shapes import SHAPES, TABLE
from dser_ext.emotion.names import A2F_EMOTIONS

SIZE = 200
BACKGROUND = np.full((SIZE, SIZE, 4), (10, 200, 30, 255), np.uint8)


@pytest.fixture(scope="module")
def portrait() -> Renderer:
    return Renderer(head(), (SIZE, SIZE), 150, (SIZE / 2, SIZE / 2))


def picture(portrait: Renderer, **weights: float) -> Pixels:
    return portrait.picture(weights, BACKGROUND)[..., :3].astype(int)


def changed(one: Pixels, other: Pixels) -> np.ndarray:
    """Which pixels differ visibly."""
    return np.abs(one - other).max(axis=2) > 20


def test_the_face_is_in_the_middle_and_the_background_around_it(portrait: Renderer) -> None:
    plain = picture(portrait)
    wall = (plain == BACKGROUND[0, 0, :3]).all(axis=2)
    assert wall[:15].all()
    assert wall[60:140, :15].all()
    assert not wall[60:140, 60:140].any()
    skin = plain[70, 100]
    assert skin[0] > skin[1] > skin[2] > 60


def test_a_neutral_face_is_alike_on_both_sides_but_for_the_light(portrait: Renderer) -> None:
    wall = (picture(portrait) == BACKGROUND[0, 0, :3]).all(axis=2)
    assert (wall != wall[:, ::-1]).mean() < 0.02


@pytest.mark.parametrize("emotion", A2F_EMOTIONS)
def test_each_emotion_can_be_seen(portrait: Renderer, emotion: str) -> None:
    row = TABLE[A2F_EMOTIONS.index(emotion)]
    face = picture(portrait, **dict(zip(SHAPES, row.tolist(), strict=True)))
    assert changed(face, picture(portrait)).mean() > 0.01


def test_the_heads_left_is_at_the_viewers_right(portrait: Renderer) -> None:
    different = changed(picture(portrait, MouthSmileLeft=1.0), picture(portrait))
    assert different[:, 104:].sum() > 50 > different[:, :96].sum()


def test_closed_lids_hide_the_eyes_and_an_open_mouth_shows_the_teeth(portrait: Renderer) -> None:
    def white(face: Pixels, rows: slice) -> int:
        return int(((face[rows].min(axis=2) > 110) & (np.ptp(face[rows], axis=2) < 45)).sum())

    eyes, mouth = slice(80, 115), slice(130, 190)
    neutral = picture(portrait)
    assert white(neutral, eyes) > 100
    assert white(picture(portrait, EyeBlinkLeft=1.0, EyeBlinkRight=1.0), eyes) < 0.2 * white(neutral, eyes)
    assert white(picture(portrait, JawOpen=0.8), mouth) > white(neutral, mouth) + 15


def test_a_head_that_turns_to_its_left_looks_to_the_viewers_right(portrait: Renderer) -> None:
    turned = Renderer(head(), (SIZE, SIZE), 150, (SIZE / 2, SIZE / 2), yaw=0.7)
    for renderer, low, high in ((portrait, 97, 103), (turned, 110, 160)):
        mouth = changed(picture(renderer, JawOpen=1.0), picture(renderer))
        assert low < np.nonzero(mouth)[1].mean() < high


def test_the_same_face_is_the_same_picture_and_unknown_shapes_change_nothing(portrait: Renderer) -> None:
    first = picture(portrait, JawOpen=0.4)
    picture(portrait, BrowDownLeft=1.0)
    assert (picture(portrait, JawOpen=0.4, TongueOut=1.0, Ears=0.7) == first).all()
