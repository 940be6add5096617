"""Pixels and seconds, and what lies under the mouse."""

from __future__ import annotations

import pytest
from flat_line import document
from hypothesis import given
from hypothesis import strategies as st

from dser_ext.panel.text import HEARD
from dser_ext.panel.view import LEAST_SECONDS, View


@given(st.floats(0, 1000), st.floats(0.5, 500), st.integers(50, 2000), st.floats(0, 1))
def test_places_and_times_are_each_others_way_back(start, span, width, share):
    view = View(width, 200, start, start + span)
    assert view.seconds(view.x(start + share * span)) == pytest.approx(start + share * span)


@given(st.lists(st.tuples(st.floats(0.2, 5), st.floats(0, 600), st.floats(-500, 500)), max_size=20))
def test_zooming_and_scrolling_never_leave_the_line(moves):
    view = View(600, 200)
    view.fit(30.0)
    for factor, x, pixels in moves:
        view.zoom(factor, x, 30.0)
        view.scroll(pixels, 30.0)
        assert 0 <= view.start < view.end <= 30.0 + 1e-9
        assert view.end - view.start >= LEAST_SECONDS - 1e-9


def test_what_is_zoomed_at_stays():
    view = View(600, 200)
    view.fit(30.0)
    before = view.seconds(450)
    view.zoom(0.5, 450, 30.0)
    assert view.seconds(450) == pytest.approx(before)


def test_a_handle_is_found_by_the_mouse():
    view, line = View(600, 220, 0, 4), document()
    assert view.under(line, view.x(4.0) - 3, view.y(0.75) + 3) == (1, "joy")
    assert view.under(line, 300, view.y(0.75)) is None
    view.kind = HEARD
    assert view.under(line, view.x(4.0), view.y(0.75)) is None


def test_a_hidden_handle_is_not_found():
    view, line = View(600, 220, 0, 4), document()
    view.toggle("joy")
    assert view.under(line, view.x(4.0), view.y(0.75)) is None
