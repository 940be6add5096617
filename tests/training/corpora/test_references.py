"""Which other lines a line is measured against in training."""

from __future__ import annotations

import numpy as np
from dser_training.corpora.references import training_references

from dser_ext.emotion.names import NEUTRAL


def test_no_line_is_measured_against_itself() -> None:
    random = np.random.default_rng(1)
    emotions = np.arange(60) % 6
    chosen = np.stack([training_references(emotions, random) for _ in range(20)])
    assert not chosen[:, np.arange(60), np.arange(60)].any()
    sizes = chosen.sum(axis=2)
    assert 0.1 < (sizes == 0).mean() < 0.3
    assert sizes.max() == 59


def test_some_lines_are_measured_against_neutral_ones_alone() -> None:
    emotions = np.arange(60) % 6
    chosen = training_references(emotions, np.random.default_rng(2))
    kinds = [set(emotions[row].tolist()) for row in chosen if row.sum() >= 3]
    assert {NEUTRAL} in kinds
    assert any(len(kind) == 6 for kind in kinds)
