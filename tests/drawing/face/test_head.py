"""The head: a mesh that other programs can draw, and blendshapes that move what they are named after."""

from __future__ import annotations

import numpy as np
import pytest

from dser_ext.drawing.face.head import Head, head
from dser_ext.drawing.face.openings import EYE, EYE_RADIUS
from dser_ext.drawing.face.parts import Layer
from dser_ext.drawing.face.shapes import SHAPES, TABLE
from dser_ext.emotion.names import A2F_EMOTIONS

WHOLE = ("Jaw", "Mouth")  # move as one to a side
SIDES = [base for name in SHAPES if name.endswith("Left") and (base := name.removesuffix("Left")) not in WHOLE]


@pytest.fixture(scope="module")
def bust() -> Head:
    return head()


def points_of(bust: Head, *layers: Layer) -> np.ndarray:
    """Which vertices belong to these parts, (V,) bool."""
    found = np.zeros(len(bust.vertices), bool)
    found[bust.triangles[np.isin(bust.layers, layers)]] = True
    return found


def test_it_is_one_mesh_of_a_size_that_every_page_can_show(bust: Head) -> None:
    count = len(bust.vertices)
    assert bust.vertices.dtype == bust.colours.dtype == np.float32
    assert bust.triangles.dtype == np.int32
    assert bust.colours.shape == bust.vertices.shape == (count, 3)
    assert 3000 < len(bust.triangles) < 9000
    assert set(np.unique(bust.triangles)) == set(range(count))
    assert bust.colours.min() >= 0
    assert bust.colours.max() <= 1
    assert tuple(bust.shapes) == SHAPES
    assert all(delta.shape == (count, 3) and delta.dtype == np.float32 for delta in bust.shapes.values())
    assert all(np.isfinite(values).all() for values in (bust.vertices, *bust.shapes.values()))


def test_it_is_made_once(bust: Head) -> None:
    assert head() is bust


def test_it_is_about_one_high_looks_along_z_and_stands_upright(bust: Head) -> None:
    skull = bust.vertices[points_of(bust, Layer.SKIN, Layer.OUTER)]
    assert np.ptp(skull[:, 1]) == pytest.approx(1.05, abs=0.08)
    nose = bust.vertices[bust.vertices[:, 2].argmax()]
    assert abs(nose[0]) < 0.02
    assert -0.3 < nose[1] < 0
    eyes = bust.vertices[points_of(bust, Layer.EYEBALL)]
    teeth = bust.vertices[points_of(bust, Layer.TEETH)]
    assert eyes[:, 1].min() > teeth[:, 1].max()


def test_neighbouring_triangles_turn_the_same_way_and_outwards(bust: Head) -> None:
    a, b, c = bust.triangles.T
    edges = np.concatenate([np.stack(pair, axis=1) for pair in ((a, b), (b, c), (c, a))])
    assert len(np.unique(edges, axis=0)) == len(edges), "an edge has two triangles on the same side"
    corners = bust.vertices[bust.triangles].astype(float)
    volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert volume[bust.layers == Layer.SKIN].sum() > 0.1
    skin = corners[bust.layers == Layer.SKIN]
    normals, middles = np.cross(skin[:, 1] - skin[:, 0], skin[:, 2] - skin[:, 0]), skin.mean(axis=1)
    assert ((normals * middles).sum(axis=1) > 0).mean() > 0.9


def test_no_triangle_is_without_area(bust: Head) -> None:
    corners = bust.vertices[bust.triangles].astype(float)
    doubled = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    assert doubled.min() > 1e-10


def test_skin_has_no_holes_but_for_mouth_eyes_and_hair(bust: Head) -> None:
    triangles = bust.triangles[bust.layers == Layer.SKIN]
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]).astype(np.int64)
    other_way = edges[:, ::-1] @ [10**6, 1]
    rims = edges[~np.isin(edges @ [10**6, 1], other_way)]
    following = dict(rims.tolist())
    assert len(following) == len(rims), "two holes touch"
    holes = 0
    while following:
        holes += 1
        point = next(iter(following))
        while point in following:
            point = following.pop(point)
    assert holes == 4


