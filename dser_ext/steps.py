"""Long work in steps: a generator says between them how far it is, so that whoever runs it can take turns, or stop."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

Result = TypeVar("Result")


def result(steps: Generator[Any, None, Result], between: Callable[[], object] = lambda: None) -> Result:
    """Take all steps, and return what they come to. between: called after each."""
    while True:
        try:
            next(steps)
            between()
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
