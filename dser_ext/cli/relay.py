"""dser relay: stand between any Audio2Face client and Audio2Face, and add the emotions of what is said."""

from __future__ import annotations

import argparse
import os

from dser_ext.cli import options as shared
from dser_ext.cli.messages import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--a2f", required=True, metavar="HOST:PORT", help="an Audio2Face-3D service (its port usually is 52000)"
    )
    parser.add_argument(
        "--listen",
        default="127.0.0.1:52010",
        metavar="HOST:PORT",
        help="where clients find the relay (default 127.0.0.1:52010)",
    )
    parser.add_argument(
        "--mode",
        choices=["clip", "stream"],
        default="clip",
        help="clip waits for the end of a line, which is best; stream sends it on while it comes in (default clip)",
    )
    parser.add_argument(
        "--mix",
        choices=["replace", "add", "only-if-absent"],
        default="replace",
        help="what becomes of the client's own emotion keys and settings (default replace)",
    )
    parser.add_argument(
        "--look-ahead",
        type=shared.look_ahead,
        default=0.6,
        metavar="SECONDS",
        help="with --mode stream: how much of what follows an emotion is told from (default 0.6)",
    )
    parser.add_argument(
        "--learn-voice",
        action="store_true",
        help="measure lines against earlier ones of the same client, or of the same dser-voice in the call's metadata",
    )
    parser.add_argument("--certificate", metavar="PEM", help="TLS certificate chain, for clients on other machines")
    parser.add_argument("--key", metavar="PEM", help="its private key; those clients also need the token of DSER_TOKEN")
    shared.add_recognition(parser, several=False)
    shared.add_performance(parser)
    shared.add_connection(parser)


def run(options: argparse.Namespace) -> int:
    """Relay until told to stop."""
    if (options.certificate is None) != (options.key is None):
        options.usage_error("--certificate and --key go together")
    way = shared.connection(options)
    import asyncio

    from dser_ext.messages import TOKEN
    from dser_ext.recognition.bundle import DEFAULT_MODEL
    from dser_ext.recognition.recognizer import Recognizer
    from dser_ext.recognition.voice import VoiceLines
    from dser_ext.server.door import Door
    from dser_ext.server.limits import Limits
    from dser_ext.server.lines import Desk, Settings
    from dser_ext.server.relay import Relay, serve
    from dser_ext.server.voices import Voices

    door = Door(
        options.listen,
        shared.read_bytes(options.certificate),
        shared.read_bytes(options.key),
        token=os.environ.get(TOKEN) or None,
    )
    settings = Settings(
        options.mode, options.mix, options.look_ahead, shared.chosen_style(options), options.fps, options.tolerance
    )
    threads = os.cpu_count() or 1
    recognizer = Recognizer(
        options.model or DEFAULT_MODEL, options.device, threads=1 if options.mode == "stream" else 0
    )
    voice = shared.chosen_voice(options, recognizer)
    given = voice.profile if isinstance(voice, VoiceLines) else voice
    limits = Limits()
    desk = Desk(recognizer, Voices(given, learn=options.learn_voice, limits=limits), settings, threads)

    def started(address: str, _: Relay) -> None:
        say(f"relaying from {address} to Audio2Face at {options.a2f}")
        if options.mode == "stream":
            say(f"sound leaves up to {settings.latency_seconds:.2f} s after it came, and a chunk of it as a whole")

    asyncio.run(serve(door, way, desk, limits, started, asyncio.Event()))
    return 0