@pytest.mark.parametrize("name", SIDES)
def test_left_is_the_heads_own_left_and_right_is_its_mirror_image(bust: Head, name: str) -> None:
    left, right = bust.shapes[f"{name}Left"], bust.shapes[f"{name}Right"]
    amount = np.linalg.norm(left, axis=1)
    assert amount.max() > 0.005
    assert np.average(bust.vertices[:, 0], weights=amount) > 0.03
    assert np.linalg.norm(right, axis=1).sum() == pytest.approx(amount.sum(), rel=0.1)
    assert np.average(bust.vertices[:, 0], weights=np.linalg.norm(right, axis=1)) < -0.03


@pytest.mark.parametrize(
    ("name", "direction", "between"),
    [
        ("BrowDownLeft", -1, (0.0, 0.2)),
        ("BrowInnerUp", 1, (0.0, 0.25)),
        ("BrowOuterUpLeft", 1, (0.0, 0.25)),
        ("CheekSquintLeft", 1, (-0.25, 0.05)),
        ("EyeBlinkLeft", -1, (-0.1, 0.12)),
        ("JawOpen", -1, (-0.6, -0.25)),
        ("MouthFrownLeft", -1, (-0.45, -0.2)),
        ("MouthLowerDownLeft", -1, (-0.45, -0.25)),
        ("MouthSmileLeft", 1, (-0.45, -0.1)),
        ("MouthUpperUpLeft", 1, (-0.4, -0.1)),
        ("NoseSneerLeft", 1, (-0.25, 0.1)),
    ],
)
def test_shapes_move_what_they_are_named_after(
    bust: Head, name: str, direction: int, between: tuple[float, float]
) -> None:
    delta = bust.shapes[name]
    most = np.linalg.norm(delta, axis=1).argmax()
    assert delta[most, 1] * direction > 0.01
    assert between[0] < bust.vertices[most, 1] < between[1]


@pytest.mark.parametrize("name", WHOLE)
def test_jaw_and_mouth_go_to_both_sides_alike(bust: Head, name: str) -> None:
    left, right = bust.shapes[f"{name}Left"], bust.shapes[f"{name}Right"]
    assert left[:, 0].max() > 0.02
    assert left[:, 0].min() > -1e-3
    assert left[:, 0] == pytest.approx(-right[:, 0], abs=8e-3)  # the cheeks curve away
    assert np.average(bust.vertices[:, 0], weights=np.abs(left[:, 0])) == pytest.approx(0, abs=0.01)


def test_the_jaw_takes_the_lower_teeth_along_and_leaves_the_upper_ones(bust: Head) -> None:
    moved = bust.shapes["JawOpen"][points_of(bust, Layer.TEETH), 1]
    assert (moved == 0).any()
    assert moved.min() < -0.05


def test_lips_stay_together_where_an_open_jaw_is_told_so(bust: Head) -> None:
    lips = points_of(bust, Layer.SKIN) & points_of(bust, Layer.MOUTH) | (np.abs(bust.vertices[:, 1] + 0.312) < 0.012)
    lips &= (np.abs(bust.vertices[:, 0]) < 0.05) & (bust.vertices[:, 2] > 0.3) & points_of(bust, Layer.SKIN)
    opened = bust.vertices + bust.shapes["JawOpen"]
    shut = opened + bust.shapes["MouthClose"]
    assert np.ptp(opened[lips, 1]) > 0.08
    assert np.ptp(shut[lips, 1]) < 0.04


@pytest.mark.parametrize("weight", [0.25, 0.5, 0.75, 1.0])
def test_lids_glide_over_the_eyeball_and_not_through_it(bust: Head, weight: float) -> None:
    skin = points_of(bust, Layer.SKIN)
    lids = bust.vertices[skin] + weight * bust.shapes["EyeBlinkLeft"][skin]
    assert np.linalg.norm(lids - EYE, axis=1).min() > EYE_RADIUS


@pytest.mark.parametrize("emotion", A2F_EMOTIONS)
def test_no_emotion_pushes_an_eyeball_through_its_lids(bust: Head, emotion: str) -> None:
    skin = points_of(bust, Layer.SKIN)
    row = TABLE[A2F_EMOTIONS.index(emotion)]
    posed = bust.vertices + sum(weight * bust.shapes[name] for name, weight in zip(SHAPES, row, strict=True))
    for side in (1, -1):
        assert np.linalg.norm(posed[skin] - EYE * [side, 1, 1], axis=1).min() > EYE_RADIUS
