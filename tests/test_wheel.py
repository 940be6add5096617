"""What `pip install .` gives: the wheel, in a fresh environment, away from the clone."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from environments import ROOT, clean_variables, make_environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory):
    """Runs a program of an environment with the wheel and its dependencies, in a folder that is not the clone."""
    folder = tmp_path_factory.mktemp("installed")
    python = make_environment(
        Path(sys.executable), folder / "environment", "-c", str(ROOT / "constraints.txt"), str(wheel)
    )

    def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [python.parent / program, *arguments]
        return subprocess.run(
            command, cwd=folder, env=clean_variables(), capture_output=True, text=True, encoding="utf-8", check=False
        )

    return run


@pytest.fixture(scope="module")
def sample(elsewhere) -> str:
    done = elsewhere("python", "-c", "import dser_ext; print(dser_ext.sample_line())")
    assert done.returncode == 0, done.stderr
    assert str(ROOT) not in done.stdout
    return done.stdout.strip()


def test_the_wheel_carries_all_that_git_has_for_it(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    wanted = {name for name in listed if name.startswith(("dser_ext/", "training/dser_training/", "models/"))}
    wanted |= {name for name in listed if name.startswith("samples/") and not name.endswith(".py")}
    inside = {name.removeprefix("training/") for name in wanted}
    inside = {f"dser_ext/{name}" if name.startswith(("models/", "samples/")) else name for name in inside}
    assert not inside - names
    for name in ("dser_ext/py.typed", "dser_ext/messages.binpb", "dser_training/corpora/actors.yaml"):
        assert name in names
    assert any(name.startswith("dser_ext/models/dser-base/") for name in names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_wheel_carries_nothing_else(wheel):
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"dser_ext", "dser_training"}


def test_the_installed_commands_take_the_sample_from_speech_to_keys_and_picture(elsewhere, sample, tmp_path):
    keys, picture = tmp_path / "line.json", tmp_path / "line.png"
    emote = elsewhere("dser", "emote", sample, "--voice", Path(sample).parent / "voice", "-o", keys)
    assert (emote.returncode, emote.stdout) == (0, ""), emote.stderr
    plot = elsewhere("dser", "plot", keys, "-o", picture)
    assert plot.returncode == 0, plot.stderr
    document = json.loads(keys.read_text(encoding="utf-8"))
    assert document["schema"] == "dser.track/1"
    assert len(document["keyframes"]["times"]) >= 2
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_installed_model_describes_itself(elsewhere):
    done = elsewhere("dser", "info", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["checksums"] == "verified"


def test_recognition_needs_no_torch(elsewhere, sample):
    program = f"import dser_ext, sys; dser_ext.recognize({sample!r}); print(*sys.modules)"
    done = elsewhere("python", "-c", program)
    assert done.returncode == 0, done.stderr
    assert not {"torch", "transformers"} & set(done.stdout.split())
