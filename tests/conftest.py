"""What tests of several parts share: peers to talk to, Audio2Face's and our own service."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

collect_ignore = ["kit/dser.kit_tests", "kit/exts"]  # run inside Kit, by kit/test_kit.py

for part in ("audio2face", "server", "panel", "kit", "batch", "training/preferences/annotate"):
    sys.path.append(str(Path(__file__).parent / part))


def _started(kind: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Starts peers of a kind, and stops them all in the end."""
    peers: list[Any] = []

    def start(*arguments: Any, **more: Any) -> Any:
        peers.append(kind(*arguments, **more))
        return peers[-1]

    yield start
    for peer in peers:
        peer.stop()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Engines that somebody built on this machine are not the tests'."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSER_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def start_a2f() -> Iterator[Callable[..., Any]]:
    """Starts Audio2Face stand-ins (see `a2f_server.A2FServer` for the arguments) and stops them after the test."""
    from a2f_server import A2FServer

    yield from _started(A2FServer)


@pytest.fixture
def start_app() -> Iterator[Callable[..., Any]]:
    """Starts stand-ins for the older app (see `a2f_app.A2FApp` for the arguments) and stops them after the test."""
    from a2f_app import A2FApp

    yield from _started(A2FApp)


@pytest.fixture
def start_player() -> Iterator[Callable[..., Any]]:
    """Starts streaming players of the older app (see `a2f_app.Player`) and stops them after the test."""
    from a2f_app import Player

    yield from _started(Player)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """See `certificates.Certificates`."""
    pytest.importorskip("cryptography")
    from certificates import Certificates

    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def start_service() -> Iterator[Callable[..., Any]]:
    """Starts services (see `service.RunningService` for the arguments) and stops them after the test."""
    from service import RunningService

    yield from _started(RunningService)


@pytest.fixture(scope="session")
def running_service() -> Iterator[Any]:
    """A service as it is by default."""
    from service import RunningService

    running = RunningService()
    yield running
    running.stop()
