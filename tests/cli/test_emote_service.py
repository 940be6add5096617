"""dser emote --service writes what dser emote writes."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import dser_ext

SAMPLES = dser_ext.sample_line().parent
INTERRUPTED = """import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # which whoever runs the tests may have turned off
from dser_ext.cli.main import main
sys.exit(main())"""


@pytest.fixture(scope="module")
def target(running_service) -> str:
    return running_service.target


@pytest.fixture
def hero() -> list[Path]:
    """Three lines of one speaker, in the folder hero."""
    Path("hero").mkdir()
    for path in sorted((SAMPLES / "voice").glob("*.ogg"))[:3]:
        shutil.copy(path, "hero")
    return sorted(Path("hero").iterdir())


@pytest.mark.parametrize("voice", ["none", "file", "folder", "same"])
def test_it_writes_the_same_bytes(dser, target, hero, voice):
    assert dser("voice", *hero, "-o", "hero.voice").code == 0
    known = {"none": [], "file": ["--voice", "hero.voice"], "folder": ["--voice", "hero"], "same": ["--same-voice"]}
    here = dser("emote", *hero, *known[voice], "-o", "here/")
    there = dser("emote", *hero, *known[voice], "-o", "there/", "--service", target)
    assert (here.code, there.code) == (0, 0)
    assert sorted(here.lines) == sorted(there.lines)
    for path in hero:
        name = f"{path.stem}.json"
        assert Path("there", name).read_bytes() == Path("here", name).read_bytes()


def test_a_bad_line_is_reported_and_the_others_are_written(dser, target, line):
    Path("bad.wav").write_bytes(b"no sound")
    done = dser("emote", "bad.wav", line, "missing.wav", "-o", "out/", "--service", target)
    assert done.code == 1
    assert [said.split(":")[1].strip() for said in done.lines] == ["bad.wav", "missing.wav"]
    assert Path("out/line.json").exists()


@pytest.mark.slow
def test_nobody_there_is_one_sentence(dser, line):
    done = dser("emote", line, "--service", "127.0.0.1:9")
    assert done.code == 1
    assert "no service answers there" in done.line


@pytest.mark.parametrize(
    "arguments",
    [["--service", "127.0.0.1:9", "--device", "cpu"], ["--service", "127.0.0.1:9", "--service-certificate", "a.pem"]],
)
def test_what_does_not_go_together_is_a_usage_error(dser, line, arguments):
    assert dser("emote", line, *arguments).code == 2


@pytest.mark.slow
def test_info_tells_what_the_service_has(dser, target):
    done = dser("info", "--service", target)
    assert (done.code, done.lines) == (0, [])
    assert "dser-base" in done.out
    assert '"device": "cpu"' in dser("info", "--service", target, "--json").out
    assert dser("info", "--service", "127.0.0.1:9").code == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to a child there")
def test_it_does_not_wait_for_long_lines_once_it_is_interrupted(start_service):
    samples, rate = soundfile.read(dser_ext.sample_line(), dtype="float32")
    for name in ("one.wav", "other.wav"):
        soundfile.write(name, np.tile(samples, 300), rate)
    running = start_service()
    command = [sys.executable, "-c", INTERRUPTED, "emote", "one.wav", "other.wav", "--service", running.target]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as emote:
        try:
            for _ in range(600):
                if running.running == 2:
                    break
                time.sleep(0.05)
            emote.send_signal(signal.SIGINT)
            assert "dser: stopped" in emote.communicate(timeout=5)[1]
        finally:
            emote.kill()
    assert emote.returncode == 1
    assert not Path("one.json").exists()
