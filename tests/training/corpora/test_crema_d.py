"""CREMA-D: names, splits, what raters heard, and who acts."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from dser_training.corpora.clips import CorpusError, read
from dser_training.corpora.split import actors

from dser_ext.emotion.names import EMOTIONS

LETTERS = "ADFHNS"  # as the published tables spell the six emotions
VOTES = """"","A","D","F","H","N","S","fileName","numResponses"
"100002",0,0,0,3,6,1,"1001_IEO_HAP_LO",10
"200002",0,0,0,9,1,0,"1001_IEO_HAP_LO",10
"300002",0,0,0,8,2,0,"1001_IEO_HAP_LO",10
"""
PEOPLE = """"ActorID","Age","Sex","Race","Ethnicity"
1001,51,"Male","Caucasian","Not Hispanic"
"""


def test_a_clip_is_read_by_its_published_name(lay: Callable[..., Path]) -> None:
    actor = actors()["test"][0]
    (clip,) = read("crema-d", lay(f"AudioWAV/{actor}_IEO_HAP_LO.wav"))
    assert clip.speaker == f"crema-d/{actor}"
    assert clip.emotion == EMOTIONS.index("happiness")
    assert clip.split == "test"
    assert (clip.mixture, clip.sex, clip.age) == (None, "", None)


def test_actors_outside_the_split_are_left_out(lay: Callable[..., Path]) -> None:
    folder = lay(f"{actors()['train'][0]}_IEO_HAP_LO.wav", "9999_IEO_HAP_LO.wav")
    assert len(read("crema-d", folder)) == 1


def test_of_a_clip_published_twice_the_uncompressed_file_is_read(lay: Callable[..., Path]) -> None:
    folder = lay("AudioMP3/1001_IEO_HAP_LO.mp3", "AudioWAV/1001_IEO_HAP_LO.wav")
    assert [clip.path.suffix for clip in read("crema-d", folder)] == [".wav"]


def test_the_mixture_is_what_raters_heard_without_seeing(lay: Callable[..., Path]) -> None:
    tables = {"processedResults/tabulatedVotes.csv": VOTES, "VideoDemographics.csv": PEOPLE}
    first, second = read("crema-d", lay("1001_IEO_HAP_LO.wav", "1002_IEO_HAP_LO.wav", **tables))
    assert first.mixture == (0, 0, 0, 0.3, 0.6, 0.1)
    assert first.emotion == EMOTIONS.index("happiness")
    assert (first.sex, first.age) == ("male", 51)
    assert (second.mixture, second.sex, second.age) == (None, "", None)


def test_the_tables_may_lie_in_a_folder_beside_the_corpus(lay: Callable[..., Path]) -> None:
    tables = {"../crema-d-ratings/tabulatedVotes.csv": VOTES, "../crema-d-ratings/VideoDemographics.csv": PEOPLE}
    (clip,) = read("crema-d", lay("1001_IEO_HAP_LO.wav", **tables))
    assert clip.mixture == (0, 0, 0, 0.3, 0.6, 0.1)
    assert clip.age == 51


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (VOTES.replace('"fileName"', '"file"'), "line 1: no column fileName"),
        (VOTES.replace("3,6,1", "3,six,1"), "line 2: N is 'six'"),
        (VOTES.replace("3,6,1", "0,0,0"), "line 2: A, D, F, H, N, S sum to 0"),
    ],
)
def test_a_damaged_table_is_said(lay: Callable[..., Path], table: str, problem: str) -> None:
    with pytest.raises(CorpusError, match=rf"tabulatedVotes.csv, {problem}"):
        read("crema-d", lay("1001_IEO_HAP_LO.wav", **{"tabulatedVotes.csv": table}))


def test_every_clip_at_hand_has_an_emotion_a_split_and_an_actor(data: Path) -> None:
    clips = read("crema-d", data / "crema-d")
    assert len(clips) == 6457
    assert {clip.emotion for clip in clips} == set(range(6))
    by_split = {name: {clip.speaker for clip in clips if clip.split == name} for name in ("train", "develop", "test")}
    assert [len(speakers) for speakers in by_split.values()] == [55, 12, 12]
    assert {clip.sex for clip in clips} == {"female", "male"}
    assert all(clip.age is not None and 20 <= clip.age <= 74 for clip in clips)  # as CREMA-D's README says


def test_the_votes_at_hand_agree_with_the_published_summary(data: Path) -> None:
    with (data / "crema-d-ratings" / "summaryTable.csv").open(newline="", encoding="utf-8") as lines:
        summary = {row["FileName"]: row["VoiceVote"] for row in csv.DictReader(lines)}
    clips = read("crema-d", data / "crema-d")
    for clip in clips:
        assert clip.mixture is not None
        assert sum(clip.mixture) == pytest.approx(1)
        most = [letter for letter, share in zip(LETTERS, clip.mixture, strict=True) if share == max(clip.mixture)]
        assert ":".join(most) == summary[clip.path.stem]
