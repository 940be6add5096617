"""The report of a batch: one HTML page that needs nothing else, and shows first where a person should look."""

from __future__ import annotations

import base64
import heapq
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dser_ext.audio import AudioFile
from dser_ext.batch.ledger import DONE, FAILED, Ledger, unescaped
from dser_ext.batch.outliers import outliers
from dser_ext.batch.run import LEFT_OUT, SETTINGS
from dser_ext.batch.store import delivered, is_remote, joined
from dser_ext.batch.voices import Voices
from dser_ext.batch.work import heard_again
from dser_ext.drawing.plot import WAVEFORM_BINS, draw
from dser_ext.emotion.colours import EMOTION_COLOURS
from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.style import Style
from dser_ext.envelope import Envelope, envelope
from dser_ext.errors import DserError
from dser_ext.formats.files import unicode_text, written_whole
from dser_ext.formats.track_json import Performance
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.steps import result

NAME, TEMPLATE = "report.html", "batch_report.html"
MOST_UNCERTAIN = 10
LISTED = 200  # failures, notes and outliers, each: more nobody reads; the ledger has them all


@dataclass
class Part:
    """All lines, or those of one voice. time: seconds of each emotion. lines: whose strongest emotion it is."""

    name: str
    count: int = 0
    seconds: float = 0.0
    time: Any = field(default_factory=lambda: np.zeros(len(EMOTIONS)))
    lines: Counter[str] = field(default_factory=Counter)
    advice: str = ""

    def add(self, stats: dict[str, Any]) -> None:
        """One more line."""
        self.count += 1
        self.seconds += stats["seconds"]
        self.time += stats["seconds"] * np.array(stats["mean"])
        self.lines[stats["strongest"]] += 1

    @property
    def shares(self) -> list[tuple[str, float, int]]:
        """Emotion, its share of the time, and the lines in which it is the strongest."""
        total = max(float(self.time.sum()), 1e-9)
        return [(name, float(self.time[index]) / total, self.lines[name]) for index, name in enumerate(EMOTIONS)]


@dataclass(frozen=True)
class Unsure:
    """A line that the model is least sure of. picture: a PNG in base64, empty if it could not be drawn."""

    name: str
    uncertainty: float
    strongest: str
    picture: str


def write_report(ledger: Ledger, out: str) -> str:
    """Write OUT/report.html on the lines of the last run; its path. Raises DserError if it cannot be written."""
    from jinja2 import Environment, FileSystemLoader  # here, because only reports need it

    run = int(ledger.about("run") or 0)
    everything = Part("all lines")
    voices: dict[str, Part] = {}
    states: Counter[str] = Counter()
    failures, notes, known = [], [], []
    for row in ledger.lines(run):
        name = unescaped(row["name"])
        states[row["state"]] += 1
        if row["state"] == FAILED:
            failures.append((name, row["error"], row["attempts"]))
        if row["state"] != DONE:
            continue
        if row["note"]:
            notes.append((name, row["note"]))
        stats = json.loads(row["statistics"])
        everything.add(stats)
        if row["voice"] is not None:
            voices.setdefault(row["voice"], Part(unescaped(row["voice"]))).add(stats)
        known.append((name, row["voice"], stats))
    for voice in ledger.voices():
        if part := voices.get(voice["name"]):
            part.advice = voice["advice"] or ""
    unsure = list(_unsure(ledger, known))
    unusual = outliers(known)
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
    page = environment.get_template(TEMPLATE).render(
        out=out,
        settings=json.loads(ledger.about(SETTINGS) or "{}"),
        states=states,
        everything=everything,
        voices=sorted(voices.values(), key=lambda part: part.name),
        colours=EMOTION_COLOURS,
        unsure=unsure,
        failures=failures[:LISTED],
        notes=notes[:LISTED],
        outliers=unusual[:LISTED],
        more={"failures": len(failures) - LISTED, "notes": len(notes) - LISTED, "outliers": len(unusual) - LISTED},
        left_out=json.loads(ledger.about(LEFT_OUT) or "[]")[:LISTED],
    )
    path = joined(out, NAME)
    with delivered(path) as place, written_whole(place) as file:
        file.write(unicode_text(page))
    return path


def _unsure(ledger: Ledger, known: list[tuple[str, str | None, dict[str, Any]]]) -> Iterator[Unsure]:
    spoken = [each for each in known if each[2]["speech_seconds"]]
    chosen = heapq.nlargest(MOST_UNCERTAIN, spoken, key=lambda each: each[2]["uncertainty"])
    if not chosen:
        return
    settings = json.loads(ledger.about(SETTINGS) or "{}")
    try:
        recognizer = Recognizer(settings["model"], "cpu")
    except (DserError, KeyError):
        recognizer = None
    network = recognizer.bundle.features_sha256 if recognizer else ""
    voices = Voices(ledger, network, settings.get("model", ""))
    for name, _, stats in chosen:
        picture = _picture(ledger, name, settings, recognizer, voices) if recognizer else ""
        yield Unsure(name, stats["uncertainty"], stats["strongest"], picture)


def _picture(ledger: Ledger, name: str, settings: dict[str, Any], recognizer: Recognizer, voices: Voices) -> str:
    """The plot of a line, made of what was kept of it: no line is heard again."""
    row = ledger.line(name)
    heard = ledger.heard(row["audio"], recognizer.bundle.features_sha256)
    if heard is None:
        return ""
    voice = voices.without(unescaped(row["voice"]) if row["voice"] is not None else None, row["audio"])
    source = unescaped(row["source"])
    try:
        track = result(recognizer.track_in_steps(heard_again(source, heard, recognizer), voice))
        style = Style.from_json(json.loads(row["style"]))
        performance = Performance.of(track, style, settings["fps"], settings["tolerance"])
        with tempfile.TemporaryDirectory(prefix="dser-") as folder:
            picture = Path(folder, "line.png")
            draw(performance, picture, waveform=_waveform(source, row["audio"]))
            return base64.b64encode(picture.read_bytes()).decode("ascii")
    except DserError:
        return ""


def _waveform(source: str, sha256: str) -> Envelope | None:
    if is_remote(source):
        return None
    try:
        audio = AudioFile(source)
        return envelope(audio.blocks(), WAVEFORM_BINS) if audio.sha256 == sha256 else None
    except DserError:
        return None
