"""The part of dser push that is about the older Omniverse Audio2Face app."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from dser_ext.cli import options as shared
from dser_ext.cli.messages import say
from dser_ext.emotion.keyframes import Keyframes

if TYPE_CHECKING:
    from dser_ext.audio2face.app import App

_FOR_A2F = ("format", "config", "tls", "root_certificate", "client_certificate", "client_key", "function_id")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--app and what goes with it."""
    app = parser.add_argument_group(
        "the older Omniverse Audio2Face app", "in place of --a2f; not tried on the app itself"
    )
    app.add_argument(
        "--app",
        metavar="http://HOST:8011",
        help="its REST service: the line, which must be a WAV file, goes on its player, and the keys to its face",
    )
    app.add_argument(
        "--app-usd",
        metavar="SCENE.usd",
        help="write the keys over a scene saved from it, into the new scene -o KEYED.usda, instead of by REST",
    )
    app.add_argument(
        "--app-player",
        metavar="HOST:50051",
        help="its streaming player, which speaks the line at once, instead of the player that is set by REST",
    )
    app.add_argument(
        "--instance",
        metavar="PATH",
        help="the face in its scene, where there are several; with --app-usd, PRIM.ATTRIBUTE names where keys go",
    )
    app.add_argument("--player", metavar="PATH", help="the player in its scene, where there are several")


def wanted(options: argparse.Namespace) -> bool:
    """Whether the line is for the older app; a usage error where it is for both or for none."""
    app = [
        name for name in ("app", "app_usd", "app_player", "instance", "player") if getattr(options, name) is not None
    ]
    if options.a2f is not None:
        if app:
            options.usage_error(f"argument --{app[0].replace('_', '-')}: not allowed with argument --a2f")
        return False
    if nim := [name for name in _FOR_A2F if getattr(options, name)]:
        options.usage_error(f"argument --{nim[0].replace('_', '-')}: allowed with argument --a2f alone")
    if options.app is None and options.app_usd is None:
        options.usage_error("one of the arguments --a2f, --app, --app-usd is required")
    if None not in (options.app, options.app_usd, options.app_player):
        options.usage_error("--app has nothing to do beside --app-usd and --app-player; leave it out")
    return True


def run(options: argparse.Namespace, keyframes: Callable[[argparse.Namespace], Keyframes]) -> int:
    """Load the line, write its keys. What can be wrong with app and sound is looked at before any recognition."""
    _check_output(options)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC's own notes on stderr are not the user's
    app = _app(options)
    speak = _speaker(options, app)
    keys = keyframes(options)
    with nullcontext() if app is None else app.quiet():
        if options.app_usd is not None:
            _write_scene(options, keys)
        if app is not None and speak is None:
            say(f"{options.audio}: is on {app.load_track(options.audio)} of {app.url}")
        if app is not None and options.app_usd is None:
            written, before = app.replace_keys(keys)
            say(f"{app.instance}: {written} emotion keys" + (f" in place of {before}" if before else ""))
    if speak is not None:
        speak()
    return 0


def _check_output(options: argparse.Namespace) -> None:
    if options.app_usd is None:
        if options.output is not None:
            options.usage_error("argument -o/--output: not allowed with argument --app, which writes no file")
        return
    if options.output is None:
        options.usage_error("the following arguments are required: -o/--output")
    if Path(options.output).suffix.lower() != ".usda":
        options.usage_error(f"-o {options.output}: a keyed scene ends in .usda")
    inputs = [options.audio, options.track, options.style, options.voice, options.app_usd]
    shared.check_outputs(options, [Path(options.output)], inputs)


def _app(options: argparse.Namespace) -> App | None:
    """The app that --app names, with a scene to work in."""
    if options.app is None:
        return None
    from dser_ext.audio2face.app import App, check_track

    if options.app_player is None:
        check_track(options.audio)
    instance = options.instance
    if options.app_usd is not None and instance is not None:
        instance = instance.partition(".")[0]  # the attribute is of no matter here
    return App(options.app, instance, options.player, timeout_seconds=options.timeout)


def _speaker(options: argparse.Namespace, app: App | None) -> Callable[[], None] | None:
    """What has the line spoken by --app-player, once its keys are there; None without --app-player."""
    if options.app_player is None:
        return None
    from dser_ext.audio import read
    from dser_ext.audio2face.app_player import STREAMING_PLAYER, check_player_address, play

    check_player_address(options.app_player)
    player = app.player(streaming=True) if app is not None else options.player or STREAMING_PLAYER
    sound = read(options.audio)

    def speak() -> None:
        play(sound, options.app_player, player, timeout_seconds=options.timeout)
        say(f"{options.audio}: is spoken by {player} of {options.app_player}")

    return speak


def _write_scene(options: argparse.Namespace, keys: Keyframes) -> None:
    from dser_ext.audio2face.app_usd import write_keyed_scene

    place = write_keyed_scene(keys, options.app_usd, options.output, options.instance)
    say(f"{options.output}: {len(keys.times)} emotion keys on {place}")
