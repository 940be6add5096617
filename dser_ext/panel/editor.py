"""Editor: a line's keys and look as an animator changes them, with undo; no file, no service, no UI."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dser_ext.emotion.edits import EditedKeys
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.emotion.style import PRESETS
from dser_ext.errors import DserError
from dser_ext.panel import text
from dser_ext.panel.document import Document
from dser_ext.panel.history import History


@dataclass(frozen=True)
class Problem:
    """What went wrong: one sentence, and what an engineer wants to see."""

    sentence: str
    details: str = ""


class Editor:
    """One line at a time. `revision` grows with every change, so a view knows when to draw again.

    recorded: is told what each new step to undo is; where an application keeps steps of its own, undo_by and redo_by
    take the place of `undo` and `redo`, and call `step_back` and `step_forward`.
    """

    def __init__(self) -> None:
        self.problem: Problem | None = None
        self.notice = ""
        self.chosen: frozenset[float] = frozenset()
        """Times of the keys that are chosen."""
        self.span: tuple[float, float] | None = None
        """Seconds from and to that are chosen."""
        self.playhead = 0.0
        self.revision = 0
        self.recorded: Callable[[str], None] = nothing
        self.undo_by: Callable[[], None] = self.step_back
        self.redo_by: Callable[[], None] = self.step_forward
        self._history = History(Document())
        self._saved = self._history.state
        self._changed_at = 0.0

    @property
    def document(self) -> Document:
        """The line as it is now."""
        return self._history.state

    @property
    def dirty(self) -> bool:
        """Whether there is something that is not saved."""
        return self.document is not self._saved and self.document.edited is not None

    @property
    def undoes(self) -> str:
        """What `undo` takes back; "" for nothing."""
        return self._history.undoes

    @property
    def redoes(self) -> str:
        """What `redo` does again; "" for nothing."""
        return self._history.redoes

    @property
    def indices(self) -> list[int]:
        """Of the keys that are chosen."""
        edited = self.document.edited
        return [] if edited is None else np.flatnonzero(np.isin(edited.keys.times, list(self.chosen))).tolist()

    # How it looks

    def set_style(self, gesture: str = "", **settings: Any) -> None:
        """Change settings of the style. gesture: changes in a row that have the same one are undone together."""
        style = self.document.style
        with self._said():
            changed = replace(style, **settings)
            if changed != style:
                self._push(text.DID["tune"], self.document.styled(changed), gesture)

    def set_preset(self, name: str) -> None:
        """One of the styles with a name, with all of its settings."""
        if PRESETS[name] != self.document.style:
            self._push(text.DID["style"], self.document.styled(PRESETS[name]))

    def set_trim(self, emotion: str, gain: float, gesture: str = "") -> None:
        """More or less of one Audio2Face emotion, 0 to 4."""
        gains = {name: value for name, value in {**self.document.style.gains, emotion: gain}.items() if value != 1.0}
        self.set_style(gesture, gains=gains)

    def set_preferred(self, emotion: str) -> None:
        """The mood to lean to; "" for none."""
        style = self.document.style
        strength = style.preferred_strength or 0.5
        self.set_style(preferred={emotion: 1.0} if emotion else {}, preferred_strength=strength if emotion else 0.0)

    def set_tolerance(self, tolerance: float, gesture: str = "") -> None:
        """How far the keys may miss the curves."""
        with self._said():
            if tolerance != self.document.tolerance:
                self._push(text.DID["tolerance"], self.document.keyed(self.document.fps, tolerance), gesture)

    # Keys

    def choose(self, times: Iterable[float], *, more: bool = False) -> None:
        """Choose these keys, or these too."""
        self.chosen = frozenset(times) | (self.chosen if more else frozenset())
        self._touch()

    def choose_all(self) -> None:
        """Choose every key."""
        if self.document.edited is not None:
            self.choose(self.document.edited.keys.times.tolist())

    def choose_span(self, start: float, end: float) -> None:
        """Choose what lies between these times, and the keys there."""
        start, end = min(start, end), max(start, end)
        self.span = (max(0.0, start), min(end, self.document.seconds))
        edited = self.document.edited
        times = edited.keys.times if edited else np.zeros(0)
        self.choose(times[(start <= times) & (times <= end)].tolist())

    def choose_nothing(self) -> None:
        """Neither keys nor a span."""
        self.span = None
        self.choose(())

    def drag(self, since: Document, indices: list[int], frames: int, emotion: str, rise: float) -> None:
        """Move keys of the document that a drag began with, and raise one of their emotions."""
        if since.edited is not None and indices:
            self._moved(text.DID["drag"], since.edited, indices, frames, emotion, rise, "drag")

    def drop(self) -> None:
        """The drag is over."""
        self._history.close()

    def nudge(self, frames: int, emotion: str = "", rise: float = 0.0) -> None:
        """Move the chosen keys by frames, or raise one of their emotions."""
        if self.document.edited is not None and self.indices:
            gesture = f"nudge {sorted(self.indices)}"
            self._moved(text.DID["nudge"], self.document.edited, self.indices, frames, emotion, rise, gesture)

    def _moved(
        self, what: str, edited: EditedKeys, indices: list[int], frames: int, emotion: str, rise: float, gesture: str
    ) -> None:
        changed = edited.moved(indices, frames, self.document.fps) if frames else edited
        if rise and emotion:
            column = edited.keys.values[indices, A2F_EMOTIONS.index(emotion)]
            changed = changed.with_values(indices, emotion, column + rise)
        if changed is not edited or self.document.edited is not edited:
            self._push(what, self.document.edit(changed), gesture)
            self.choose(changed.keys.times[indices].tolist())

    def add_key(self, seconds: float) -> None:
        """A key on the curve, on the nearest frame."""
        if (edited := self.document.edited) is not None:
            moment = round(seconds * self.document.fps) / self.document.fps
            if (changed := edited.added(moment)) is not edited:
                self._push(text.DID["add"], self.document.edit(changed))
            self.choose((moment,))

    def delete(self) -> None:
        """Delete the chosen keys."""
        if (edited := self.document.edited) is not None:
            if (changed := edited.without(self.indices)) is not edited:
                self._push(text.DID["delete"], self.document.edit(changed))
            self.choose_nothing()

    def lock(self) -> None:
        """Keep the chosen span as it is, or that between the chosen keys."""
        edited, span = self.document.edited, self._chosen_span()
        if edited is not None and span is not None and span[0] < span[1]:
            self._push(text.DID["lock"], self.document.edit(edited.locked(*span)))

    def unlock(self) -> None:
        """Free the chosen span, or everything, and make its keys anew."""
        if (edited := self.document.edited) is not None:
            changed = edited.unlocked(*(self._chosen_span() or (0.0, self.document.seconds)))
            self._push(text.DID["unlock"], replace(self.document.edit(changed), pending=True))

    def _chosen_span(self) -> tuple[float, float] | None:
        if self.span is not None:
            return self.span
        return (min(self.chosen), max(self.chosen)) if self.chosen else None

    def undo(self) -> None:
        """Take the last change back."""
        if self.undoes:
            self.undo_by()

    def redo(self) -> None:
        """Do again what was taken back."""
        if self.redoes:
            self.redo_by()

    def step_back(self) -> None:
        """Take the last change of this line back."""
        self._history.undo()
        self.choose_nothing()

    def step_forward(self) -> None:
        """Do again what was taken back of this line."""
        self._history.redo()
        self.choose_nothing()

    def seek(self, seconds: float) -> None:
        """Put the playhead somewhere."""
        self.playhead = min(max(0.0, seconds), self.document.seconds)
        self._touch()

    def dismiss(self) -> None:
        """The problem has been seen."""
        self.problem = None
        self._touch()

    def _push(self, what: str, document: Document, gesture: str = "") -> None:
        if self._history.push(what, document, gesture):
            self.recorded(what)
        self._touch()

    def _touch(self) -> None:
        self.revision += 1
        self._changed_at = time.monotonic()

    def _fail(self, sentence: str, details: str = "") -> None:
        self.problem = Problem(sentence, details)
        self._touch()

    def _failed(self, error: Exception) -> None:
        details = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self._fail(str(error) if isinstance(error, DserError) else text.CRASHED, details)

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Around something that may fail by a user's mistake: the panel says so."""
        self.problem = None
        try:
            yield
        except DserError as error:
            self._failed(error)
        self._touch()


def nothing(_: object = None) -> None:
    """What follows where nothing is to follow."""
