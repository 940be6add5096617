"""A folder of lines."""

from __future__ import annotations

import shutil
import time

import pytest

import dser_ext
from dser_ext.panel.batch import Batch
from dser_ext.panel.document import Document, open_session
from dser_ext.panel.service import Service


def run(batch: Batch) -> None:
    batch.run(Document(fps=24.0))
    until = time.monotonic() + 30
    while batch.running and time.monotonic() < until:
        batch.update()
        time.sleep(0.01)
    assert not batch.running


def test_every_line_gets_its_session_and_those_that_have_one_are_left_alone(running_service, tmp_path):
    for name in ("a.ogg", "b.ogg", "c.ogg"):
        shutil.copy(dser_ext.sample_line(), tmp_path / name)
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    (tmp_path / "c.dser.json").write_text("kept as it is")
    (tmp_path / "notes.txt").write_text("no line")
    batch = Batch(Service(running_service.target))
    batch.look(str(tmp_path))
    assert [(line.state) for line in batch.lines] == ["waiting", "waiting", "waiting", "kept"]
    run(batch)
    assert [line.state for line in batch.lines] == ["done", "done", "failed", "kept"]
    assert "bad.wav" in batch.lines[2].reason
    assert (tmp_path / "c.dser.json").read_text() == "kept as it is"
    assert open_session(tmp_path / "a.dser.json").fps == 24.0
    batch.close()


@pytest.mark.slow
def test_a_service_that_is_gone_stops_it_and_leaves_the_lines_waiting(tmp_path):
    shutil.copy(dser_ext.sample_line(), tmp_path / "a.ogg")
    batch = Batch(Service("127.0.0.1:9"))
    batch.look(str(tmp_path))
    run(batch)
    assert batch.lines[0].state == "waiting"
    assert "no service answers" in batch.problem
    batch.close()


def test_what_is_no_folder_is_told(tmp_path):
    batch = Batch(Service())
    batch.look(str(tmp_path / "nowhere"))
    assert "is no folder" in batch.problem
