"""Folders of real lines, and batches over them in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from made import VOICE, short_line

from dser_ext.batch.job import Job
from dser_ext.batch.lines import find
from dser_ext.batch.place import opened
from dser_ext.batch.run import Run, Summary
from dser_ext.batch.work import Outcome, Task, work_on
from dser_ext.recognition.recognizer import Recognizer


class AtOnce:
    """An engine without processes. heard: lines whose sound it has run the feature network over."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._done: list[Outcome] = []
        self.heard: list[str] = []
        self.told: list[str] = []
        self.closed = False
        self.before: Callable[[Task], None] = lambda _: None

    @property
    def room(self) -> int:
        return 1 - len(self._done)

    def submit(self, task: Task) -> None:
        self.before(task)
        if task.heard is None:
            self.heard.append(task.name)
        if task.results:
            self.told.append(task.name)
        self._done.append(work_on(task, self._recognizer))

    def wait(self) -> list[Outcome]:
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="session")
def recognizer() -> Recognizer:
    return Recognizer(device="cpu", threads=1)


@pytest.fixture
def lines(tmp_path) -> Path:
    """in/: anna/ has three short lines, ben/deep/ two, and one lies beside."""
    names = ["anna/1.wav", "anna/2.wav", "anna/3.wav", "ben/deep/1.wav", "ben/deep/2.wav", "alone.wav"]
    for name, source in zip(names, VOICE, strict=False):
        short_line(tmp_path / "in" / name, source)
    return tmp_path / "in"


@pytest.fixture
def batch(tmp_path, recognizer) -> Callable[..., tuple[Summary, AtOnce]]:
    """Runs a batch of `source` (in/) to out/: its summary and its engine."""

    def run(
        source: Path | str = tmp_path / "in",
        out: Path | str = tmp_path / "out",
        *,
        refresh_voices: bool = False,
        before: Callable[[Task], None] = lambda _: None,
        **settings: object,
    ) -> tuple[Summary, AtOnce]:
        engine = AtOnce(recognizer)
        engine.before = before
        found = find(str(source), without=str(out))
        with opened(str(out)) as ledger:
            batch = Run(Job(place=str(source), **settings), found, str(out), ledger, engine)
            batch.check()
            return batch.run(refresh_voices=refresh_voices), engine

    return run
