"""Long work in steps: a generator says between them how far it is, so that whoever runs it can take turns, or stop."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

Result = TypeVar("Result")


def result(steps: Generator[Any, None, Result]) -> Result:
    """Take all steps, and return what they come to."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
