"""The thin side in environments like Kit's: numpy, grpcio and protobuf at their lowest versions, nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from environments import ROOT, clean_variables, find_interpreter, lowest, make_environment
from test_imports import HEAVY, INNER, OURS, OUTER, part, project

THIN_PACKAGES = ("numpy", "grpcio", "protobuf")


def in_kit() -> set[str]:
    """Modules that load only where omni.ui is."""
    found = {each.importer for each in OUTER if each.at_load and project(each.imported) in ("omni", "carb")}
    while more := {each.importer for each in INNER if each.at_load and each.imported in found} - found:
        found |= more
    return found


THIN_MODULES = [name for name in OURS if part(name) not in HEAVY and name not in in_kit()]


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12"])
def test_the_thin_side_works_with_numpy_grpcio_and_protobuf_alone(version, start_a2f, tmp_path):
    interpreter = find_interpreter(version)
    if interpreter is None:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing(f"no Python {version} with venv and ensurepip on this machine")
    packages = [requirement for requirement in lowest() if requirement.startswith(THIN_PACKAGES)]
    python = make_environment(interpreter, tmp_path / "environment", *packages)
    results = tmp_path / "results"
    results.mkdir()
    done = subprocess.run(
        [python, Path(__file__).with_name("thin_side.py"), start_a2f().target, results, *THIN_MODULES],
        env={**clean_variables(), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["python"] == [int(number) for number in version.split(".")]
    assert said["heavy packages"] == []
    assert said["version exit code"] == 0
    assert said["error"] <= 0.02
    assert 2 <= said["keys"] < 30
    assert said["frames"] == 90
    assert said["peak"] == pytest.approx(0.1, abs=1e-3)
    assert said["files"] == ["face.csv", "line.csv", "line.json"]


def test_recognition_loads_neither_torch_nor_transformers_even_where_they_are_installed():
    program = "import dser_ext, sys; dser_ext.recognize(dser_ext.sample_line()); print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "onnxruntime" in loaded
    assert not {"torch", "transformers", "dser_training"} & loaded
