"""The committed split of CREMA-D's actors."""

from __future__ import annotations

from dser_training.corpora.split import SEED, actors, draw


def test_the_committed_split_is_the_one_its_seed_draws() -> None:
    split = actors()
    assert draw([*split["train"], *split["develop"], *split["test"]], SEED) == split


def test_train_develop_and_test_share_no_actor() -> None:
    split = actors()
    assert [len(split[name]) for name in ("train", "develop", "test")] == [55, 12, 12]
    assert len({*split["train"], *split["develop"], *split["test"]}) == 79
