"""A file appears whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from dser_ext.errors import FormatError
from dser_ext.formats.files import written_whole

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions, links or limits")


def write(path, content: str = "new") -> None:
    with written_whole(path) as file:
        file.write(content)


def write_and_fail(path, failure: type[BaseException]) -> None:
    with written_whole(path) as file:
        file.write("half")
        raise failure


def names(folder) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_text_is_utf8_with_plain_line_ends(tmp_path):
    write(tmp_path / "ä.txt", "größer\n再\n")
    assert (tmp_path / "ä.txt").read_bytes() == "größer\n再\n".encode()


def test_bytes_are_written_as_they_are(tmp_path):
    with written_whole(str(tmp_path / "a.bin"), "wb") as file:
        file.write(b"\r\n\xff")
    assert (tmp_path / "a.bin").read_bytes() == b"\r\n\xff"


def test_a_file_that_was_there_is_replaced(tmp_path):
    write(tmp_path / "a", "something much longer")
    write(tmp_path / "a", "short")
    assert (tmp_path / "a").read_text() == "short"
    assert names(tmp_path) == ["a"]


def test_nothing_shows_under_its_name_until_it_is_whole(tmp_path):
    with written_whole(tmp_path / "a") as file:
        file.write("half")
        file.flush()
        assert not (tmp_path / "a").exists()
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, FormatError])
@pytest.mark.parametrize("before", [None, "old"])
def test_nothing_changes_when_the_writing_fails(tmp_path, failure, before):
    if before:
        (tmp_path / "a").write_text(before)
    with pytest.raises(failure):
        write_and_fail(tmp_path / "a", failure)
    assert names(tmp_path) == (["a"] if before else [])
    assert not before or (tmp_path / "a").read_text() == before


def test_text_that_utf8_cannot_hold_leaves_nothing(tmp_path):
    with pytest.raises(UnicodeEncodeError):
        write(tmp_path / "a", "\udc80")
    assert names(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"missing.a\.json: cannot be written \(No such file.*check the folder"):
        write(tmp_path / "missing" / "a.json")
    assert names(tmp_path) == []


def test_a_file_is_no_folder_to_write_into(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FormatError, match=r"a\.json: cannot be written"):
        write(tmp_path / "file" / "a.json")


@pytest.mark.parametrize("name", [".", ""])
def test_a_folder_is_no_file_to_write(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for path in (name, tmp_path):
        with pytest.raises(FormatError, match="is a folder; name a file"):
            write(path)
    assert names(tmp_path) == []


def test_a_name_as_long_as_the_disk_allows_will_do(tmp_path):
    write(tmp_path / ("ä" * 120 + ".json"))
    assert names(tmp_path) == ["ä" * 120 + ".json"]


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(FormatError, match="cannot be written"):
        write(tmp_path / ("a" * 300))
    assert names(tmp_path) == []


@POSIX
class TestLinksAndSpecialFiles:
    def test_a_link_stays_and_its_file_is_replaced(self, tmp_path):
        (tmp_path / "far").mkdir()
        (tmp_path / "far" / "a").write_text("old")
        (tmp_path / "link").symlink_to(tmp_path / "far" / "a")
        write(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "far" / "a").read_text() == "new"
        assert names(tmp_path / "far") == ["a"]

    def test_a_link_to_nothing_yet_makes_its_file(self, tmp_path):
        (tmp_path / "link").symlink_to("a")
        write(tmp_path / "link")
        assert (tmp_path / "a").read_text() == "new"

    def test_a_link_to_a_folder_is_a_folder(self, tmp_path):
        (tmp_path / "folder").mkdir()
        (tmp_path / "link").symlink_to("folder")
        with pytest.raises(FormatError, match="is a folder"):
            write(tmp_path / "link")

    def test_a_pipe_is_written_to_and_stays(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        write(tmp_path / "pipe")
        assert os.read(reader, 10) == b"new"
        os.close(reader)
        assert names(tmp_path) == ["pipe"]

    def test_the_null_device_survives(self):
        write(os.devnull)
        assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)

    def test_the_standard_output_can_be_named(self):
        if not Path("/dev/stdout").exists():
            pytest.skip("no /dev/stdout")
        answer = run("with written_whole('/dev/stdout') as file: file.write('new')")
        assert answer == "new"


@POSIX
class TestPermissions:
    @pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
    def test_are_decided_by_the_umask(self, tmp_path, mask, mode):
        before = os.umask(mask)
        try:
            write(tmp_path / "a")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode

    @pytest.mark.parametrize("mode", [0o555, 0o000])
    def test_of_the_folder_are_named_where_they_do_not_allow_it(self, mode):
        with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to all other users
            folder = Path(name)
            (folder / "old").write_text("old")
            folder.chmod(mode)
            answer = run(
                f"""
                if os.getuid() == 0:
                    os.setgroups([])
                    os.setgid(65534)
                    os.setuid(65534)
                try:
                    with written_whole({str(folder / "old")!r}) as file:
                        file.write("new")
                except FormatError as error:
                    print(error)
                """
            )
            folder.chmod(0o755)
            assert f"{folder / 'old'}: cannot be written (Permission denied)" in answer
            assert (folder / "old").read_text() == "old"
            assert names(folder) == ["old"]


@POSIX
@pytest.mark.parametrize("size", [5000, 5_000_000])
def test_a_full_disk_leaves_what_was_there(tmp_path, size):
    (tmp_path / "a").write_text("old")
    answer = run(
        f"""
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            with written_whole({str(tmp_path / "a")!r}) as file:
                file.write("x" * {size})
        except FormatError as error:
            print(error)
        """
    )
    assert "a: cannot be written (File too large); check the folder, its permissions and the free space" in answer
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def run(code: str) -> str:
    """What this code prints in a process of its own, whose user and limits it may change."""
    head = "import os\nfrom dser_ext.errors import FormatError\nfrom dser_ext.formats.files import written_whole\n"
    command = [sys.executable, "-c", head + textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
