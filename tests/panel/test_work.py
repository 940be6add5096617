"""Threads that the UI never waits for."""

from __future__ import annotations

import threading
import time

from dser_ext.panel.work import Worker


def fetched(worker: Worker, seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if worker.fetch():
            return True
        time.sleep(0.005)
    return False


def test_a_result_follows_in_the_thread_that_fetches():
    worker, said = Worker(), []
    worker.start("a", lambda _: threading.get_ident(), lambda other: said.append((other, threading.get_ident())), print)
    assert worker.task("a") is not None
    assert fetched(worker)
    ((there, here),) = said
    assert here == threading.get_ident() != there
    assert worker.task("a") is None


def test_what_fails_is_told():
    worker, said = Worker(), []

    def fail(_: object) -> None:
        raise ValueError("no")

    worker.start("a", fail, print, lambda error: said.append(str(error)))
    assert fetched(worker)
    assert said == ["no"]


def test_a_second_task_of_a_name_takes_the_place_of_the_first():
    worker, said, go_on = Worker(), [], threading.Event()
    worker.start("a", lambda _: go_on.wait(5), lambda _: said.append("first"), print)
    worker.start("a", lambda _: None, lambda _: said.append("second"), print)
    go_on.set()
    assert fetched(worker)
    worker.close()
    worker.fetch()
    assert said == ["second"]


def test_what_is_cancelled_stops_at_its_next_report():
    worker, ended = Worker(), threading.Event()

    def work(task) -> None:
        try:
            while True:
                task.report("on", 0, 0)
                time.sleep(0.001)
        finally:
            ended.set()

    worker.start("a", work, print, print)
    worker.cancel("a")
    assert ended.wait(5)
    assert not worker.fetch()


def test_closing_leaves_no_thread():
    worker = Worker()

    def work(task) -> None:
        while True:
            task.report("on", 0, 0)
            time.sleep(0.001)

    for name in "abc":
        worker.start(name, work, print, print)
    worker.close()
    assert not [thread for thread in threading.enumerate() if thread.name in ("dser a", "dser b", "dser c")]
