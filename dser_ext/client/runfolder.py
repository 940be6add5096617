"""The private folder of the local service: what is known of it, the lock that its supervisor holds, and its log.

Whether a service runs is decided by the lock alone, which the system takes from a process that ends, however it ends;
numbers of processes are used again and decide nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from dser_ext.client.address import Address
from dser_ext.errors import ServiceError

SCHEMA = "dser.service/1"
RUN_DIR = "DSER_RUN_DIR"
"""Environment variable with another folder than the usual one."""

STARTING, RUNNING, GAVE_UP = "starting", "running", "gave up"


@dataclass(frozen=True)
class State:
    """What is known of the service. state: STARTING, RUNNING or GAVE_UP; reason: why it gave up."""

    state: str
    target: str = ""
    token: str = ""
    pid: int = 0  # of the supervisor; for people alone
    restarts: int = 0
    reason: str = ""

    @property
    def address(self) -> Address:
        """For a client."""
        return Address(self.target, token=self.token)


class RunFolder:
    """The folder, made if need be. Raises ServiceError if it cannot be made, or is not this user's alone."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or _usual()
        self.log = self.path / "service.log"
        self._state, self._lock, self._stop = (self.path / name for name in ("service.json", "lock", "stop"))
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.path.stat()
        except OSError as error:
            raise ServiceError(
                f"{self.path}: cannot be used ({error.strerror}); set {RUN_DIR} to another folder"
            ) from error
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077):
            raise ServiceError(f"{self.path}: others can read it; remove it, or set {RUN_DIR} to another folder")

    def read(self) -> State | None:
        """What was written last. Raises ServiceError if that cannot be read."""
        try:
            document = json.loads(self._state.read_text(encoding="utf-8"))
            if document.pop("schema") != SCHEMA:
                raise ValueError
            return State(**document)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ServiceError(f"{self._state}: cannot be read; remove it, then start the service anew") from error

    def write(self, state: State) -> None:
        """Whole, for this user's eyes alone."""
        beside = self.path / f".{secrets.token_hex(4)}.part"
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump({"schema": SCHEMA, **asdict(state)}, file)
        beside.replace(self._state)

    def ask_to_stop(self) -> None:
        """Tell the supervisor to end."""
        self._stop.touch(mode=0o600)

    @property
    def asked_to_stop(self) -> bool:
        return self._stop.exists()

    @property
    def alive(self) -> bool:
        """Whether a supervisor runs."""
        with self.held() as ours:
            return not ours

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the lock while the block runs; whether that could be had."""
        file = self._locked()
        try:
            yield file is not None
        finally:
            if file is not None:
                file.close()

    def clear(self) -> None:
        """Remove what a service left, but for the log where it gave up. Only for who holds the lock."""
        for path in (self._stop, self._state):
            path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Leave nothing behind. Only for who holds the lock."""
        self.clear()
        for path in (self.log, rotated(self.log), self._lock):
            with contextlib.suppress(OSError):  # on Windows the lock stays while it is held
                path.unlink(missing_ok=True)

    def _locked(self) -> IO[Any] | None:
        while True:
            file = os.fdopen(os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600), "r+")
            try:
                _lock(file.fileno())
            except OSError:
                file.close()
                return None
            with contextlib.suppress(OSError):
                if os.path.sameopenfile(file.fileno(), again := os.open(self._lock, os.O_RDWR)):
                    os.close(again)
                    return file
                os.close(again)
            file.close()  # whoever held it has removed it meanwhile


def rotated(log: Path) -> Path:
    """Where a log goes that has become too long."""
    return log.with_name(f"{log.name}.1")


def _lock(descriptor: int) -> None:
    """Raises OSError if another process has it."""
    if sys.platform == "win32":  # from its documentation; not tried on Windows
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _usual() -> Path:
    if own := os.environ.get(RUN_DIR):
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "dser"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime or Path.home() / ".local" / "state") / "dser"
