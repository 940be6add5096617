"""Everything that talks to our own service.

    >>> from dser_ext.client import Client, Recognize
    >>> with Client("127.0.0.1:50061") as client:  # `dser serve` listens there
    ...     line = client.call(Recognize("line.wav"))
    >>> line.track.mean, line.keyframes.values

What is asked for is a value (`Recognize`, `LearnVoice`, `Export`, `Push`, `ListModels`, `GetModel`); `Client` asks for
it and waits, `AsyncClient` under asyncio. Both have `stream` for lines while they are spoken.
"""

from __future__ import annotations

from dser_ext.client.address import Address
from dser_ext.client.aio import AsyncClient
from dser_ext.client.blocking import Client
from dser_ext.client.requests import (
    Export,
    GetModel,
    LearnVoice,
    ListModels,
    Live,
    Push,
    Recognize,
)

__all__ = [
    "Address",
    "AsyncClient",
    "Client",
    "Export",
    "GetModel",
    "LearnVoice",
    "ListModels",
    "Live",
    "Push",
    "Recognize",
]
