"""The local service is started once, found, restarted when it crashes, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dser_ext.client import Client, ListModels, launcher
from dser_ext.client.runfolder import GAVE_UP, RUN_DIR, RUNNING, RunFolder, State
from dser_ext.client.supervisor import FOREIGN
from dser_ext.errors import ServiceError

PATIENCE_SECONDS = 30
posix = pytest.mark.skipif(os.name != "posix", reason="the modes of files and signals are those of POSIX")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    made = RunFolder(tmp_path / "run")
    yield made
    launcher.stop(folder=made)


def within(condition: Callable[[], object]) -> bool:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return False


def servers(folder: RunFolder) -> list[int]:
    """The processes of the service that this folder's supervisor started."""
    state = folder.read()
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(state.pid)], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in children.stdout.split()]


def works(state: State) -> bool:
    with Client(state.address) as client:
        return client.call(ListModels())[0].name == "dser-base"


@pytest.mark.slow
def test_it_is_started_found_and_stopped_and_nothing_is_left(folder: RunFolder) -> None:
    assert launcher.find(folder) is None
    running = launcher.start(folder=folder)
    assert works(running)
    assert launcher.find(folder) == launcher.start(folder=folder) == running
    assert launcher.stop(folder=folder)
    assert not launcher.stop(folder=folder)
    assert launcher.find(folder) is None
    assert list(folder.path.iterdir()) == []
    assert within(lambda: not alive(running.pid))


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


@pytest.mark.slow
@posix
def test_what_it_leaves_while_it_runs_is_its_users_alone(folder: RunFolder) -> None:
    launcher.start(folder=folder)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.path.iterdir()} == {0o600}
    running = launcher.find(folder)
    command = Path(f"/proc/{running.pid}/cmdline").read_text()
    assert running.token not in command + "".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in servers(folder))


@pytest.mark.slow
def test_of_two_starts_at_once_one_service_comes(folder: RunFolder) -> None:
    with ThreadPoolExecutor(2) as starters:
        first, second = starters.map(lambda _: launcher.start(folder=folder), range(2))
    assert first == second
    assert works(first)
    launcher.stop(folder=folder)
    time.sleep(3)  # the one that came too late does not take its place
    assert not folder.alive


@pytest.mark.slow
def test_it_is_not_set_up_as_a_service_for_others_is(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSER_LISTEN", "0.0.0.0:50061")
    for name in FOREIGN:
        monkeypatch.setenv(name, "nothing.pem")
    assert works(launcher.start(folder=folder))


@pytest.mark.slow
@posix
def test_a_service_that_crashes_comes_back(folder: RunFolder) -> None:
    before = launcher.start(folder=folder)
    (server,) = servers(folder)
    os.kill(server, signal.SIGKILL)
    assert within(lambda: (now := launcher.find(folder)) is not None and now.restarts == 1)
    after = launcher.find(folder)
    assert (after.token, after.pid) == (before.token, before.pid)
    assert works(after)


@pytest.mark.slow
@posix
def test_the_service_does_not_outlive_its_supervisor_and_the_next_start_works(folder: RunFolder) -> None:
    before = launcher.start(folder=folder)
    (server,) = servers(folder)
    os.kill(before.pid, signal.SIGKILL)
    assert within(lambda: not alive(server))
    assert launcher.find(folder) is None
    after = launcher.start(folder=folder)
    assert after.pid != before.pid
    assert works(after)


@pytest.mark.slow
def test_what_cannot_start_says_why_and_does_not_try_for_ever(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"cannot be started: .*no model here"):
        launcher.start(["--model", str(tmp_path)], folder=folder)
    assert "no model here" in launcher.why_not(folder)
    assert works(launcher.start(folder=folder))
    assert launcher.why_not(folder) == ""


@pytest.mark.slow
@posix
def test_a_service_that_crashes_too_often_is_given_up(folder: RunFolder) -> None:
    code = (
        "import sys; from pathlib import Path; from dser_ext.client import supervisor as s;"
        "s.MOST_RESTARTS, s.BACK_OFF_SECONDS = 1, 0.01; s.supervise(s.RunFolder(Path(sys.argv[1])), [])"
    )
    running = subprocess.Popen([sys.executable, "-c", code, str(folder.path)])
    for restarts in range(2):
        assert within(lambda restarts=restarts: (now := launcher.find(folder)) and now.restarts == restarts)
        (server,) = servers(folder)
        os.kill(server, signal.SIGKILL)
    assert running.wait(PATIENCE_SECONDS) == 0
    assert folder.read().state == GAVE_UP
    assert "crashed 2 times" in launcher.why_not(folder)


@pytest.mark.slow
def test_it_outlives_who_started_it(folder: RunFolder) -> None:
    code = "from dser_ext.client import launcher; print(launcher.start().target)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, RUN_DIR: str(folder.path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    assert launcher.find(folder).target == done.stdout.strip()


@pytest.mark.slow
def test_the_command_starts_tells_and_stops(folder: RunFolder) -> None:
    def dser(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dser_ext.cli.main", "service", *arguments]
        environment = {**os.environ, RUN_DIR: str(folder.path)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert dser("status").returncode == 1
    started = json.loads(dser("start", "--json").stdout)
    assert started == json.loads(dser("status", "--json").stdout)
    assert works(launcher.find(folder))
    assert (dser("stop").returncode, dser("status").returncode) == (0, 1)


def test_a_state_that_nobody_holds_is_stale(folder: RunFolder) -> None:
    folder.write(State(RUNNING, "127.0.0.1:1", "token", pid=os.getpid()))
    assert launcher.find(folder) is None


def test_only_one_holds_the_lock(folder: RunFolder) -> None:
    with folder.held() as first, folder.held() as second:
        assert (first, second) == (True, False)
        assert folder.alive
    assert not folder.alive


@posix
def test_a_folder_that_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(ServiceError, match="others can read it"):
        RunFolder(tmp_path / "open")


@pytest.mark.parametrize("written", ["", "[]", '{"schema": "dser.service/1", "more": 1}', '{"schema": "other"}'])
def test_a_state_that_is_none_is_one_sentence(folder: RunFolder, written: str) -> None:
    (folder.path / "service.json").write_text(written)
    with pytest.raises(ServiceError, match="cannot be read; remove it"):
        folder.read()
    (folder.path / "service.json").unlink()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServiceError, match=f"set {RUN_DIR} to another folder"):
        RunFolder(tmp_path / "file" / "run")


def test_a_python_that_is_none_is_one_sentence(folder: RunFolder, monkeypatch) -> None:
    monkeypatch.setenv(launcher.PYTHON, "/no/python")
    with pytest.raises(ServiceError, match="/no/python: cannot be run"):
        launcher.start(folder=folder)
