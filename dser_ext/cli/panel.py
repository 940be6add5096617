"""dser panel: the Auto-emote panel in a window of its own, to try it without Omniverse."""

from __future__ import annotations

import argparse

from dser_ext.errors import DserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("line", nargs="?", metavar="AUDIO", help="a line of speech, or a session that the panel saved")
    parser.add_argument(
        "--service",
        default="",
        metavar="HOST:PORT",
        help="of a service elsewhere (default: this user's own, if need be started)",
    )


def run(options: argparse.Namespace) -> int:
    """Show it until it is closed."""
    try:
        from dser_ext.panel.alone import run as show
    except ImportError as error:
        raise DserError(f"the panel cannot be shown: {_remedy(error)}") from error
    try:
        show(options.line, options.service)
    except RuntimeError as error:
        raise DserError(f"the panel cannot be shown: {error}; it needs a screen and a Vulkan driver") from error
    return 0


def _remedy(error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "omni":
        return "omni.ui is not installed; with Python 3.12, pip install 'dser-audio2face[panel]'"
    return f"omni.ui cannot be loaded ({error}); install what it names (libcuda.so.1 comes with NVIDIA's driver)"
