"""dser bench: figures that a user can send."""

from __future__ import annotations

import json

import pytest

from dser_ext.cli import bench


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "LENGTHS", (1, 2))
    monkeypatch.setattr(bench, "RUNS", 1)


def test_it_prints_what_was_measured_on_what(dser) -> None:
    done = dser("bench", "--device", "cpu")
    assert done.code == 0
    assert not done.lines
    assert "device     cpu" in done.out
    header, *rows = done.out.splitlines()[-3:]
    assert header.split()[:2] == ["line", "cpu,"]
    assert [row.split()[:2] for row in rows] == [["1", "s"], ["2", "s"]]


def test_it_tells_a_machine_the_same(dser) -> None:
    facts = json.loads(dser("bench", "--device", "cpu", "--json").out)
    assert facts["device"] == "cpu"
    assert facts["packages"]["onnxruntime"]
    assert [row["seconds"] for row in facts["ms for 1 s"]] == [1, 2]
    assert all(0 < row["cpu"] < 10_000 for row in facts["ms for 1 s"])


def test_lines_of_ones_own_are_measured(dser, line) -> None:
    (row,) = json.loads(dser("bench", line, "--device", "cpu", "--json").out)["ms for 1 s"]
    assert row["line"] == "line.wav"
    assert row["seconds"] == 1.5


def test_a_line_that_is_not_there_is_one_line(dser) -> None:
    done = dser("bench", "none.wav")
    assert done.code == 1
    assert done.line.startswith("dser: none.wav: ")


def test_a_line_without_sound_is_one_line(dser) -> None:
    import numpy as np
    import soundfile

    soundfile.write("empty.wav", np.zeros(0, np.float32), 16_000)
    done = dser("bench", "empty.wav")
    assert done.code == 1
    assert len(done.lines) == 1
