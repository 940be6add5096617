"""One actor's lines that are in the repository, as a corpus, and the shipped model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from dser_training.corpora.clip import Clip
from dser_training.corpora.clips import read

from dser_ext.emotion.names import EMOTIONS
from dser_ext.recognition.recognizer import Recognizer, loaded

ROOT = Path(__file__).parents[3]
VOTES = """\
"","A","D","F","H","N","S","fileName"
"100001",0,0,0,1,9,0,"1058_IEO_NEU_XX"
"100002",6,2,0,0,2,0,"1058_TIE_ANG_XX"
"300002",10,0,0,0,0,0,"1058_TIE_ANG_XX"
"""
PEOPLE = """\
"ActorID","Age","Sex"
1058,36,"Female"
"""


@pytest.fixture(scope="session")
def recognizer() -> Recognizer:
    return loaded()


@pytest.fixture(scope="session")
def crema_d(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight lines of a test actor; votes on two of them, and who she is."""
    folder = tmp_path_factory.mktemp("corpora") / "crema-d"
    shutil.copytree(ROOT / "samples" / "voice", folder / "1058")
    (folder / "tabulatedVotes.csv").write_text(VOTES, encoding="utf-8")
    (folder / "VideoDemographics.csv").write_text(PEOPLE, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def clips(crema_d: Path) -> list[Clip]:
    return read("crema-d", crema_d)


@pytest.fixture(scope="session")
def speaker() -> Callable[..., list[Clip]]:
    """Makes lines that no file is behind: so many of each emotion."""

    def lines(name: str = "made/1", **counts: int) -> list[Clip]:
        return [
            Clip(Path(f"{emotion}-{number}.wav"), name, EMOTIONS.index(emotion), "test")
            for emotion, count in counts.items()
            for number in range(count)
        ]

    return lines
