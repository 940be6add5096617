"""Workers are processes: what one line does to its own, no other line feels."""

from __future__ import annotations

import os
import signal
import textwrap
from pathlib import Path

import pytest
from made import VOICE, short_line

from dser_ext.batch.work import Outcome, Task
from dser_ext.batch.workers import Workers
from dser_ext.errors import DserError
from dser_ext.recognition.bundle import DEFAULT_MODEL

POISON = """
import os, time
try:
    import soundfile
except ImportError:
    pass
else:
    whole = soundfile.SoundFile

    class Decoder(whole):
        def __init__(self, file, *arguments, **settings):
            start = file.read(12)
            file.seek(0)
            if start.startswith(b"CRASH"):
                os.abort()
            if start.startswith(b"EXIT"):
                os._exit(7)
            if start.startswith(b"HANG"):
                time.sleep(600)
            super().__init__(file, *arguments, **settings)

    soundfile.SoundFile = Decoder
"""


@pytest.fixture
def poison(tmp_path, monkeypatch) -> None:
    """In the workers' processes the decoder crashes, ends the process, or never comes back, as a file demands."""
    (tmp_path / "poison").mkdir()
    (tmp_path / "poison" / "sitecustomize.py").write_text(textwrap.dedent(POISON))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "poison"))


def run(workers: Workers, tasks: list[Task], then=lambda _: None) -> dict[str, Outcome]:
    """All outcomes by name, each once."""
    waiting, outcomes = list(tasks), {}
    try:
        while len(outcomes) < len(tasks):
            while waiting and workers.room > 0:
                workers.submit(waiting.pop(0))
            for outcome in workers.wait():
                assert outcome.name not in outcomes
                outcomes[outcome.name] = outcome
                then(workers)
    finally:
        workers.close()
    return outcomes


def tasks_in(folder: Path, count: int) -> list[Task]:
    paths = [short_line(folder / f"{number}.wav", VOICE[number % len(VOICE)]) for number in range(count)]
    return [Task(path.stem, str(path), results={"json": str(folder / "out" / f"{path.stem}.json")}) for path in paths]


def test_each_line_is_done_once(tmp_path):
    tasks = tasks_in(tmp_path, 8)
    outcomes = run(Workers(2, DEFAULT_MODEL), tasks)
    assert all(outcome.error is None and outcome.statistics for outcome in outcomes.values())
    assert len(list((tmp_path / "out").iterdir())) == 8


@pytest.mark.usefixtures("poison")
@pytest.mark.parametrize(
    ("content", "said"), [(b"CRASH", "it ended by SIGABRT"), (b"EXIT", "it ended with exit code 7")]
)
def test_a_line_that_takes_its_worker_down_is_given_up_and_no_other(tmp_path, content, said):
    tasks = tasks_in(tmp_path, 6)
    for place, name in ((0, "first"), (3, "middle")):
        (tmp_path / f"{name}.wav").write_bytes(content)
        tasks.insert(place, Task(name, str(tmp_path / f"{name}.wav"), results={"json": str(tmp_path / "never.json")}))
    outcomes = run(Workers(2, DEFAULT_MODEL), tasks)
    failed = {name: outcome.error for name, outcome in outcomes.items() if outcome.error}
    assert set(failed) == {"first", "middle"}
    assert all(said in error and ".wav: took down every worker that tried it" in error for error in failed.values())
    assert not (tmp_path / "never.json").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("poison")
def test_a_line_that_never_comes_back_is_ended(tmp_path):
    tasks = tasks_in(tmp_path, 3)
    (tmp_path / "hang.wav").write_bytes(b"HANG")
    tasks.insert(1, Task("hang", str(tmp_path / "hang.wav"), results={"json": str(tmp_path / "never.json")}))
    outcomes = run(Workers(1, DEFAULT_MODEL, silence_seconds=1.5), tasks)
    assert "made no progress" in outcomes["hang"].error
    assert [name for name, outcome in outcomes.items() if outcome.error] == ["hang"]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are of POSIX")
def test_a_worker_that_the_system_kills_is_replaced(tmp_path):
    killed = []

    def kill(workers: Workers) -> None:
        if len(killed) < 2:
            killed.append(workers._workers[0].process.pid)
            os.kill(killed[-1], signal.SIGKILL)

    outcomes = run(Workers(1, DEFAULT_MODEL), tasks_in(tmp_path, 5), kill)
    assert len(set(killed)) == 2
    assert not [outcome for outcome in outcomes.values() if outcome.error]


def test_a_model_that_cannot_be_loaded_is_said_in_one_sentence(tmp_path):
    with pytest.raises(DserError, match="nowhere: no such model"):
        run(Workers(1, str(tmp_path / "nowhere")), tasks_in(tmp_path, 1))


@pytest.mark.slow
def test_workers_that_cannot_even_start_are_no_endless_loop(tmp_path, monkeypatch):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sitecustomize.py").write_text("import os; os._exit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    with pytest.raises(DserError, match="workers end before they begin"):
        run(Workers(1, DEFAULT_MODEL), tasks_in(tmp_path, 1))
