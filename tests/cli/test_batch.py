"""dser batch: a folder of lines overnight, and its account in the morning."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from dser_ext.audio import read

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def folder() -> Path:
    """in/: four lines of real speech in two folders."""
    for number, source in enumerate(sorted((SAMPLES / "voice").glob("*.ogg"))[:4]):
        path = Path("in", "ab"[number % 2], f"{number}.wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, read(source)[:16000], 16000, subtype="PCM_16")
    return Path("in")


def results(suffix: str = ".json") -> list[str]:
    return sorted(path.relative_to("out").as_posix() for path in Path("out").rglob(f"*{suffix}"))


def test_a_folder_is_mirrored_in_every_format_named(dser, folder):
    done = dser("batch", folder, "out", "--format", "json,unreal-csv", "--voice-by", "folder", "--jobs", "2")
    assert done.code == 0
    assert done.out.startswith("4 done, 0 unchanged, 0 failed, of 4 lines, in ")
    assert results() == ["a/0.json", "a/2.json", "b/1.json", "b/3.json"]
    assert len(results(".unreal.csv")) == 4
    again = dser("batch", folder, "out", "--format", "json,unreal-csv", "--voice-by", "folder")
    assert again.out.startswith("0 done, 4 unchanged, 0 failed")


def test_failures_are_said_counted_and_part_of_the_exit_code(dser, folder):
    (folder / "a" / "bad.wav").write_bytes(b"no sound")
    done = dser("batch", folder, "out", "--json", "--report")
    assert done.code == 1
    assert "bad.wav: is not sound that can be decoded" in done.lines[0]
    summary = json.loads(done.out)
    assert (summary["lines"], summary["done"], summary["unchanged"], summary["failed"]) == (5, 4, 0, 1)
    assert summary["failures"][0]["line"] == "a/bad.wav"
    assert Path(summary["report"]).read_text(encoding="utf-8").count("data:image/png") == 4


@pytest.mark.slow
def test_the_report_alone_runs_nothing(dser, folder):
    dser("batch", folder, "out")
    done = dser("batch", "--report", "out")
    assert done.code == 0
    assert "the report is in out" in done.line
    assert Path("out", "report.html").exists()
    assert dser("batch", "--report", "elsewhere").line == (
        "dser: elsewhere: no run of dser batch has written there; name its output folder"
    )


def test_styles_go_by_pattern_and_file(dser, folder):
    Path("mine.json").write_text('{"gain": 0.25}')
    dser("batch", folder, "out", "--style", "subtle", "--style-for", "b/*=mine.json", "--fps", "24000/1001")
    styles = {name: json.loads(Path("out", name).read_text())["style"]["name"] for name in results()}
    assert styles == {"a/0.json": "subtle", "a/2.json": "subtle", "b/1.json": "mine", "b/3.json": "mine"}
    assert json.loads(Path("out", "a", "0.json").read_text())["fps"] == 24000 / 1001


def test_an_audio2face_animates_each_line(dser, folder, start_a2f):
    server = start_a2f()
    done = dser("batch", folder, "out", "--a2f", server.target, "--format", "json,a2f-json,livelink-csv")
    assert done.code == 0
    assert (len(results(".a2f.json")), len(results(".livelink.csv"))) == (4, 4)
    server.stop()
    again = dser("batch", folder, "out", "--a2f", server.target, "--format", "json,a2f-json", "--style", "subtle")
    assert again.code == 1
    assert all("in/" in line and "Audio2Face" in line for line in again.lines if "--voice-by" not in line)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["in"], "name IN and OUT"),
        (["in", "out", "more"], "name IN and OUT"),
        (["in", "out", "--format", "gif"], "'gif' is no format; choose from json, csv"),
        (["in", "out", "--format", ","], "names no format"),
        (["in", "out", "--jobs", "0"], "0 is no number from 1 to 512"),
        (["in", "out", "--style-for", "b"], "'b' is no PATTERN=STYLE"),
        (["in", "out", "--style-for", "b=loud"], "loud: neither a style"),
        (["in", "out", "--format", "json,livelink-csv"], "livelink-csv is an animation; name the Audio2Face"),
        (["in", "out", "--a2f", "localhost:52000"], "--a2f is for animations; name a format of one"),
        (["in", "out", "--engine", "ray", "--jobs", "2"], "--jobs is for workers of this machine"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_wrong_usage_is_said_before_any_work(dser, arguments, said):
    done = dser("batch", *arguments)
    assert done.code == 2
    assert said in done.lines[-1]


def test_a_column_that_no_table_has_is_wrong_usage(dser, folder):
    done = dser("batch", folder, "out", "--voice-by", "speeker")
    assert done.code == 2
    assert "--voice-by speeker: no line has a speaker in such a column; check its name" in done.lines[-1]
    assert not results()


def test_without_usd_it_says_so_once_and_before_any_work(dser, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pxr", None)
    done = dser("batch", folder, "out", "--format", "json,usda")
    assert done.code == 1
    assert "USD files need usd-core, which is not installed" in done.line
    assert not Path("out").exists()


def test_two_lines_for_one_result_are_wrong_usage(dser, folder):
    (folder / "a" / "0.flac").write_bytes(b"anything")
    done = dser("batch", folder, "out")
    assert done.code == 2
    assert "would be the result of a/0.flac and of a/0.wav; rename one of them" in done.lines[-1]
    assert not results()


def test_a_place_without_lines_is_no_error_but_said(dser):
    Path("in").mkdir()
    done = dser("batch", "in", "out")
    assert (done.code, done.lines) == (0, ["dser: warning: in: no lines of speech there"])
    assert "is no folder" not in dser("batch", "nowhere", "out").line
    assert dser("batch", "nowhere", "out").code == 1


def command(*arguments: str, **settings: object) -> subprocess.Popen[str]:
    whole = [sys.executable, "-m", "dser_ext.cli.main", "batch", *arguments]
    return subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)


def wait_for(what, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def many(folder: Path, count: int = 200) -> None:
    samples = soundfile.read(folder / "a" / "0.wav", dtype="int16")[0]
    for number in range(count):
        soundfile.write(folder / f"{number:03}.wav", samples[number:], 16000, subtype="PCM_16")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are of POSIX")
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_asked_and_goes_on_later(dser, folder, by):
    many(folder)
    run = command(str(folder), "out", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    wait_for(lambda: len(results()) > 5)
    run.send_signal(by)
    _, said = run.communicate(timeout=30)
    assert run.returncode == 1
    assert "of 204 lines are done, the same command goes on from there" in said
    assert "Traceback" not in said
    before = {name: Path("out", name).stat().st_mtime_ns for name in results()}
    assert dser("batch", folder, "out").code == 0
    assert len(results()) == 204
    redone = sum(Path("out", name).stat().st_mtime_ns != when for name, when in before.items())
    assert redone <= 6  # those in hand when it stopped


@pytest.mark.slow
def test_a_second_run_on_one_output_is_refused(dser, folder):
    many(folder)
    run = command(str(folder), "out")
    try:
        wait_for(lambda: len(results()) > 2)
        done = dser("batch", folder, "out")
        assert done.code == 1
        assert done.line == "dser: out: another run writes there; wait for it, or choose another output folder"
    finally:
        run.kill()
        run.communicate()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits are of POSIX")
def test_a_full_disk_fails_the_lines_that_it_hits_and_no_other(folder):
    """Results are written in the midst of a limit on files' size: tracks do not fit, the small tables do."""
    import resource

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    long = folder / "a" / "long.wav"
    samples = soundfile.read(folder / "a" / "0.wav", dtype="int16")[0]
    soundfile.write(long, list(samples) * 20, 16000, subtype="PCM_16")
    run = command(str(folder), "out", preexec_fn=limit)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "Traceback" not in said
    assert "cannot be written (File too large)" in said or "cannot be used" in said
    assert all(json.loads(Path("out", name).read_text()) for name in results())
    assert command(str(folder), "out").wait(60) == 0
    assert len(results()) == 5
