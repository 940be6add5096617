"""Clips and their splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dser_training.corpora import nonspeech
from dser_training.corpora.clips import CorpusError, read
from dser_training.corpora.references import training_references
from dser_training.corpora.split import SEED, actors, draw

from dser_ext.emotion.names import EMOTIONS, NEUTRAL

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
needs_corpora = pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="needs ../shared/data")


def test_the_committed_split_is_the_one_its_seed_draws() -> None:
    split = actors()
    assert draw([*split["train"], *split["develop"], *split["test"]], SEED) == split


def test_train_develop_and_test_share_no_actor() -> None:
    split = actors()
    assert [len(split[name]) for name in ("train", "develop", "test")] == [55, 12, 12]
    assert len({*split["train"], *split["develop"], *split["test"]}) == 79


@needs_corpora
def test_every_crema_d_clip_at_hand_has_an_emotion_and_a_split() -> None:
    clips = read("crema-d", SHARED / "data" / "crema-d")
    assert len(clips) == 6457
    assert {clip.emotion for clip in clips} == set(range(6))
    by_split = {name: {clip.speaker for clip in clips if clip.split == name} for name in ("train", "develop", "test")}
    assert [len(speakers) for speakers in by_split.values()] == [55, 12, 12]


@needs_corpora
def test_ravdess_validates_only_and_its_calm_is_a_reference_only() -> None:
    clips = read("ravdess", SHARED / "data" / "ravdess")
    assert len(clips) == 1440
    assert {clip.split for clip in clips} == {"validate"}
    assert sum(clip.reference_only for clip in clips) == 192
    assert sum(clip.emotion is None for clip in clips) == 192


def test_a_crema_d_clip_is_read_by_its_published_name(tmp_path: Path) -> None:
    actor = actors()["test"][0]
    (tmp_path / f"{actor}_IEO_HAP_LO.wav").write_bytes(b"")
    (clip,) = read("crema-d", tmp_path)
    assert clip.speaker == f"crema-d/{actor}"
    assert clip.emotion == EMOTIONS.index("happiness")
    assert clip.split == "test"


def test_actors_outside_the_split_are_left_out(tmp_path: Path) -> None:
    (tmp_path / f"{actors()['train'][0]}_IEO_HAP_LO.wav").write_bytes(b"")
    (tmp_path / "9999_IEO_HAP_LO.wav").write_bytes(b"")
    assert len(read("crema-d", tmp_path)) == 1


@pytest.mark.parametrize(("corpus", "file"), [("crema-d", "1001_IEO_JOY_LO.wav"), ("ravdess", "03-01-03.wav")])
def test_a_wrong_name_is_said(tmp_path: Path, corpus: str, file: str) -> None:
    (tmp_path / file).write_bytes(b"")
    with pytest.raises(CorpusError, match=file):
        read(corpus, tmp_path)


def test_a_missing_an_empty_and_an_unknown_corpus_are_said(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no folder"):
        read("crema-d", tmp_path / "none")
    with pytest.raises(CorpusError, match="no clips"):
        read("ravdess", tmp_path)
    with pytest.raises(CorpusError, match="no reader"):
        read("iemocap", tmp_path)


def test_no_line_is_measured_against_itself() -> None:
    random = np.random.default_rng(1)
    emotions = np.arange(60) % 6
    chosen = np.stack([training_references(emotions, random) for _ in range(20)])
    assert not chosen[:, np.arange(60), np.arange(60)].any()
    sizes = chosen.sum(axis=2)
    assert 0.2 < (sizes == 0).mean() < 0.4
    assert sizes.max() == 59


def test_some_lines_are_measured_against_neutral_ones_alone() -> None:
    emotions = np.arange(60) % 6
    chosen = training_references(emotions, np.random.default_rng(2))
    kinds = [set(emotions[row].tolist()) for row in chosen if row.sum() >= 3]
    assert {NEUTRAL} in kinds
    assert any(len(kind) == 6 for kind in kinds)


def test_made_sounds_are_bounded_finite_and_drawn_from_their_seed() -> None:
    first, again = (nonspeech.make(1.5, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, again)
    random = np.random.default_rng(8)
    for _ in range(30):
        sound = nonspeech.make(0.7, random)
        assert sound.shape == (11_200,)
        assert np.isfinite(sound).all()
        assert 0 < np.abs(sound).max() <= 0.51
