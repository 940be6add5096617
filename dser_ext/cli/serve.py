"""dser serve: recognise for other programs on this machine or elsewhere, until told to stop."""

from __future__ import annotations

import argparse
import os

from dser_ext.cli import options as shared
from dser_ext.cli.messages import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--listen",
        default="127.0.0.1:50061",
        metavar="HOST:PORT",
        help="where callers find the service, or unix:PATH (default 127.0.0.1:50061)",
    )
    parser.add_argument("--certificate", metavar="PEM", help="TLS certificate chain, for callers on other machines")
    parser.add_argument("--key", metavar="PEM", help="its private key; those callers also need the token of DSER_TOKEN")
    shared.add_model(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop."""
    if (options.certificate is None) != (options.key is None):
        options.usage_error("--certificate and --key go together")
    import asyncio

    from dser_ext.server.api import EmotionService, serve
    from dser_ext.server.call import Resources
    from dser_ext.server.door import TOKEN, Door
    from dser_ext.server.limits import ServiceLimits
    from dser_ext.server.turns import Turns

    certificate, key = shared.read_bytes(options.certificate), shared.read_bytes(options.key)
    door = Door(options.listen, certificate, key, token=os.environ.get(TOKEN) or None)
    recognizer = shared.recognizer(options)

    def started(address: str, _: EmotionService) -> None:
        say(f"listening at {address} with {recognizer.bundle.name} on {recognizer.device}")

    async def main() -> None:
        resources = Resources({recognizer.bundle.name: recognizer}, Turns(os.cpu_count() or 1), ServiceLimits())
        await serve(door, resources, started, asyncio.Event())

    asyncio.run(main())
    return 0
