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


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """See `certificates.Certificates`."""
    pytest.importorskip("cryptography")
    from certificates import Certificates

    return Certificates(tmp_path_factory.mktemp("certificates"))
