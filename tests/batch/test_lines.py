"""Lines are found in folders, by globs, in lists and tables; nothing outside of the place that was named is."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.batch.job import LONGEST_STEM, Job, output_name, preferred_emotions
from dser_ext.batch.lines import find
from dser_ext.errors import DserError, FormatError

POSIX = pytest.mark.skipif(os.name != "posix", reason="such names and links are of POSIX")
FORBIDDEN = ['what? "no": a|b*<c>.wav', "back\\slash.wav", "trailing. .wav", os.fsdecode(b"\xff.wav")]
NAMES = ["a.wav", "b/c.OGG", "b/d/e e.flac", "b/d/😀 é.mp3"]


@pytest.fixture
def place(tmp_path) -> Path:
    for name in [*NAMES, "b/notes.txt", ".hidden.wav", "b/.cache/x.wav", "b/d/picture.png"]:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"sound")
    return tmp_path / "in"


def names(found) -> list[str]:
    return [line.name for line in found.lines]


class TestFolders:
    def test_of_any_depth_give_their_sounds_in_order(self, place):
        found = find(str(place))
        assert names(found) == NAMES
        assert [Path(line.source) for line in found.lines] == [place / name for name in NAMES]
        assert not found.left_out

    def test_are_named_as_typed(self, place, monkeypatch):
        monkeypatch.chdir(place.parent)
        assert find("in").lines[0].source == os.path.join("in", "a.wav")  # noqa: PTH118
        assert find(f".{os.sep}in").lines[0].source == os.path.join(".", "in", "a.wav")  # noqa: PTH118

    def test_do_not_give_what_lies_in_the_output(self, place):
        assert names(find(str(place), without=str(place / "b" / "d"))) == ["a.wav", "b/c.OGG"]

    def test_that_are_missing_are_an_error(self, tmp_path):
        with pytest.raises(DserError, match=r"nowhere: no folder, list or glob; name"):
            find(str(tmp_path / "nowhere"))

    @POSIX
    def test_are_not_left_by_links_and_not_gone_round_in_circles(self, place, tmp_path):
        (tmp_path / "out.wav").write_bytes(b"secret")
        (tmp_path / "far").mkdir()
        (tmp_path / "far" / "f.wav").write_bytes(b"secret")
        (place / "b" / "loop").symlink_to(place)
        (place / "b" / "twice").symlink_to(place / "b" / "d")
        (place / "leads_out").symlink_to(tmp_path / "far")
        (place / "leads_out.wav").symlink_to(tmp_path / "out.wav")
        (place / "dangling.wav").symlink_to(place / "nothing.wav")
        (place / "again.wav").symlink_to(place / "a.wav")
        found = find(str(place))
        assert names(found) == sorted([*NAMES, "again.wav"])
        assert len(found.left_out) == 3
        assert sum("leads out of" in reason for reason in found.left_out) == 2
        assert sum("dangling.wav: cannot be read" in reason for reason in found.left_out) == 1

    @POSIX
    def test_that_cannot_be_read_are_said(self):
        code = """
        import os, sys
        from dser_ext.batch.lines import find
        if os.getuid() == 0:
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
        found = find(sys.argv[1])
        print([line.name for line in found.lines], found.left_out)
        """
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o755)
            for folder in ("open", "shut"):
                Path(name, folder).mkdir()
                Path(name, folder, "a.wav").write_bytes(b"sound")
            Path(name, "shut").chmod(0)
            command = [sys.executable, "-c", textwrap.dedent(code), name]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "['open/a.wav']" in said
        assert "shut: folder cannot be read (Permission denied); check its permissions" in said

    @POSIX
    def test_that_are_links_themselves_are_followed(self, place, tmp_path):
        (tmp_path / "link").symlink_to(place)
        assert names(find(str(tmp_path / "link"))) == NAMES

    @POSIX
    @pytest.mark.parametrize("name", FORBIDDEN)
    def test_may_hold_names_that_other_systems_forbid(self, place, name):
        (place / name).write_bytes(b"sound")
        (line,) = [line for line in find(str(place)).lines if line.name == name]
        assert Path(line.source) == place / name
        assert output_name(line.name, "json") == f"{name.removesuffix('.wav')}.json"


class TestGlobs:
    def test_give_names_below_their_fixed_part(self, place):
        found = find(str(place / "b" / "**" / "*"))
        assert names(found) == ["c.OGG", "d/e e.flac", "d/😀 é.mp3"]

    def test_without_a_match_give_nothing(self, place):
        assert not find(str(place / "*.aiff")).lines

    def test_are_names_where_there_is_such_a_folder(self, tmp_path):
        (tmp_path / "[takes]").mkdir()
        (tmp_path / "[takes]" / "a.wav").write_bytes(b"sound")
        assert names(find(str(tmp_path / "[takes]"))) == ["a.wav"]


class TestLists:
    def test_have_a_path_a_line_in_the_lists_folder(self, place):
        (place / "list.txt").write_text("\ufeffb/c.OGG\n\n# a comment\n  a.wav  \nb\\d\\e e.flac\n", encoding="utf-8")
        assert names(find(str(place / "list.txt"))) == ["a.wav", "b/c.OGG", "b/d/e e.flac"]

    def test_may_name_another_root(self, place, tmp_path):
        (tmp_path / "list.txt").write_text(f"c.OGG\n{place / 'b' / 'd' / 'e e.flac'}\n")
        assert names(find(str(tmp_path / "list.txt"), str(place / "b"))) == ["c.OGG", "d/e e.flac"]

    @pytest.mark.parametrize("path", ["../secret.wav", "b/../../secret.wav", "/etc/secret.wav", "s3://bucket/a.wav"])
    def test_do_not_lead_out_of_it(self, place, path):
        (place.parent / "secret.wav").write_bytes(b"secret")
        (place / "list.txt").write_text(f"{path}\na.wav\n")
        found = find(str(place / "list.txt"))
        assert names(found) == ["a.wav"]
        assert f"list.txt, line 1: {path}: leads out of" in found.left_out[0]

    @POSIX
    def test_not_by_a_link_either(self, place, tmp_path):
        (tmp_path / "secret.wav").write_bytes(b"secret")
        (place / "x.wav").symlink_to(tmp_path / "secret.wav")
        (place / "list.txt").write_text("x.wav\n")
        assert "leads out of" in find(str(place / "list.txt")).left_out[0]

    def test_that_name_a_line_twice_have_it_once(self, place):
        (place / "list.txt").write_text("a.wav\n./a.wav\n")
        found = find(str(place / "list.txt"))
        assert names(found) == ["a.wav"]
        assert "twice" in found.left_out[0]

    def test_keep_what_is_missing_for_the_run_to_report(self, place):
        (place / "list.txt").write_text("gone.wav\n")
        assert names(find(str(place / "list.txt"))) == ["gone.wav"]

    @settings(max_examples=200, deadline=None)
    @given(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1, max_size=40))
    def test_whatever_they_say_no_line_is_outside(self, path):
        with tempfile.TemporaryDirectory() as name:
            place = Path(name, "in")
            place.mkdir()
            (place / "list.txt").write_text(f"{path}\n", encoding="utf-8")
            for line in find(str(place / "list.txt")).lines:
                assert Path(os.path.normpath(line.source)).is_relative_to(place)
                assert Path(os.path.normpath(place / output_name(line.name, "json"))).is_relative_to(place)


class TestTables:
    @pytest.mark.parametrize(("suffix", "between"), [("csv", ","), ("tsv", "\t")])
    def test_have_columns_of_their_own(self, place, suffix, between):
        rows = [["File", "Speaker", "Note"], ["b/c.OGG", "Anna", '"one, two"'], ["a.wav", "", ""]]
        (place / f"t.{suffix}").write_text("\n".join(between.join(row) for row in rows), encoding="utf-8")
        found = find(str(place / f"t.{suffix}"))
        assert names(found) == ["a.wav", "b/c.OGG"]
        assert found.lines[1].columns == {"speaker": "Anna", "note": "one, two"}
        assert found.lines[0].columns == {}

    def test_without_a_path_are_an_error(self, place):
        (place / "t.csv").write_text("name,speaker\na.wav,Anna\n")
        with pytest.raises(DserError, match=r"t\.csv: has no column path or file"):
            find(str(place / "t.csv"))

    def test_that_are_none_are_an_error(self, place):
        (place / "t.csv").write_text("path\n" + "a" * 200_000)
        with pytest.raises(DserError, match=r"t\.csv: no table that can be read"):
            find(str(place / "t.csv"))


class TestNamesOfResults:
    def test_longer_than_a_file_may_be_are_cut_and_told_apart(self):
        one, other = ("x" * 240 + end + ".wav" for end in "ab")
        short = [output_name(f"deep/{name}", "blender-json") for name in (one, other)]
        assert short[0] != short[1]
        assert all(len(name.rpartition("/")[2]) <= LONGEST_STEM + len(".blender.json") for name in short)
        assert len(os.fsencode(output_name("再" * 84 + ".wav", "json"))) <= LONGEST_STEM + 5

    def test_are_the_lines(self):
        lines = ["a.wav", "b/c.d.wav", "b/noend"]
        assert [output_name(line, "json") for line in lines] == ["a.json", "b/c.d.json", "b/noend.json"]


class TestPreferredEmotions:
    @pytest.mark.parametrize(
        ("text", "moods"),
        [
            ("joy", {"joy": 1}),
            ("joy:", {"joy": 1}),
            ("Joy:0.7, fear:0.2", {"joy": 0.7, "fear": 0.2}),
            ("anger;pain", {"anger": 1, "pain": 1}),
        ],
    )
    def test_are_told_with_or_without_their_share(self, text, moods):
        assert preferred_emotions(text) == moods

    @pytest.mark.parametrize("text", ["happy", "joy:much"])
    def test_of_other_names_or_shares_are_refused(self, text):
        with pytest.raises(FormatError, match="preferred emotion"):
            preferred_emotions(text)


def test_a_voice_is_called_after_its_folder(place):
    lines = {line.name: line for line in find(str(place)).lines}
    job = Job(voice_by="folder", place=str(place))
    assert job.voice_of(lines["b/d/e e.flac"]) == "b/d"
    assert job.voice_of(lines["a.wav"]) == "in"
    assert Job().voice_of(lines["a.wav"]) is None
