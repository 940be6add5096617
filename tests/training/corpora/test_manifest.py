"""A manifest: whatever it holds, clips come of it or one sentence that says what is wrong, and where."""

from __future__ import annotations

from pathlib import Path

import pytest
from dser_training.corpora.clips import CorpusError, read
from hypothesis import given
from hypothesis import strategies as st

from dser_ext.emotion.names import EMOTIONS

SIX = ",".join(EMOTIONS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one line to name, where each test writes its own manifest."""
    folder = tmp_path_factory.mktemp("manifest")
    (folder / "lines").mkdir()
    (folder / "lines" / "a.wav").write_bytes(b"")
    return folder


def write(folder: Path, text: str) -> Path:
    (folder / "manifest.csv").write_text(text, encoding="utf-8")
    return folder


def test_paths_are_relative_to_the_table_or_absolute(folder: Path) -> None:
    absolute = folder / "lines" / "a.wav"
    text = f"path,emotion,speaker,split\nlines/a.wav,anger,ann,test\n{absolute},fear,bob,\n"
    first, second = read("manifest", write(folder, text))
    assert (first.path, first.speaker, first.split) == (absolute, "manifest/ann", "test")
    assert first.emotion == EMOTIONS.index("anger")
    assert (second.path, second.split, second.mixture) == (absolute, "train", None)
    assert read("manifest", folder / "manifest.csv") == [first, second]


def test_a_mixture_is_scaled_and_its_largest_share_is_the_emotion(folder: Path) -> None:
    (clip,) = read("manifest", write(folder, f"path,speaker,{SIX}\nlines/a.wav,ann,1,0,0,3,0,0\n"))
    assert clip.mixture == (0.25, 0, 0, 0.75, 0, 0)
    assert clip.emotion == EMOTIONS.index("happiness")


def test_a_mixture_without_one_largest_share_has_no_emotion_but_that_which_is_named(folder: Path) -> None:
    text = f"path,speaker,emotion,{SIX}\nlines/a.wav,ann,,1,1,0,0,0,0\nlines/a.wav,ann,fear,1,1,0,0,0,0\n"
    tied, named = read("manifest", write(folder, text))
    assert tied.emotion is None
    assert named.emotion == EMOTIONS.index("fear")
    assert named.mixture == tied.mixture == (0.5, 0.5, 0, 0, 0, 0)


def test_a_table_saved_by_a_spreadsheet_is_read(folder: Path) -> None:
    text = '\ufeffpath, emotion, speaker\r\n"lines/a.wav", anger, ann\r\n\r\n'
    (folder / "manifest.csv").write_bytes(text.encode())
    (clip,) = read("manifest", folder)
    assert clip.speaker == "manifest/ann"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: no column path; name the columns there: path, speaker"),
        ("path,speaker,emotion\n", "line 2: no clips below the columns' names; add a line for each"),
        ("path,emotion\nlines/a.wav,anger\n", "line 1: no column speaker"),
        ("path,speaker\nlines/a.wav,ann\n", "line 2: no emotion; fill in the column emotion, or all of anger, "),
        ("path,speaker,emotion\nlines/a.wav,ann,rage\n", "line 2: emotion is 'rage'; it must be one of anger, "),
        ("path,speaker,emotion\nlines/a.wav,,anger\n", "line 2: no speaker; name who speaks"),
        ("path,speaker,emotion\nlines/a.wav,a,fear\nb.wav,a,fear\n", "line 3: path is 'b.wav', where there is no file"),
        ("path,speaker,emotion\n,a,fear\n", "line 2: path is '', where there is no file"),
        (f"path,speaker,emotion\n{'a' * 5000},a,fear\n", "line 2: path is 'aaa"),
        ("path,speaker,emotion,split\nlines/a.wav,a,fear,dev\n", "line 2: split is 'dev'; it must be one of train, "),
        ("path,speaker,emotion\nlines/a.wav,a,b,fear\n", "line 2: more cells than columns; put quotes around"),
        (f"path,speaker,{SIX}\nlines/a.wav,ann,1,0,-1,3,0,0\n", "line 2: fear is '-1'; write a number of at least 0"),
        (f"path,speaker,{SIX}\nlines/a.wav,ann,1,0,nan,3,0,0\n", "line 2: fear is 'nan'"),
        (f"path,speaker,{SIX}\nlines/a.wav,ann,1,0,,3,0,0\n", "line 2: fear is ''"),
        (f"path,speaker,{SIX}\nlines/a.wav,ann,0,0,0,0,0,0\n", "line 2: anger, .*, sadness sum to 0; write shares"),
        (f"path,speaker,{SIX}\nlines/a.wav,ann,1e308,1e308,0,0,0,0\n", "line 2: anger, .*, sadness sum to inf"),
        (f'path,speaker,emotion\nlines/a.wav,"{"a" * 140_000}', r"line 2: no CSV \(field larger"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(folder: Path, text: str, problem: str) -> None:
    with pytest.raises(CorpusError, match=f"manifest.csv, {problem}"):
        read("manifest", write(folder, text))


def test_a_table_in_another_encoding_is_said(folder: Path) -> None:
    (folder / "manifest.csv").write_bytes("path,speaker,emotion\nlines/a.wav,Zoë,fear\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"manifest.csv: not in UTF-8; save it as CSV in UTF-8"):
        read("manifest", folder)


def test_a_folder_without_a_manifest_is_said(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"manifest.csv: no such table; write one"):
        read("manifest", tmp_path)


cells = (
    st.sampled_from(["lines/a.wav", "lines", "ann", "anger", "train", "", "1", "0", "1e308", "nan", '"']) | st.text()
)
columns = st.sampled_from(["path", "speaker", "emotion", "split", *EMOTIONS])
tables = st.tuples(st.lists(columns | st.text(), max_size=12), st.lists(st.lists(cells, max_size=12), max_size=4))


@given(tables.map(lambda table: "\n".join(",".join(row) for row in [table[0], *table[1]]).encode(errors="replace")))
def test_any_table_gives_clips_or_one_sentence(folder: Path, table: bytes) -> None:
    check(folder, table)


@given(st.binary(max_size=60).map(lambda rest: b"path,speaker,emotion\n" + rest))
def test_any_bytes_give_clips_or_one_sentence(folder: Path, table: bytes) -> None:
    check(folder, table)


def check(folder: Path, table: bytes) -> None:
    (folder / "manifest.csv").write_bytes(table)
    try:
        clips, sentence = read("manifest", folder), ""
    except CorpusError as error:
        clips, sentence = [], str(error)
    assert bool(clips) != ("; " in sentence)
    assert "\n" not in sentence
    for clip in clips:
        assert clip.path.is_file()
        assert clip.mixture is None or sum(clip.mixture) == pytest.approx(1)


@given(st.lists(st.floats(0, 1e300), min_size=6, max_size=6).filter(any))
def test_any_shares_that_are_not_all_0_become_a_mixture(folder: Path, shares: list[float]) -> None:
    row = ",".join(map(repr, shares))
    (clip,) = read("manifest", write(folder, f"path,speaker,{SIX}\nlines/a.wav,ann,{row}\n"))
    assert clip.mixture is not None
    assert sum(clip.mixture) == pytest.approx(1)
    assert clip.emotion is None or shares[clip.emotion] == max(shares)
