"""Undo and redo."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dser_ext.panel.history import MOST, History


def test_what_was_done_is_taken_back_and_done_again():
    history = History(0)
    history.push("one", 1)
    history.push("two", 2)
    assert history.undoes == "two"
    assert history.undo()
    assert (history.state, history.undoes, history.redoes) == (1, "one", "two")
    assert history.redo()
    assert history.state == 2
    assert not history.redo()


def test_a_gesture_is_one_step():
    history = History(0)
    for value in (1, 2, 3):
        history.push("drag", value, "drag")
    history.close()
    history.push("drag", 4, "drag")
    history.undo()
    assert history.state == 3
    history.undo()
    assert history.state == 0


def test_a_new_change_forgets_what_was_undone():
    history = History(0)
    history.push("one", 1)
    history.undo()
    history.push("two", 2)
    assert history.redoes == ""
    assert not history.redo()


@given(st.lists(st.sampled_from(["push", "undo", "redo", "gesture"]), max_size=60))
def test_it_behaves_as_two_stacks(steps):
    history, before, now, after = History(0), [], 0, []
    gesture = False
    for number, step in enumerate(steps, 1):
        if step in ("push", "gesture"):
            history.push(step, number, "g" if step == "gesture" else "")
            if not (step == "gesture" and gesture):
                before, after = [*before, now], []
            now, gesture = number, step == "gesture"
            continue
        gesture = False
        source, target = (before, after) if step == "undo" else (after, before)
        assert (history.undo() if step == "undo" else history.redo()) == bool(source)
        if source:
            target.append(now)
            now = source.pop()
        assert history.state == now


def test_only_so_many_states_are_kept():
    history = History(-1)
    for number in range(3 * MOST):
        history.push("more", number)
    while history.undo():
        pass
    assert history.state == 2 * MOST
