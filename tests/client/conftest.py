"""A service to talk to."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dser_ext.errors import DserWarning

sys.path.append(str(Path(__file__).parents[1] / "server"))

from service import RunningService


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Nobody has a voice here, which need not be said."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DserWarning)
        yield


@pytest.fixture(scope="session")
def target() -> Iterator[str]:
    """The address of a service."""
    running = RunningService()
    yield running.target
    running.stop()


@pytest.fixture
def start_service() -> Iterator[Callable[..., RunningService]]:
    """Starts services and stops them after the test."""
    services: list[RunningService] = []

    def start(*arguments: Any, **more: Any) -> RunningService:
        services.append(RunningService(*arguments, **more))
        return services[-1]

    yield start
    for service in services:
        service.stop()
