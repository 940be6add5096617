"""What all readers have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from dser_training.corpora.clips import READERS, CorpusError, read


@pytest.mark.parametrize(
    ("corpus", "file"),
    [
        ("crema-d", "1001_IEO_JOY_LO.wav"),
        ("ravdess", "03-01-03.wav"),
        ("ravdess", "03-01-09-01-01-01-01.wav"),
        ("jl-corpus", "female1_bored_10a_1.wav"),
        ("jl-corpus", "female1_angry.wav"),
        ("voxmovies", "0001.wav"),
        ("bursts", "000001-31-1.ogg"),
        ("bursts", "anger.ogg"),
    ],
)
def test_a_wrong_name_is_said(lay: Callable[..., Path], corpus: str, file: str) -> None:
    with pytest.raises(CorpusError, match=rf"{file}.*; take it out of the corpus$"):
        read(corpus, lay(file))


@pytest.mark.parametrize("corpus", READERS)
def test_a_missing_folder_is_said(tmp_path: Path, corpus: str) -> None:
    with pytest.raises(CorpusError, match=f"none: no folder with {corpus}"):
        read(corpus, tmp_path / "none")


@pytest.mark.parametrize("corpus", [name for name in READERS if name != "manifest"])
def test_an_empty_folder_is_said(tmp_path: Path, corpus: str) -> None:
    with pytest.raises(CorpusError, match=f"no clips of {corpus} in it"):
        read(corpus, tmp_path)


def test_an_unknown_corpus_is_said(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"iemocap: no reader for this corpus; there are crema-d, .*manifest"):
        read("iemocap", tmp_path)


def test_stubs_that_a_mac_leaves_in_archives_are_no_clips(lay: Callable[..., Path]) -> None:
    folder = lay("id10029/abc/00001.wav", "id10029/abc/._00001.wav")
    assert [clip.path.name for clip in read("voxmovies", folder)] == ["00001.wav"]
