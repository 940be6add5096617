"""Checks of the numbers that a user sets."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import FormatError


def check_number(name: str, value: Any, low: float, high: float, *, whole: bool = False) -> None:
    """Raise FormatError if a value is no number in its range."""
    kinds = int if whole else (int, float)
    if not isinstance(value, kinds) or isinstance(value, bool) or not low <= value <= high:
        shown = reprlib.repr(value)  # a hostile file may hold a value of any length
        number = "a whole number" if whole else "a number"
        raise FormatError(f"{name} must be {number} from {low:g} to {high:g}, not {shown}")


def check_switch(name: str, value: Any) -> None:
    """Raise FormatError if a value is neither true nor false."""
    if not isinstance(value, bool):
        raise FormatError(f"{name} must be true or false, not {reprlib.repr(value)}")


def check_emotions(name: str, values: Mapping[str, float], high: float) -> None:
    """Raise FormatError if a name is no Audio2Face emotion or a value is not from 0 to `high`."""
    for emotion, value in values.items():
        if emotion not in A2F_EMOTIONS:
            raise FormatError(
                f"{name}: {reprlib.repr(emotion)} is no Audio2Face emotion; those are {', '.join(A2F_EMOTIONS)}"
            )
        check_number(f"{name}.{emotion}", value, 0.0, high)


def checked_settings(what: str, document: Any, kind: type) -> dict[str, Any]:
    """The settings of a JSON object for a dataclass. Raises FormatError where it is none or has other keys."""
    if not isinstance(document, dict):
        raise FormatError(f"{what} must be a JSON object of settings")
    known = {setting.name: setting for setting in fields(kind)}
    if unknown := sorted(set(document) - set(known)):
        raise FormatError(f"{what}: {reprlib.repr(unknown[0])} is no setting; those are {', '.join(sorted(known))}")
    for name, setting in known.items():
        if setting.default_factory is dict and not isinstance(document.get(name, {}), dict):
            raise FormatError(f"{what}: {name} must be an object of emotion names and numbers")
    return dict(document)
