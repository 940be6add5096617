"""A run does what is new or changed, and nothing else; whatever happens to one line, the others are done."""

from __future__ import annotations

import json
import os
from contextlib import suppress

import pytest
from made import results, short_line, tone

import dser_ext
from dser_ext.batch.place import opened
from dser_ext.emotion.style import PRESETS
from dser_ext.errors import FormatError


def track(folder, name):
    return dser_ext.load(folder / "out" / name)


def ledger_rows(folder) -> dict[str, dict]:
    with opened(str(folder / "out")) as ledger:
        run = int(ledger.about("run"))
        return {row["name"]: dict(row) for row in ledger.lines(run)}


@pytest.mark.usefixtures("lines")
class TestWhatIsWritten:
    def test_out_mirrors_in(self, batch, tmp_path):
        summary, _ = batch(formats=("json", "csv", "unreal-csv"))
        assert (summary.lines, summary.done, summary.failures) == (6, 6, [])
        stems = ["alone", "anna/1", "anna/2", "anna/3", "ben/deep/1", "ben/deep/2"]
        suffixes = (".json", ".csv", ".unreal.csv")
        assert sorted(results(tmp_path / "out")) == sorted(stem + suffix for stem in stems for suffix in suffixes)

    def test_a_line_comes_out_as_from_the_command_for_one(self, batch, lines, tmp_path):
        batch(style=PRESETS["expressive"], fps=24)
        found = track(tmp_path, "anna/1.json")
        alone = dser_ext.recognize(lines / "anna" / "1.wav")
        assert found.track.audio.sha256 == alone.audio.sha256
        assert found.track.audio.path == str(lines / "anna" / "1.wav")
        assert abs(found.track.concentration / alone.concentration - 1).max() < 1e-2  # another number of threads
        assert (found.fps, found.style.name) == (24, "expressive")

    @pytest.mark.skipif(os.name != "posix", reason="such names are of POSIX")
    def test_whatever_a_line_is_called_it_has_its_result(self, batch, lines, tmp_path):
        names = [
            "😀 é 再.wav",
            'what? "no": a|b*<c>.wav',
            "x" * 251 + ".wav",
            "再" * 83 + "é.wav",
            os.fsdecode(b"\xff.wav"),
        ]
        for number, name in enumerate(names):
            short_line(lines / "odd" / name, start=0.1 * number)
        summary, _ = batch(formats=("json", "blender-json", "usda"), voice_by="folder")
        assert (summary.done, summary.failures) == (6 + len(names), [])
        made = results(tmp_path / "out" / "odd")
        assert len(made) == 3 * len(names)
        assert "😀 é 再.json" in made
        assert batch(formats=("json", "blender-json", "usda"), voice_by="folder")[0].kept == 6 + len(names)

    def test_rules_and_columns_choose_the_style(self, batch, lines, tmp_path):
        (lines / "own.json").write_text('{"gain": 0.5}')
        (lines / "list.csv").write_text(
            "path,style,preferred\nanna/1.wav,,\nanna/2.wav,steady,\nben/deep/1.wav,,joy:0.8\nben/deep/2.wav,own.json,fear\n"
        )
        rules = [("*", PRESETS["subtle"]), ("ben", PRESETS["expressive"])]
        batch(lines / "list.csv", rules=rules)
        styles = {
            name: track(tmp_path, f"{name}.json").style for name in ("anna/1", "anna/2", "ben/deep/1", "ben/deep/2")
        }
        assert {name: style.name for name, style in styles.items()} == {
            "anna/1": "subtle",
            "anna/2": "steady",
            "ben/deep/1": "expressive",
            "ben/deep/2": "own",
        }
        assert styles["ben/deep/1"].preferred == {"joy": 0.8}
        assert styles["ben/deep/2"].gain == 0.5
        assert styles["ben/deep/2"].preferred == {"fear": 1.0}
        assert styles["ben/deep/2"].preferred_strength == 0.5

    def test_columns_are_carried_into_the_ledger(self, batch, lines, tmp_path):
        (lines / "list.csv").write_text("path,language,speaker,take\nanna/1.wav,en,Anna,7\n")
        batch(lines / "list.csv")
        assert json.loads(ledger_rows(tmp_path)["anna/1.wav"]["columns"]) == {
            "language": "en",
            "speaker": "Anna",
            "take": "7",
        }

    def test_a_wrong_style_or_emotion_in_a_table_is_that_lines_failure(self, batch, lines):
        (lines / "list.csv").write_text("path,style,preferred\nanna/1.wav,,\nanna/2.wav,loud,\nanna/3.wav,,envy\n")
        summary, _ = batch(lines / "list.csv")
        assert summary.done == 1
        assert "loud" in dict(summary.failures)["anna/2.wav"]
        assert "'envy': Audio2Face's are" in dict(summary.failures)["anna/3.wav"]

    def test_two_lines_for_one_result_are_refused_before_any_work(self, batch, lines, tmp_path):
        short_line(lines / "anna" / "1.flac")
        with pytest.raises(FormatError, match=r"anna.1\.json: would be the result of anna/1\.flac and of anna/1\.wav"):
            batch()
        assert not results(tmp_path / "out")


