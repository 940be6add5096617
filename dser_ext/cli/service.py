"""dser service: start the service in the background, for the panel and other programs here; see how it is; stop it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from dser_ext.cli.messages import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("action", choices=["start", "status", "stop"], help="status exits with 1 if it does not run")
    parser.add_argument("--model", metavar="NAME|DIR", help="with start: a shipped model or a model folder")
    parser.add_argument("--json", action="store_true", help="print what is known as JSON, the token included")


def run(options: argparse.Namespace) -> int:
    """Do it, and say where the service is."""
    from dser_ext.client import launcher
    from dser_ext.client.runfolder import RunFolder

    folder = RunFolder()
    if options.action == "stop":
        say("stopped" if launcher.stop(folder=folder) else "the service does not run")
        return 0
    if options.action == "start":
        model = options.model
        place = str(Path(model).resolve()) if model is not None and Path(model).is_dir() else model
        running = launcher.start(["--model", place] if place else [], folder=folder)
    else:
        found = launcher.find(folder)
        if found is None:
            reason = launcher.why_not(folder)
            say(f"the service gave up: {reason}; its log is {folder.log}" if reason else "the service does not run")
            return 1
        running = found
    if options.json:
        print(json.dumps({"address": running.target, "token": running.token, "pid": running.pid}))
    else:
        print(f"{running.target}  process {running.pid}, restarts {running.restarts}, log {folder.log}")
    return 0
