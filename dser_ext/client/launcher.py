"""Starts, finds and stops the service of this machine's user, for the panel and for `dser service`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from dser_ext.client.runfolder import GAVE_UP, RUNNING, RunFolder, State
from dser_ext.errors import ServiceError

PYTHON = "DSER_PYTHON"
"""Environment variable with the Python that dser is installed in, where this one lacks what the service needs."""

START_SECONDS, STOP_SECONDS = 60.0, 60.0
POLL_SECONDS = 0.05
NEEDED = ("onnxruntime", "soundfile")  # by the service, and not there in Kit


def find(folder: RunFolder | None = None) -> State | None:
    """The service if it is ready, else None. Raises ServiceError for a folder that cannot be used."""
    folder = folder or RunFolder()
    state = folder.read()
    return state if state is not None and state.state == RUNNING and folder.alive else None


def why_not(folder: RunFolder | None = None) -> str:
    """Why the service gave up; "" if it did not."""
    state = (folder or RunFolder()).read()
    return state.reason if state is not None and state.state == GAVE_UP else ""


def start(
    arguments: Sequence[str] = (), *, folder: RunFolder | None = None, timeout_seconds: float = START_SECONDS
) -> State:
    """The service that runs, started if need be; it stays when this process ends.

    arguments: of `dser serve`, such as --model. Raises ServiceError if it does not become ready.
    """
    folder = folder or RunFolder()
    if (running := find(folder)) is not None:
        return running
    with folder.held() as ours:
        if ours:
            folder.clear()  # what a dead one left would pass for another's
    supervisor = _supervise(folder, arguments) if ours else None
    latest = time.monotonic() + timeout_seconds
    while time.monotonic() < latest:
        if (running := find(folder)) is not None:
            return running
        if supervisor is not None and supervisor.poll() is not None and not folder.alive:
            raise ServiceError(f"the service cannot be started: {why_not(folder) or 'its supervisor ended'}")
        time.sleep(POLL_SECONDS)
    raise ServiceError(f"the service is not ready after {timeout_seconds:g} s; see {folder.log}")


def stop(*, folder: RunFolder | None = None, timeout_seconds: float = STOP_SECONDS) -> bool:
    """End the service, which first ends its calls; whether there was one. Raises ServiceError if it does not end."""
    folder = folder or RunFolder()
    latest = time.monotonic() + timeout_seconds
    was = folder.alive
    while folder.alive:
        folder.ask_to_stop()
        if time.monotonic() > latest:
            raise ServiceError(f"the service has not ended after {timeout_seconds:g} s; see {folder.log}")
        time.sleep(POLL_SECONDS)
    with folder.held() as ours:
        if ours:
            folder.remove()
    return was


def _supervise(folder: RunFolder, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a supervisor that belongs to nobody's terminal."""
    python = _python()
    detached = ("DETACHED_PROCESS", "CREATE_NEW_PROCESS_GROUP")  # of Windows; not tried there
    # An application's own paths, Kit's for one, are not for another Python.
    own = {"PYTHONPATH", "PYTHONHOME"} if python != sys.executable else set()
    try:
        return subprocess.Popen(
            [python, "-m", "dser_ext.client.supervisor", str(folder.path), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder.path,
            env={name: value for name, value in os.environ.items() if name not in own},
            start_new_session=sys.platform != "win32",
            creationflags=sum(getattr(subprocess, flag, 0) for flag in detached),
        )
    except OSError as error:
        reason = f"{python}: cannot be run ({error.strerror}); set {PYTHON} to the Python that dser is installed in"
        raise ServiceError(reason) from error


def _python() -> str:
    """The Python to run the service with. Raises ServiceError if none is known."""
    if own := os.environ.get(PYTHON):
        return own
    if all(find_spec(name) for name in NEEDED):
        return sys.executable
    name, programs = ("python.exe", "Scripts") if sys.platform == "win32" else ("python", "bin")
    found = [Path(__file__).resolve().parents[2] / ".venv" / programs / name]  # where `bootstrap.py kit` puts it
    if program := shutil.which("dser"):
        found.append(Path(program).resolve().with_name(name))
    for python in found:
        if python.exists():
            return str(python)
    raise ServiceError(
        f"dser is not installed for this application; run `python bootstrap.py kit` in its folder, or set {PYTHON} to "
        "the Python that it is installed in"
    )
