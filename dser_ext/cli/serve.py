"""dser serve: recognise for other programs on this machine or elsewhere, until told to stop."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from dser_ext.cli import options as shared
from dser_ext.cli.configured import configured

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Event


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="the same options in YAML or JSON; those given here and variables such as DSER_LISTEN count more",
    )
    parser.add_argument(
        "--listen",
        default="127.0.0.1:50061",
        metavar="HOST:PORT",
        help="where callers find the service, or unix:PATH (default 127.0.0.1:50061)",
    )
    parser.add_argument("--certificate", metavar="PEM", help="TLS certificate chain, for callers on other machines")
    parser.add_argument("--key", metavar="PEM", help="its private key; those callers also need the token of DSER_TOKEN")
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="let other machines in without TLS and token; whoever can reach the port can then use the service",
    )
    parser.add_argument(
        "--push-to",
        nargs="+",
        metavar="HOST:PORT",
        help="the Audio2Face-3D services that callers may push to (default: any; none where other machines come in)",
    )
    parser.add_argument("--metrics", metavar="HOST:PORT", help="answer Prometheus there, on this machine")
    parser.add_argument("--traces", action="store_true", help="send OpenTelemetry spans where OTEL_* variables say")
    parser.add_argument("--while-stdin", action="store_true", help="end when standard input is closed")
    parser.add_argument("--log-format", choices=["text", "json"], default="text", help="of the log (default text)")
    shared.add_model(parser, several=True)


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # before gRPC is imported; its notes on stderr are not the user's
    options = configured(options.parser, options.typed)
    if (options.certificate is None) != (options.key is None):
        options.usage_error("--certificate and --key go together")
    import asyncio
    import warnings

    from dser_ext.errors import DserError, DserWarning
    from dser_ext.messages import TOKEN
    from dser_ext.recognition.bundle import DEFAULT_MODEL
    from dser_ext.recognition.recognizer import Recognizer
    from dser_ext.server.api import serve
    from dser_ext.server.call import Resources
    from dser_ext.server.door import Door
    from dser_ext.server.journal import Ended, log, note, start_log
    from dser_ext.server.limits import ServiceLimits
    from dser_ext.server.measures import start_metrics, start_traces
    from dser_ext.server.turns import Turns

    certificate, key = shared.read_bytes(options.certificate), shared.read_bytes(options.key)
    door = Door(options.listen, certificate, key, os.environ.get(TOKEN) or None, options.insecure)
    loaded = [Recognizer(model, options.device) for model in options.model or [DEFAULT_MODEL]]
    recognizers = {recognizer.bundle.name: recognizer for recognizer in loaded}
    if len(recognizers) < len(loaded):
        names = ", ".join(recognizer.bundle.name for recognizer in loaded)
        raise DserError(f"--model: {names}: callers could not tell those of one name apart; leave one out")
    warnings.simplefilter("ignore", DserWarning)  # each caller is told its own
    for recognizer in loaded:
        recognizer.warm()
    start_log(options.log_format)
    if not door.local and not door.safe:
        log.warning("INSECURE: anybody who can reach this port can use the service, and read what is sent to it")

    def started(address: str) -> None:
        facts = {"address": address, "models": ",".join(recognizers), "device": loaded[0].device}
        log.info("listening", extra={"facts": facts})

    async def main() -> None:
        anywhere = door.local and options.push_to is None
        targets = None if anywhere else tuple(options.push_to or ())
        resources = Resources(recognizers, Turns(os.cpu_count() or 1), ServiceLimits(), targets)
        observers: list[Callable[[Ended], None]] = [note]
        if options.metrics is not None:
            observers.append(start_metrics(options.metrics, resources))
        if options.traces:
            observers.append(start_traces())
        stop = asyncio.Event()
        if options.while_stdin:
            loop = asyncio.get_running_loop()
            threading.Thread(target=_wait_for_end, args=(loop, stop), daemon=True).start()
        await serve(door, resources, started, stop, observers)

    asyncio.run(main())
    log.info("stopped")
    return 0


def _wait_for_end(loop: AbstractEventLoop, stop: Event) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    with contextlib.suppress(RuntimeError):  # it is over already
        loop.call_soon_threadsafe(stop.set)
