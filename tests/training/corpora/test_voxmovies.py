"""VoxMovies, made small in the published layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dser_training.corpora.clips import read


def test_clips_have_a_speaker_but_no_emotion_and_all_train(lay: Callable[..., Path]) -> None:
    folder = lay(
        "vox_movies/voxmovies_train/id10029/0aBcD-1_x/00001.wav",
        "vox_movies/voxmovies_train/id10029/0aBcD-1_x/00002.wav",
        "vox_movies/voxmovies_test/id11251/7zZ/00001.wav",
        "vox_movies/evaluation_sets/e1.txt",
    )
    clips = read("voxmovies", folder)
    assert sorted(clip.speaker for clip in clips) == ["voxmovies/id10029", "voxmovies/id10029", "voxmovies/id11251"]
    assert {(clip.emotion, clip.split) for clip in clips} == {(None, "train")}
