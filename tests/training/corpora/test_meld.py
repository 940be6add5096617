"""MELD, made small in the published layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from dser_training.corpora.clips import CorpusError, read

from dser_ext.emotion.names import EMOTIONS

HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
TRAIN = HEADER + (
    '1,"Oh my God, he’s lost it.",Phoebe,sadness,negative,0,0,4,7,"00:20:57,256","00:21:00,049"\n'
    '2,What?,Woman,surprise,negative,0,1,4,7,"00:21:01,927","00:21:03,261"\n'
    '3,Yeah!,Joey,joy,positive,1,0,4,7,"00:21:01,927","00:21:03,261"\n'
    '4,Hm.,Ross,neutral,neutral,125,3,4,7,"00:21:01,927","00:21:03,261"\n'
)
ONE = HEADER + '1,No!,Ross,anger,negative,0,0,4,7,"00:20:57,256","00:21:00,049"\n'
TABLES = {"train/train_sent_emo.csv": TRAIN, "dev_sent_emo.csv": ONE, "test_sent_emo.csv": ONE}
MEDIA = (
    "train/train_splits/dia0_utt0.mp4",
    "train/train_splits/dia0_utt1.mp4",
    "train/train_splits/dia125_utt3.mp4",
    "train/train_splits/._dia1_utt0.mp4",
    "dev/dev_splits_complete/dia0_utt0.mp4",
    "test/output_repeated_splits_test/dia0_utt0.mp4",
)


def test_lines_are_split_as_published_and_missing_or_broken_media_are_passed_over(lay: Callable[..., Path]) -> None:
    sad, surprised, developed, tested = read("meld", lay(*MEDIA, **TABLES))
    assert (sad.split, sad.speaker, sad.sex, sad.label) == ("train", "meld/Phoebe", "female", "sadness")
    assert sad.emotion == EMOTIONS.index("sadness")
    assert (surprised.emotion, surprised.label) == (None, "surprise")
    assert (developed.split, tested.split) == ("develop", "test")
    assert developed.speaker == tested.speaker == "meld/Ross"
    assert developed.path.parent.name == "dev_splits_complete"


def test_joy_is_happiness(lay: Callable[..., Path]) -> None:
    (clip,) = read("meld", lay("train_splits/dia1_utt0.mp4", **TABLES))
    assert clip.emotion == EMOTIONS.index("happiness")


def test_a_name_that_is_no_leads_is_a_voice_within_its_dialogue_only(lay: Callable[..., Path]) -> None:
    _, woman, *_ = read("meld", lay(*MEDIA, **TABLES))
    assert (woman.speaker, woman.sex) == ("meld/train-0/Woman", "")


def test_extracted_sound_is_preferred_to_the_video(lay: Callable[..., Path]) -> None:
    clips = read("meld", lay(*MEDIA, "train/train_splits/dia0_utt0.flac", **TABLES))
    assert [clip.path.suffix for clip in clips] == [".flac", ".mp4", ".mp4", ".mp4"]


def test_of_a_test_line_cut_twice_the_later_cut_is_read(lay: Callable[..., Path]) -> None:
    again = "test/output_repeated_splits_test/final_videos_testdia0_utt0.mp4"
    *_, tested = read("meld", lay(*MEDIA, again, **TABLES))
    assert tested.path.name == "final_videos_testdia0_utt0.mp4"


def test_tables_without_any_media_are_said(lay: Callable[..., Path]) -> None:
    with pytest.raises(CorpusError, match=r"no sound or video for any of its 6 lines; unpack train_splits, dev_splits"):
        read("meld", lay(**TABLES))


def test_an_unknown_emotion_is_said(lay: Callable[..., Path]) -> None:
    tables = TABLES | {"dev_sent_emo.csv": ONE.replace("anger", "rage")}
    with pytest.raises(CorpusError, match=r"dev_sent_emo.csv, line 2: Emotion is 'rage'; it must be one of anger, "):
        read("meld", lay(*MEDIA, **tables))
