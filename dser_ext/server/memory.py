"""Memory that is free in this process but not for others: glibc keeps it until it is told not to."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable

IDLE_SECONDS = 1.0


class Keeper:
    """Hands free memory back when nobody has called for a while. busy: whether there are calls."""

    def __init__(self, busy: Callable[[], bool]) -> None:
        self._busy = busy
        self._timer: asyncio.TimerHandle | None = None

    def call_ended(self) -> None:
        """A call is over."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._give_back)

    def _give_back(self) -> None:
        self._timer = None
        if not self._busy():
            give_back()


def give_back() -> None:
    """Some milliseconds of work; nothing where the C library is another."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return
