"""The extension in the real Kit kernel with the real omni.ui."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import lab
import numpy as np
import pytest

from dser_ext.emotion.names import A2F_EMOTIONS


@pytest.mark.slow
@lab.where_it_can_run
def test_the_panel_does_in_kit_what_an_animator_asks_for(tmp_path, start_a2f):
    if not (lab.ROOT / "pip_prebundle").exists():
        pytest.fail("build what Kit lacks first: python bootstrap.py kit")
    home = lab.build(Path(os.environ.get("KIT_LAB", tmp_path / "lab")))
    pictures = Path(os.environ.get("KIT_PICTURES", tmp_path / "pictures"))
    a2f = start_a2f()
    code, log = lab.run_panel_tests(home, tmp_path, pictures, a2f.target)
    assert code == 0, log
    assert "[Error]" not in log, log
    ran = re.search(r"ran (\d+) tests, 0 failed, 0 skipped", log)
    assert ran is not None, log
    assert int(ran[1]) >= 15, log
    assert len(list(pictures.glob("*.png"))) >= 12
    keys, felt = json.loads((tmp_path / "sent.json").read_text()), a2f.requests[-1].keys
    np.testing.assert_allclose([time for time, _ in felt], keys["times"], atol=1e-6)
    rows = [[emotion[name] for name in A2F_EMOTIONS] for _, emotion in felt]
    np.testing.assert_allclose(rows, keys["values"], atol=1e-5)
