"""The extension in the real Kit kernel with the real omni.ui."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import lab
import numpy as np
import pytest

import dser_ext
from dser_ext.client import launcher
from dser_ext.client.runfolder import RUN_DIR, RunFolder
from dser_ext.emotion.names import A2F_EMOTIONS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(lab.missing()), reason=lab.missing() or "it can be run"),
]


def test_the_panel_does_in_kit_what_an_animator_asks_for(tmp_path, start_a2f):
    if not (lab.ROOT / "pip_prebundle").exists():
        pytest.fail("build what Kit lacks first: python bootstrap.py kit")
    home = Path(os.environ.get("KIT_LAB", tmp_path / "lab"))
    pictures = Path(os.environ.get("KIT_PICTURES", tmp_path / "pictures"))
    pictures.mkdir(parents=True, exist_ok=True)
    (tmp_path / "lines").mkdir()
    line = shutil.copy(dser_ext.sample_line(), tmp_path / "lines" / "three_moods.ogg")
    a2f, sent = start_a2f(), tmp_path / "sent.json"
    folder = RunFolder(tmp_path / "run")
    environment = {
        "KIT_LINE": str(line),
        "KIT_PICTURES": str(pictures),
        "KIT_A2F": a2f.target,
        "KIT_SENT": str(sent),
        RUN_DIR: str(folder.path),
        launcher.PYTHON: sys.executable,
    }
    settings = {"/exts/omni.ui/width": 1000, "/exts/omni.ui/height": 860}
    try:
        code, log = lab.run(lab.build(home), "dser.kit_tests", settings, environment)
    finally:
        launcher.stop(folder=folder)
    assert code == 0, log
    assert "[Error]" not in log, log
    ran = re.search(r"ran (\d+) tests, 0 failed, 0 skipped", log)
    assert ran is not None, log
    assert int(ran[1]) >= 14, log
    assert len(list(pictures.glob("*.png"))) >= 12
    keys, felt = json.loads(sent.read_text()), a2f.requests[-1].keys
    np.testing.assert_allclose([time for time, _ in felt], keys["times"], atol=1e-6)
    rows = [[emotion[name] for name in A2F_EMOTIONS] for _, emotion in felt]
    np.testing.assert_allclose(rows, keys["values"], atol=1e-5)
