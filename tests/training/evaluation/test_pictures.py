"""Pictures of confusions: what is on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dser_training.evaluation.pictures import draw, draw_changes
from PIL import Image

from dser_ext.errors import FormatError

RIGHT = (10 * np.eye(6, dtype=int)).tolist()
WRONG = (10 * np.roll(np.eye(6, dtype=int), 1, axis=1)).tolist()


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.mark.slow
def test_a_picture_has_the_size_of_the_others_and_something_on_it(tmp_path: Path) -> None:
    draw("Some lines", {"alone": WRONG, "with the voice": RIGHT}, tmp_path / "confusion.png")
    image = pixels(tmp_path / "confusion.png")
    assert image.shape == (900, 1600, 3)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50


def test_each_voice_has_a_matrix_of_its_own(tmp_path: Path) -> None:
    draw("Some lines", {"alone": WRONG, "with the voice": RIGHT}, tmp_path / "both.png")
    draw("Some lines", {"alone": RIGHT, "with the voice": RIGHT}, tmp_path / "right.png")
    changed = (pixels(tmp_path / "both.png") != pixels(tmp_path / "right.png")).any(axis=2).any(axis=0)
    assert changed[:860].any()
    assert not changed[860:].any()


def test_a_line_whose_emotion_changes_is_drawn_as_it_is_and_as_it_was_told(tmp_path: Path) -> None:
    truth = np.repeat(np.eye(6)[[0, 3]], 100, axis=0)
    draw_changes("A line", {"as it is": truth, "as told": truth}, [2.0], tmp_path / "right.png")
    draw_changes("A line", {"as it is": truth, "as told": truth[::-1]}, [2.0], tmp_path / "wrong.png")
    right, wrong = pixels(tmp_path / "right.png"), pixels(tmp_path / "wrong.png")
    assert right.shape == (900, 1600, 3)
    changed = (right != wrong).any(axis=2).any(axis=1)
    assert not changed[:450].any()
    assert changed[500:].any()


def test_an_emotion_without_lines_and_one_voice_alone_are_drawn(tmp_path: Path) -> None:
    draw("No lines", {"alone": np.zeros((6, 6), int).tolist()}, tmp_path / "none.png")
    assert pixels(tmp_path / "none.png").min() < 100


def test_the_same_matrices_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw("Some lines", {"alone": RIGHT}, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="nowhere"):
        draw("Some lines", {"alone": RIGHT}, tmp_path / "nowhere" / "confusion.png")
