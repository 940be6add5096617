"""View: which part of a line is seen, at which size, and what lies under the mouse."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.panel.document import Document
from dser_ext.panel.text import FACE, HEARD

Place = TypeVar("Place", float, NDArray[np.float64])  # one, or several

LEAST_SECONDS = 0.5  # that can be seen at once
NEAR_PIXELS = 8.0  # of a handle, within which it is meant
MARGIN = 8.0  # pixels above 1 and below 0


@dataclass
class View:
    """What is seen of a line.

    width, height: pixels. start, end: seconds at the left and right edge. kind: HEARD or FACE. hidden, alone: of the
    emotions of each kind; where `alone` names any, only those are shown.
    """

    width: int = 600
    height: int = 220
    start: float = 0.0
    end: float = 1.0
    kind: str = FACE
    hidden: dict[str, set[str]] = field(default_factory=lambda: {HEARD: set(), FACE: set()})
    alone: dict[str, set[str]] = field(default_factory=lambda: {HEARD: set(), FACE: set()})

    @property
    def names(self) -> tuple[str, ...]:
        """All emotions of this kind."""
        return EMOTIONS if self.kind == HEARD else A2F_EMOTIONS

    @property
    def shown(self) -> tuple[str, ...]:
        """Those that are shown."""
        alone, hidden = self.alone[self.kind], self.hidden[self.kind]
        return tuple(name for name in self.names if (name in alone if alone else name not in hidden))

    def toggle(self, name: str) -> None:
        """Hide an emotion, or show it again."""
        self.alone[self.kind].clear()
        self.hidden[self.kind] ^= {name}

    def solo(self, name: str) -> None:
        """Show an emotion alone, or all again."""
        self.alone[self.kind] = set() if self.alone[self.kind] == {name} else {name}
        self.hidden[self.kind].clear()

    def fit(self, seconds: float) -> None:
        """See all of it."""
        self.start, self.end = 0.0, max(seconds, LEAST_SECONDS)

    def zoom(self, factor: float, x: float, seconds: float) -> None:
        """See `factor` times as much, with what lies at x staying there."""
        whole = max(seconds, LEAST_SECONDS)
        span = min(max((self.end - self.start) * factor, LEAST_SECONDS), whole)
        pinned = self.seconds(x)
        self._place(pinned - span * x / max(1, self.width), span, whole)

    def scroll(self, pixels: float, seconds: float) -> None:
        """Move what is seen to the left by so many pixels."""
        span = self.end - self.start
        self._place(self.start + span * pixels / max(1, self.width), span, max(seconds, LEAST_SECONDS))

    def seconds(self, x: float) -> float:
        """Of a place from the left edge."""
        return self.start + (self.end - self.start) * x / max(1, self.width)

    def x(self, seconds: Place) -> Place:
        """Where times lie, in pixels from the left edge."""
        return (seconds - self.start) / (self.end - self.start) * self.width

    def y(self, value: Place) -> Place:
        """Where values lie, in pixels from the top."""
        return MARGIN + (1 - value) * (self.height - 2 * MARGIN)

    def value(self, pixels: float) -> float:
        """How much higher a value is that lies so many pixels lower."""
        return -pixels / max(1.0, self.height - 2 * MARGIN)

    def under(self, document: Document, x: float, y: float) -> tuple[int, str] | None:
        """The key and emotion whose handle lies nearest to a place, if it is near; what stands out wins over zeros."""
        if document.edited is None or self.kind != FACE or not self.shown:
            return None
        keys = document.edited.keys
        first, last = np.searchsorted(keys.times, [self.seconds(x - NEAR_PIXELS), self.seconds(x + NEAR_PIXELS)])
        columns = [A2F_EMOTIONS.index(name) for name in self.shown]
        values = keys.values[first:last, columns].astype(np.float64)
        if not values.size:
            return None
        across, down = self.x(keys.times[first:last]) - x, self.y(values) - y
        distance = np.hypot(across[:, None], down) - 1e-3 * values  # of equal ones the higher
        key, column = np.unravel_index(int(distance.argmin()), distance.shape)
        if distance[key, column] > NEAR_PIXELS:
            return None
        return int(first + key), self.shown[column]

    def _place(self, start: float, span: float, whole: float) -> None:
        self.start = min(max(0.0, start), max(0.0, whole - span))
        self.end = self.start + span
