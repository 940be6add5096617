"""A service to talk to."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from dser_ext.errors import DserWarning


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Nobody has a voice here, which need not be said."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DserWarning)
        yield


@pytest.fixture(scope="session")
def target(running_service: Any) -> str:
    """The address of a service."""
    return str(running_service.target)
