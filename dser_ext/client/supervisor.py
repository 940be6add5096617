"""python -m dser_ext.client.supervisor FOLDER [OPTIONS OF DSER SERVE]: keeps the local service running.

It holds the folder's lock, starts `dser serve` on a free port with a token of its own, notes where it listens, keeps
its log, and starts it again when it crashes, a few times. The service's standard input is a pipe from here: it ends
when that closes, so it never outlives its supervisor.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

from dser_ext.client.runfolder import GAVE_UP, RUNNING, STARTING, RunFolder, State, rotated
from dser_ext.messages import TOKEN

MOST_RESTARTS, WITHIN_SECONDS = 5, 600.0
BACK_OFF_SECONDS = 0.5  # before the first restart; twice as long before each further one
DRAIN_SECONDS = 40.0  # that the service has to end
POLL_SECONDS = 0.1
LOCK_SECONDS = 2.0  # of trying: others hold the lock for a moment to see whether it is held
LOG_BYTES = 1 << 20
FOREIGN = {"DSER_CONFIG", "DSER_CERTIFICATE", "DSER_KEY", "DSER_METRICS"}
"""Variables with options of a service that others call; with them, clients here would not find this one."""


def supervise(folder: RunFolder, arguments: list[str]) -> None:
    """Until the service is asked to stop or has crashed too often. Does nothing where another supervisor runs."""
    latest = time.monotonic() + LOCK_SECONDS
    while True:
        with folder.held() as ours:
            if ours:
                folder.clear()
                if _run(folder, arguments):
                    folder.remove()
                return
        if folder.read() is not None or time.monotonic() > latest:
            return  # another one runs, and will have ended for good when it has
        time.sleep(POLL_SECONDS)


def _run(folder: RunFolder, arguments: list[str]) -> bool:
    """Whether it ended because it was asked to."""
    state = State(STARTING, token=secrets.token_urlsafe(32), pid=os.getpid())
    folder.write(state)
    crashes: deque[float] = deque()
    while True:
        service = _Service(folder, arguments, state)
        if service.wait():
            return True
        crashes.append(time.monotonic())
        while crashes[0] < crashes[-1] - WITHIN_SECONDS:
            crashes.popleft()
        if not service.was_ready or len(crashes) > MOST_RESTARTS:
            often = f"crashed {len(crashes)} times: " if service.was_ready else ""
            folder.write(replace(state, state=GAVE_UP, reason=f"{often}{service.last_line}"))
            return False
        state = replace(state, restarts=state.restarts + 1)
        folder.write(state)
        if _asked_within(folder, BACK_OFF_SECONDS * 2 ** (len(crashes) - 1)):
            return True


def _asked_within(folder: RunFolder, seconds: float) -> bool:
    latest = time.monotonic() + seconds
    while time.monotonic() < latest:
        if folder.asked_to_stop:
            return True
        time.sleep(POLL_SECONDS)
    return False


class _Service:
    """One run of dser serve. was_ready: whether it ever listened. last_line: of what it said."""

    def __init__(self, folder: RunFolder, arguments: list[str], state: State) -> None:
        self._folder, self._state = folder, state
        self.was_ready, self.last_line = False, "it said nothing"
        listening = ["--listen", "127.0.0.1:0", "--log-format", "json", "--while-stdin"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dser_ext.cli.main", "serve", *arguments, *listening],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**{name: value for name, value in os.environ.items() if name not in FOREIGN}, TOKEN: state.token},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self) -> bool:
        """Until it ends, or is asked to; whether it was."""
        while self._process.poll() is None:
            if self._folder.asked_to_stop:
                self._end()
                return True
            time.sleep(POLL_SECONDS)
        self._reader.join(1)
        return self._folder.asked_to_stop

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for data in self._process.stderr:
            line = data.decode(errors="replace").rstrip()
            self.last_line = line or self.last_line
            self._log(line)
            if not self.was_ready and (target := _listening(line)):
                self.was_ready = True
                self._folder.write(replace(self._state, state=RUNNING, target=target))

    def _log(self, line: str) -> None:
        log = self._folder.log
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(rotated(log))
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def _listening(line: str) -> str:
    """Where the service says that it listens, if it does."""
    try:
        said = json.loads(line)
    except ValueError:
        return ""
    return str(said["address"]) if isinstance(said, dict) and said.get("event") == "listening" else ""


if __name__ == "__main__":
    supervise(RunFolder(Path(sys.argv[1])), sys.argv[2:])
