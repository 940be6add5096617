"""CREMA-D (Cao et al. 2014): 91 actors, 12 sentences, six emotions, and what raters heard in each clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dser_training.corpora.clip import Clip, CorpusError, index
from dser_training.corpora.files import by_stem, media, table
from dser_training.corpora.split import actors
from dser_training.corpora.table import Row, rows

EMOTION = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"}
NUMBER, VOTES = "", ("A", "D", "F", "H", "N", "S")  # columns of tabulatedVotes.csv; votes in the order of EMOTIONS
VOICE_ONLY = range(100_001, 200_000)  # numbers of rows on clips heard but not seen; 2xxxxx were seen only, 3xxxxx both
RATINGS = "crema-d-ratings"  # a folder beside the corpus where the tables may be instead


def read(folder: Path) -> list[Clip]:
    """ACTOR_SENTENCE_EMOTION_LEVEL under any folders, split by actors.yaml; other actors are left out.

    The mixture is what raters heard in the voice alone, known where tabulatedVotes.csv is found; sex and age are known
    where VideoDemographics.csv is.
    """
    split = {actor: name for name, list_ in actors().items() for actor in list_}
    votes, people = _votes(folder), _people(folder)
    clips = []
    for path in sorted(by_stem(media(folder)).values()):
        fields = path.stem.split("_")
        if len(fields) != 4 or fields[2] not in EMOTION:
            raise CorpusError(f"{path}: no CREMA-D name (ACTOR_SENTENCE_EMOTION_LEVEL); take it out of the corpus")
        actor, emotion = fields[0], index(EMOTION[fields[2]])
        if actor in split:
            sex, age = people.get(actor, ("", None))
            mixture = votes.get(path.stem)
            clips.append(Clip(path, f"crema-d/{actor}", emotion, split[actor], mixture=mixture, sex=sex, age=age))
    return clips


def _votes(folder: Path) -> dict[str, tuple[float, ...]]:
    """Clip → shares of its raters. The published table has one voice-only row for each of its 7442 clips."""
    numbered = _rows(folder, "tabulatedVotes.csv", (NUMBER, *VOTES, "fileName"))
    return {row["fileName"]: row.mixture(VOTES) for row in numbered if int(row.number(NUMBER)) in VOICE_ONLY}


def _people(folder: Path) -> dict[str, tuple[str, int]]:
    """Actor → sex and age in years."""
    people = _rows(folder, "VideoDemographics.csv", ("ActorID", "Age", "Sex"))
    return {row["ActorID"]: (row["Sex"].lower(), int(row.number("Age"))) for row in people}


def _rows(folder: Path, name: str, columns: Sequence[str]) -> Iterator[Row]:
    found = table(folder, name) or table(folder.absolute().parent / RATINGS, name)
    return rows(found, columns) if found else iter(())
