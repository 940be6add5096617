"""The folder that results go to, opened by one run alone: its ledger, and the lock that keeps a second run out."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from dser_ext.batch.ledger import Ledger
from dser_ext.batch.store import file_system, first_line, is_remote, joined
from dser_ext.errors import DserError

FOLDER, LEDGER, LOCK = ".dser", "ledger.sqlite", "lock"
SNAPSHOT_SECONDS = 30.0  # at least, between two copies of the ledger to a store, and between two signs of life
SNAPSHOT_SHARE = 20  # times what a copy takes, at least: one of a million lines has 12 GB
DEAD_SECONDS = 120.0  # without a sign of life, a run on a store counts as gone


@contextmanager
def opened(out: str) -> Iterator[Ledger]:
    """The ledger of an output folder or URL, for one run. Raises DserError if another has it, or it cannot be used."""
    if is_remote(out):
        with _opened_in_store(out) as ledger:
            yield ledger
        return
    from filelock import FileLock, Timeout

    folder = Path(out, FOLDER)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise DserError(f"{out}: another run writes there; wait for it, or choose another output folder") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DserError(f"{out}: cannot be written to ({reason}); check the folder and its permissions") from error
    try:
        with closing(Ledger(folder / LEDGER)) as ledger:
            yield ledger
    finally:
        lock.release()


@contextmanager
def read_only(out: str) -> Iterator[Ledger]:
    """The ledger of an output folder or URL, to be read, even while a run goes on there. Raises DserError if none."""
    if not is_remote(out):
        path = Path(out, FOLDER, LEDGER)
        if not path.is_file():
            raise DserError(f"{out}: no run of dser batch has written there; name its output folder")
        with closing(Ledger(path, reading=True)) as ledger:
            yield ledger
        return
    with tempfile.TemporaryDirectory(prefix="dser-") as folder:
        path = Path(folder, LEDGER)
        if not _fetch(out, path):
            raise DserError(f"{out}: no run of dser batch has written there; name the URL of its output")
        with closing(Ledger(path, reading=True)) as ledger:
            yield ledger


@contextmanager
def _opened_in_store(out: str) -> Iterator[Ledger]:
    """A store keeps no SQLite file open: the ledger is worked on here, and a copy goes there again and again."""
    system, lock = file_system(joined(out, f"{FOLDER}/{LOCK}"))
    mine = secrets.token_hex(8)
    _take_lock(system, lock, mine, out)
    with tempfile.TemporaryDirectory(prefix="dser-") as folder:
        path = Path(folder, LEDGER)
        _fetch(out, path)
        ledger = Ledger(path)
        seen = copied = time.monotonic()
        took = 0.0

        def copy(now: bool = False) -> None:
            nonlocal copied, took
            began = time.monotonic()
            if not now and began - copied < max(SNAPSHOT_SECONDS, took * SNAPSHOT_SHARE):
                return
            _put(out, path)
            for voice in (path.parent / "voices").glob("*.voice"):
                _put(out, voice, f"voices/{voice.name}")
            copied = time.monotonic()
            took = copied - began

        def keep() -> None:
            nonlocal seen
            if time.monotonic() - seen > SNAPSHOT_SECONDS:
                _sign_of_life(system, lock, mine, out, 2 * took)
                seen = time.monotonic()
            copy()

        ledger.after_commit = keep
        try:
            yield ledger
        finally:
            ledger.after_commit = None
            ledger.close()
            copy(now=True)
            with suppress(Exception):
                system.rm_file(lock)


def _take_lock(system: Any, lock: str, mine: str, out: str) -> None:
    """Stores have no locks: whoever wrote last and is alive has the place. Two that begin at once may err."""
    _, alive = _holder(system, lock, out)
    if time.time() - alive < DEAD_SECONDS:
        raise DserError(
            f"{out}: another run writes there (or was killed less than {DEAD_SECONDS / 60:g} minutes ago); "
            "wait for it, or choose another output"
        )
    _sign_of_life(system, lock, mine, out, 0.0)
    if _holder(system, lock, out)[0] != mine:
        raise DserError(f"{out}: another run has just begun to write there; wait for it, or choose another output")


def _holder(system: Any, lock: str, out: str) -> tuple[str, float]:
    """Which run has the place, and when it last said so; none, long ago, if that cannot be told from what is there."""
    try:
        said = json.loads(system.cat_file(lock))
        return str(said["run"]), float(said["alive"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return "", 0.0
    except Exception as error:  # each store has its own
        raise DserError(f"{out}: cannot be read ({first_line(error)}); check the URL and the rights") from error


def _sign_of_life(system: Any, lock: str, mine: str, out: str, silent_seconds: float) -> None:
    """silent_seconds: how long the run may say nothing now, because it copies a large ledger."""
    try:
        system.makedirs(os.path.dirname(lock), exist_ok=True)  # noqa: PTH120
        system.pipe_file(lock, json.dumps({"run": mine, "alive": time.time() + silent_seconds}).encode())
    except Exception as error:  # each store has its own
        raise DserError(f"{out}: cannot be written to ({first_line(error)}); check the URL and the rights") from error


def _fetch(out: str, path: Path) -> bool:
    system, inside = file_system(joined(out, f"{FOLDER}/{LEDGER}"))
    try:
        system.get_file(inside, str(path))
    except FileNotFoundError:
        return False
    except Exception as error:
        raise DserError(
            f"{out}: its ledger cannot be read ({first_line(error)}); check the URL and the rights"
        ) from error
    return True


def _put(out: str, path: Path, name: str = LEDGER) -> None:
    system, inside = file_system(joined(out, f"{FOLDER}/{name}"))
    try:
        system.put_file(str(path), inside)
    except Exception as error:
        raise DserError(f"{out}: its ledger cannot be stored ({first_line(error)}); check the rights") from error
