"""Animation as the table that NVIDIA's scripts read."""

from __future__ import annotations

import numpy as np

from dser_ext.formats import save_animation
from dser_ext.formats.blendshapes import Animation


def test_the_csv_is_the_table_that_nvidias_client_writes(tmp_path):
    weights = np.array([[0, 0.1], [0.25, 0.2]], np.float32)
    made = Animation(("EyeBlinkLeft", "JawOpen"), np.array([0, 0.04]), weights)
    save_animation(made, tmp_path / "line.csv", "a2f-csv")
    assert (tmp_path / "line.csv").read_text() == (
        ",timeCode,blendShapes.EyeBlinkLeft,blendShapes.JawOpen\n0,0.0,0.0,0.1\n1,0.04,0.25,0.2\n"
    )
