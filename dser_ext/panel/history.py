"""History: undo and redo over states that never change."""

from __future__ import annotations

from typing import Generic, TypeVar

State = TypeVar("State")

MOST = 200  # states kept; each shares with the one before what did not change


class History(Generic[State]):
    """States, one of which is the present one."""

    def __init__(self, state: State) -> None:
        self._states: list[tuple[str, State]] = [("", state)]
        self._at = 0
        self._open = ""  # what the present state may still be merged with

    @property
    def state(self) -> State:
        """The present one."""
        return self._states[self._at][1]

    @property
    def undoes(self) -> str:
        """What `undo` would take back; "" if nothing."""
        return self._states[self._at][0] if self._at else ""

    @property
    def redoes(self) -> str:
        """What `redo` would do again; "" if nothing."""
        return self._states[self._at + 1][0] if self._at + 1 < len(self._states) else ""

    def push(self, what: str, state: State, gesture: str = "") -> bool:
        """A new state; whether it is a new step. gesture: changes in a row that have the same one are one step."""
        merged = bool(gesture) and gesture == self._open and self._at > 0
        if merged:
            self.amend(state)
        else:
            self._states = [*self._states[: self._at + 1], (what, state)][-MOST:]
            self._at = len(self._states) - 1
        self._open = gesture
        return not merged

    def amend(self, state: State) -> None:
        """The present state, as it comes out in the end; what was undone before stays to be redone."""
        self._states[self._at] = (self._states[self._at][0], state)

    def close(self) -> None:
        """The gesture is over."""
        self._open = ""

    def undo(self) -> bool:
        """One back, if there is one."""
        self.close()
        self._at -= (moved := self._at > 0)
        return moved

    def redo(self) -> bool:
        """One forward, if there is one."""
        self.close()
        self._at += (moved := self._at + 1 < len(self._states))
        return moved
