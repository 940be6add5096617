"""dser export: write the model for another server."""

from __future__ import annotations

import argparse

from dser_ext.cli.messages import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--triton", required=True, metavar="DIR", help="a model repository for NVIDIA Triton, in a new folder"
    )
    parser.add_argument("--model", metavar="NAME|DIR", help="a shipped model or a model folder")


def run(options: argparse.Namespace) -> int:
    """Write it, and say what is in it."""
    from dser_ext.recognition.bundle import DEFAULT_MODEL, ModelBundle
    from dser_ext.recognition.triton import write_repository

    bundle = ModelBundle.open(options.model if options.model is not None else DEFAULT_MODEL)
    say(f"{options.triton}: {', '.join(write_repository(bundle, options.triton))}")
    return 0
