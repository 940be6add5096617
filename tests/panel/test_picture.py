"""The curves as pixels: where things are, and that nothing breaks."""

from __future__ import annotations

import numpy as np
import pytest
from flat_line import document
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.emotion.track import EmotionTrack
from dser_ext.envelope import Envelope
from dser_ext.panel import theme
from dser_ext.panel.document import Document
from dser_ext.panel.picture import picture, ticks
from dser_ext.panel.text import FACE, HEARD
from dser_ext.panel.view import View


def like(image: np.ndarray, name: str) -> np.ndarray:
    """Pixels of an emotion's colour, (height, width)."""
    return np.abs(image[..., :3].astype(int) - theme.EMOTIONS[name]).max(axis=-1) < 80  # its edges are soft


@pytest.mark.parametrize("kind", [FACE, HEARD])
def test_a_curve_is_where_its_value_is(kind):
    view = View(600, 220, 0, 4, kind)
    image = picture(document(), view)
    rows, columns = np.nonzero(like(image, "joy" if kind == FACE else "happiness"))
    assert len(np.unique(columns)) > 590
    middle = rows[(columns > 20) & (columns < 580)]
    assert abs(middle.mean() - view.y(0.75)) < 1.5


def test_what_is_hidden_is_not_drawn():
    view = View(600, 220, 0, 4)
    view.toggle("joy")
    assert not like(picture(document(), view), "joy").any()
    view.solo("joy")
    assert view.shown == ("joy",)
    assert like(picture(document(), view), "joy").any()
    view.solo("joy")
    assert view.shown == A2F_EMOTIONS


def test_the_band_shows_how_sure_it_is():
    sure, unsure = document(), document()
    vague = EmotionTrack(unsure.track.times, unsure.track.concentration / 50)
    view = View(600, 220, 0, 4, HEARD)
    view.solo("happiness")

    def tinted(image: np.ndarray) -> int:
        return int((image[:, 300, 0].astype(int) - image[:, 300, 2] > 10).sum())

    assert tinted(picture(Document(track=vague), view)) > 3 * tinted(picture(Document(track=sure.track), view))


def test_locks_and_chosen_spans_are_seen():
    plain = document()
    view = View(600, 220, 0, 4)
    locked = plain.edit(plain.edited.locked(1, 2))
    there = (picture(locked, view) != picture(plain, view)).any(axis=(0, 2))
    assert there[155:295].mean() > 0.95  # all but lines of the grid
    assert not there[:140].any()
    chosen = (picture(plain, view, span=(3, 3.5)) != picture(plain, view)).any(axis=(0, 2))
    assert chosen[455:520].mean() > 0.95


def test_what_stays_is_marked():
    plain = document()
    touched = plain.edit(plain.edited.added(2.0))
    column = picture(touched, View(600, 220, 0, 4))[-2:, 300, :3]
    np.testing.assert_array_equal(column, np.tile(theme.WARN, (2, 1)))


def test_the_waveform_is_as_loud_as_the_sound():
    wave = np.zeros(100, np.float32)
    wave[50:] = 1
    image = picture(Document(waveform=Envelope(-wave, wave, 4.0)), View(600, 220, 0, 4))
    painted = (image[..., :3] == theme.WAVE).all(axis=-1).sum(axis=0)
    assert painted[:295].max() <= 2
    assert painted[305:].min() > 190


@settings(deadline=None, max_examples=60)
@given(
    st.integers(50, 1200),
    st.integers(50, 400),
    st.floats(0, 3.9),
    st.floats(0.01, 700),
    st.sampled_from([FACE, HEARD]),
    st.booleans(),
)
def test_any_view_can_be_drawn(width, height, start, span, kind, keyed):
    view = View(width, height, start, start + span, kind)
    image = picture(document(keyed=keyed), view, [0.0], (start - 1, start + span / 2))
    assert image.shape == (height, width, 4)
    assert (image[..., 3] == 255).all()


def test_labels_have_room():
    for span in (0.5, 3, 60, 600, 7200):
        view = View(600, 200, 10, 10 + span)
        places = [view.x(seconds) for seconds in ticks(view)]
        assert 1 <= len(places) <= 10
        assert (np.diff(places) >= 70 - 1e-6).all()


def test_every_colour_stands_out():
    for colour in theme.EMOTIONS.values():
        assert theme.contrast(colour, theme.PAPER) >= 3
    pairs = [(theme.TEXT, theme.GROUND), (theme.SOFT_TEXT, theme.GROUND), (theme.TEXT, theme.RAISED)]
    pairs += [(theme.SOFT_TEXT, theme.PAPER), (theme.TEXT, theme.FIELD), (theme.ON_ACCENT, theme.ACCENT)]
    pairs += [(state, theme.GROUND) for state in (theme.GOOD, theme.WARN, theme.BAD)]
    for text, ground in pairs:
        assert theme.contrast(text, ground) >= 4.5, (text, ground)