@pytest.mark.usefixtures("lines")
class TestDoneAgain:
    def test_nothing_is_while_nothing_changed(self, batch, tmp_path):
        batch()
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.json")}
        summary, engine = batch()
        assert (summary.done, summary.kept) == (0, 6)
        assert not engine.heard
        assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.json")}

    def test_nor_when_a_file_was_only_touched(self, batch, lines):
        batch()
        os.utime(lines / "anna" / "1.wav", (1, 1))
        assert batch()[0].kept == 6
        assert batch()[0].kept == 6

    def test_but_what_changed_is(self, batch, lines, tmp_path):
        batch()
        old = results(tmp_path / "out")
        short_line(lines / "anna" / "2.wav", start=0.5)
        summary, engine = batch()
        assert engine.heard == ["anna/2.wav"]
        assert (summary.done, summary.kept) == (1, 5)
        changed = {name for name, data in results(tmp_path / "out").items() if old[name] != data}
        assert changed == {"anna/2.json"}

    def test_also_if_it_changed_while_the_run_before_was_killed(self, batch, lines):
        batch()
        short_line(lines / "anna" / "2.wav", start=0.5)

        def killed(_) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            batch(before=killed)
        assert batch()[1].heard == ["anna/2.wav"]

    def test_and_what_is_new_missing_or_empty(self, batch, lines, tmp_path):
        batch()
        short_line(lines / "new.wav", start=0.4)
        (tmp_path / "out" / "anna" / "1.json").unlink()
        (tmp_path / "out" / "anna" / "2.json").write_bytes(b"")
        summary, engine = batch()
        assert sorted(engine.told) == ["anna/1.wav", "anna/2.wav", "new.wav"]
        assert engine.heard == ["new.wav"]
        assert summary.kept == 4

    def test_what_was_edited_by_hand_stays(self, batch, tmp_path):
        batch()
        (tmp_path / "out" / "anna" / "1.json").write_text("mine")
        assert batch()[0].kept == 6
        assert (tmp_path / "out" / "anna" / "1.json").read_text() == "mine"

    @pytest.mark.parametrize("change", [{"style": PRESETS["steady"]}, {"fps": 25.0}, {"tolerance": 0.05}])
    def test_another_style_or_rate_is_written_without_hearing_anything_again(self, batch, tmp_path, change):
        batch()
        summary, engine = batch(**change)
        assert summary.done == 6
        assert not engine.heard
        afresh = results(tmp_path / "out")
        batch(out=tmp_path / "other", **change)
        assert results(tmp_path / "other") == afresh

    @pytest.mark.slow
    def test_another_format_leaves_the_first_in_force(self, batch):
        batch()
        assert batch(formats=("csv",))[0].done == 6
        assert batch(formats=("csv",))[0].kept == 6
        assert batch(formats=("json", "csv"))[0].kept == 6

    def test_a_failure_is_tried_again_and_its_attempts_are_counted(self, batch, lines, tmp_path):
        (lines / "bad.wav").write_bytes(b"RIFF....WAVEfmt nothing")
        for attempt in (1, 2):
            summary, _ = batch()
            assert [name for name, _ in summary.failures] == ["bad.wav"]
            assert ledger_rows(tmp_path)["bad.wav"]["attempts"] == attempt
        short_line(lines / "bad.wav", start=0.3)
        assert batch()[0].done == 1
        row = ledger_rows(tmp_path)["bad.wav"]
        assert (row["state"], row["error"], row["attempts"]) == ("done", None, 3)

    def test_lines_that_are_gone_are_no_part_of_the_run(self, batch, lines, tmp_path):
        batch()
        (lines / "anna" / "1.wav").unlink()
        assert batch()[0].lines == 5
        assert "anna/1.wav" not in ledger_rows(tmp_path)
        assert (tmp_path / "out" / "anna" / "1.json").exists()


