"""One run at a time writes to a place; whoever was killed keeps nobody out."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from made import results

from dser_ext.batch import place
from dser_ext.batch.lines import find
from dser_ext.batch.place import opened, read_only
from dser_ext.errors import DserError

HOLD = """
import sys
from dser_ext.batch.place import opened
with opened(sys.argv[1]) as ledger:
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["folder", "store"])
def out(request, tmp_path) -> str:
    """A folder, or a place in a store that lives as long as this process."""
    if request.param == "folder":
        return str(tmp_path / "out")
    pytest.importorskip("fsspec")
    return f"memory://{tmp_path.name}/out"


def test_what_was_noted_is_found_by_the_next_run_and_by_readers(out):
    with opened(out) as ledger:
        ledger.note("run", "7")
    with opened(out) as ledger:
        assert ledger.about("run") == "7"
    with read_only(out) as ledger:
        assert ledger.about("run") == "7"


def test_a_second_run_is_refused_until_the_first_has_ended(out):
    with opened(out), pytest.raises(DserError, match=r"another run writes there.*; wait"), opened(out):
        pass
    with opened(out):
        pass


def test_a_place_without_a_ledger_has_no_report(out):
    with pytest.raises(DserError, match="no run of dser batch has written there"), read_only(out):
        pass


def test_a_run_that_was_killed_keeps_nobody_out(tmp_path):
    out = tmp_path / "out"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "open\n"
    with pytest.raises(DserError, match="another run"), opened(str(out)):
        pass
    with read_only(str(out)) as ledger:  # a report may be made meanwhile
        assert ledger.about("schema") == "1"
    holder.kill()
    holder.communicate()
    with opened(str(out)):
        pass


def test_on_a_store_a_killed_run_counts_as_gone_after_a_while(monkeypatch):
    pytest.importorskip("fsspec")
    out = "memory://killed/out"
    with opened(out) as ledger:
        ledger.note("run", "1")
        monkeypatch.setattr(place, "DEAD_SECONDS", 0.0)
        with opened(out):
            pass


def test_on_a_store_a_lock_that_says_nothing_keeps_nobody_out():
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe_file("/garbled/out/.dser/lock", b"no lock")
    with opened("memory://garbled/out"):
        pass


def test_a_store_that_lets_nobody_in_is_one_sentence(monkeypatch, tmp_path):
    pytest.importorskip("s3fs")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with (
        pytest.raises(DserError, match=r"s3://nobody/out: cannot be read .*; check the URL"),
        opened("s3://nobody/out"),
    ):
        pass
    for source in ("s3://nobody/in", "s3://nobody/in/list.csv"):
        with pytest.raises(DserError, match=rf"{source}: cannot be (listed|read) .*; check"):
            find(source)


def test_a_ledger_of_another_version_is_left_alone(out):
    with opened(out) as ledger:
        ledger.note("schema", "99")
    with pytest.raises(DserError, match="written by another version"), opened(out):
        pass


@pytest.mark.skipif(os.name != "posix", reason="permissions are of POSIX")
def test_a_folder_that_may_not_be_written_to_is_named():
    code = """
    import os, sys
    import filelock
    from dser_ext.batch.place import opened
    from dser_ext.errors import DserError
    if os.getuid() == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
    try:
        with opened(sys.argv[1]): pass
    except DserError as error:
        print(error)
    """
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o555)
        command = [sys.executable, "-c", textwrap.dedent(code), f"{name}/out"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"{name}/out: cannot be written to (Permission denied); check the folder" in said


def test_lines_and_results_may_be_on_a_store(batch, lines, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    batch(voice_by="folder", formats=("json", "csv"))
    system = fsspec.filesystem("memory")
    system.put(f"{lines}/", "memory://studio/in/", recursive=True)
    for done, kept in ((6, 0), (0, 6)):
        summary, _ = batch("memory://studio/in", "memory://studio/out", voice_by="folder", formats=("json", "csv"))
        assert (summary.done, summary.kept) == (done, kept)
    system.get("memory://studio/out/", str(tmp_path / "got"), recursive=True)
    got, expected = results(tmp_path / "got"), results(tmp_path / "out")
    assert set(got) == set(expected)
    for name, data in got.items():  # but for where the sound is
        assert data.replace(b"memory://studio/in/", str(lines).encode() + b"/") == expected[name]
    system.pipe_file("memory://studio/in/anna/1.wav", b"no sound")
    summary, _ = batch("memory://studio/in", "memory://studio/out", voice_by="folder", formats=("json", "csv"))
    assert (summary.kept, len(summary.failures)) == (5, 1)
    assert "memory://studio/in/anna/1.wav: is not " in summary.failures[0][1]
