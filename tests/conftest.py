"""What tests of several parts share: an Audio2Face to talk to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent / "audio2face"))


@pytest.fixture
def start_a2f() -> Iterator[Callable[..., Any]]:
    """Starts Audio2Face stand-ins (see `a2f_server.A2FServer` for the arguments) and stops them after the test."""
    from a2f_server import A2FServer

    servers: list[A2FServer] = []

    def start(**arguments: Any) -> A2FServer:
        servers.append(A2FServer(**arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def start_app() -> Iterator[Callable[..., Any]]:
    """Starts stand-ins for the older app (see `a2f_app.A2FApp` for the arguments) and stops them after the test."""
    from a2f_app import A2FApp

    apps: list[A2FApp] = []

    def start(**arguments: Any) -> A2FApp:
        apps.append(A2FApp(**arguments))
        return apps[-1]

    yield start
    for app in apps:
        app.stop()


@pytest.fixture
def start_player() -> Iterator[Callable[..., Any]]:
    """Starts streaming players of the older app (see `a2f_app.Player`) and stops them after the test."""
    from a2f_app import Player

    players: list[Player] = []

    def start(**arguments: Any) -> Player:
        players.append(Player(**arguments))
        return players[-1]

    yield start
    for player in players:
        player.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """See `certificates.Certificates`."""
    pytest.importorskip("cryptography")
    from certificates import Certificates

    return Certificates(tmp_path_factory.mktemp("certificates"))