@pytest.mark.usefixtures("lines")
class TestVoices:
    def test_of_a_folder_each_line_is_measured_against_the_others(self, batch, tmp_path):
        _, engine = batch(voice_by="folder")
        assert sorted(engine.heard) == sorted(set(engine.heard))  # none twice
        voices = {name: track(tmp_path, f"{name}.json").track.voice for name in ("anna/1", "ben/deep/1", "alone")}
        assert (voices["anna/1"].name, voices["anna/1"].lines) == ("anna", 2)
        assert (voices["ben/deep/1"].name, voices["ben/deep/1"].lines) == ("ben/deep", 1)
        assert voices["alone"] is None  # the only line of its folder

    def test_as_by_the_command_for_lines_of_one_voice(self, batch, lines, tmp_path, recognizer):
        from dser_ext.recognition.recognizer import recognize_lines

        batch(voice_by="folder")
        paths = [lines / "anna" / f"{number}.wav" for number in (1, 2, 3)]
        for index, expected in recognize_lines(recognizer, paths, same_voice=True):
            found = track(tmp_path, f"anna/{index + 1}.json").track
            assert abs(found.concentration / expected.concentration - 1).max() < 1e-4

    @pytest.mark.parametrize(("by", "column"), [("column", "speaker"), ("Character", "Character")])
    def test_of_a_column(self, batch, lines, tmp_path, by, column):
        rows = "anna/1.wav,A\nben/deep/1.wav,A\nanna/2.wav,B\nalone.wav,\n"
        (lines / "list.csv").write_text(f"path,{column}\n{rows}")
        batch(lines / "list.csv", voice_by=by)
        voices = {name: track(tmp_path, f"{name}.json").track.voice for name in ("anna/1", "anna/2", "alone")}
        assert voices["anna/1"].name == "A"
        assert voices["anna/2"] is None
        assert voices["alone"] is None

    def test_are_frozen_so_that_a_new_line_changes_no_other(self, batch, lines, tmp_path):
        batch(voice_by="folder")
        old = results(tmp_path / "out")
        short_line(lines / "anna" / "4.wav", start=0.6)
        summary, engine = batch(voice_by="folder")
        assert (summary.done, summary.kept) == (1, 6)
        assert engine.heard == ["anna/4.wav"]
        assert {name: data for name, data in results(tmp_path / "out").items() if name != "anna/4.json"} == old
        assert track(tmp_path, "anna/4.json").track.voice.lines == 3

    @pytest.mark.slow
    def test_a_new_name_for_a_line_of_the_voice_does_not_count_itself(self, batch, lines, tmp_path):
        batch(voice_by="folder")
        (lines / "anna" / "1.wav").rename(lines / "anna" / "9.wav")
        batch(voice_by="folder")
        assert track(tmp_path, "anna/9.json").track.voice.lines == 2

    @pytest.mark.slow
    def test_are_refreshed_on_demand_from_what_was_heard(self, batch, lines, tmp_path):
        batch(voice_by="folder")
        short_line(lines / "anna" / "4.wav", start=0.6)
        batch(voice_by="folder")
        summary, engine = batch(voice_by="folder", refresh_voices=True)
        assert not engine.heard
        assert sorted(engine.told) == ["anna/1.wav", "anna/2.wav", "anna/3.wav", "anna/4.wav"]
        assert summary.kept == 3  # those of voices that came out as they were
        batch(voice_by="folder", out=tmp_path / "other")
        assert results(tmp_path / "other") == results(tmp_path / "out")

    def test_of_lines_without_speech_there_is_none(self, batch, tmp_path):
        tone(tmp_path / "hums" / "1.wav")
        tone(tmp_path / "hums" / "low" / "2.wav")
        assert batch(tmp_path / "hums", voice_by="folder")[0].done == 2
        assert track(tmp_path, "1.json").track.voice is None
        assert batch(tmp_path / "hums", voice_by="folder")[0].kept == 2
        assert "no speech was found" in ledger_rows(tmp_path)["1.wav"]["note"]

    def test_a_bad_line_among_them_holds_up_nobody(self, batch, lines):
        (lines / "anna" / "0.wav").write_bytes(b"")
        (lines / "ben" / "deep" / "9.wav").write_bytes(b"no sound")
        summary, _ = batch(voice_by="folder")
        assert summary.done == 6
        assert len(summary.failures) == 2

    def test_copies_serve_other_commands(self, batch, lines, tmp_path):
        batch(voice_by="folder")
        (copy,) = (tmp_path / "out" / ".dser" / "voices").glob("anna-*.voice")
        assert dser_ext.recognize(lines / "alone.wav", voice=copy).voice.lines == 3


@pytest.mark.usefixtures("lines")
class TestInterrupted:
    @pytest.mark.slow
    @pytest.mark.parametrize("after", range(1, 13, 2))
    @pytest.mark.parametrize("voice_by", ["none", "folder"])
    def test_it_goes_on_where_it_was(self, batch, tmp_path, voice_by, after):
        count = 0

        def stop(_) -> None:
            nonlocal count
            count += 1
            if count > after:
                raise KeyboardInterrupt

        with suppress(KeyboardInterrupt):
            batch(voice_by=voice_by, before=stop)
        done = set(results(tmp_path / "out"))
        _, engine = batch(voice_by=voice_by)
        assert not {f"{name.removesuffix('.wav')}.json" for name in engine.told} & done
        batch(voice_by=voice_by, out=tmp_path / "other")
        assert results(tmp_path / "out") == results(tmp_path / "other")

    def test_what_a_killed_run_left_half_written_is_removed(self, batch, tmp_path):
        batch()
        left = tmp_path / "out" / "anna" / ".1.json.0123abcd.part"
        left.write_text("half")
        batch()
        assert left.exists()  # the run before ended well: whoever wrote that, it was not a run
        with opened(str(tmp_path / "out")) as ledger:
            ledger.note("running", "yes")
        batch()
        assert not left.exists()
