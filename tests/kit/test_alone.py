"""The panel in a window of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import lab
import pytest

import dser_ext
from dser_ext.cli.main import main
from dser_ext.client import launcher
from dser_ext.client.runfolder import RUN_DIR, RunFolder


def test_without_omni_ui_it_says_what_to_install(capsys):
    if "omni" in sys.modules:
        pytest.skip("omni.ui is installed here")
    assert main(["panel"]) == 1
    assert "omni.ui is not installed; with Python 3.12, pip install" in capsys.readouterr().err


@pytest.mark.slow
@lab.where_it_can_run
def test_it_opens_a_line_and_ends_when_it_is_told_to(tmp_path):
    home = lab.build(Path(os.environ.get("KIT_LAB", tmp_path / "lab")))
    folder = RunFolder(tmp_path / "run")
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DISPLAY"},
        "PYTHONPATH": os.pathsep.join(map(str, (home / "ovui", lab.ROOT, lab.ROOT / "pip_prebundle"))),
        "OMNIUI_HEADLESS": "1",
        "VK_ICD_FILENAMES": str(next(Path(lab.DRIVERS).glob("lvp_icd*.json"))),
        "HOME": str(tmp_path),
        RUN_DIR: str(folder.path),
        launcher.PYTHON: sys.executable,
    }
    command = [lab.find_python(), "-m", "dser_ext.cli.main", "panel", str(dser_ext.sample_line())]
    if not Path("/proc/driver/nvidia").exists():
        refused = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert refused.returncode == 1
        assert "libcuda.so.1" in refused.stderr
        assert "Traceback" not in refused.stderr
        environment["LD_PRELOAD"] = str(home / "libcuda.so.1")
    log = (tmp_path / "log").open("w+")
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # what runs in the background may not heed it
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log, preexec_fn=heeding)
    try:
        time.sleep(4)
        assert process.poll() is None, (tmp_path / "log").read_text()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 1)
    finally:
        process.kill()
        process.wait()
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said, said
    assert "destroyed" not in said, said
