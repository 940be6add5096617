"""Made sounds that are no speech."""

from __future__ import annotations

import numpy as np
from dser_training.corpora import nonspeech


def test_made_sounds_are_bounded_finite_and_drawn_from_their_seed() -> None:
    first, again = (nonspeech.make(1.5, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, again)
    random = np.random.default_rng(8)
    for _ in range(30):
        sound = nonspeech.make(0.7, random)
        assert sound.shape == (11_200,)
        assert np.isfinite(sound).all()
        assert 0 < np.abs(sound).max() <= 0.51
