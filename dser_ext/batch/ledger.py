"""Ledger: what has become of every line, and what was heard of it, in one SQLite file that survives whatever happens.

One process writes it, for which `place.opened` keeps all others out; any may read. Work is committed about once a
second: after a crash the last second's lines are done again, with the same result.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dser_ext.batch.work import Heard, Outcome
from dser_ext.errors import DserError
from dser_ext.recognition.voice import VoiceProfile

SCHEMA = "1"
COMMIT_SECONDS = 1.0
DONE, FAILED = "done", "failed"
"""States of a line; else it is waiting."""

TABLES = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS line (
    name TEXT PRIMARY KEY, source TEXT NOT NULL, stamp TEXT NOT NULL, columns TEXT NOT NULL,
    run INTEGER NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    audio TEXT, voice TEXT, style TEXT, made TEXT NOT NULL DEFAULT '{}',
    error TEXT, note TEXT, statistics TEXT, hear_seconds REAL, tell_seconds REAL, finished TEXT
);
CREATE TABLE IF NOT EXISTS heard (
    audio TEXT, network TEXT, seconds REAL NOT NULL, note TEXT, count INTEGER NOT NULL, speech BLOB NOT NULL,
    frames BLOB NOT NULL, pieces BLOB, piece_seconds BLOB, spoken_seconds REAL,
    PRIMARY KEY (audio, network)
);
CREATE TABLE IF NOT EXISTS voice (
    name TEXT, network TEXT, sha256 TEXT NOT NULL, lines INTEGER NOT NULL, seconds REAL NOT NULL, advice TEXT,
    frozen TEXT NOT NULL, PRIMARY KEY (name, network)
);
CREATE TABLE IF NOT EXISTS voice_line (
    voice TEXT, network TEXT, audio TEXT, PRIMARY KEY (voice, network, audio)
);
"""


@dataclass
class Row:
    """What the ledger says of a line. made: fingerprints of what was written, by format."""

    name: str
    stamp: str
    state: str
    audio: str | None
    made: dict[str, str]


class Ledger:
    """path: of the file, which is made if need be. reading: only read it, also while a run writes it.

    Raises DserError if it cannot be used.
    """

    def __init__(self, path: Path, *, reading: bool = False) -> None:
        self.path = path
        self.after_commit: Callable[[], None] | None = None
        self._last_commit = time.monotonic()
        try:
            mode = "ro" if reading else "rwc"
            self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            if not reading:
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.executescript(TABLES)
                self._db.execute("BEGIN")
                self._db.execute("INSERT OR IGNORE INTO about VALUES ('schema', ?)", (SCHEMA,))
                self.commit()  # who reads meanwhile sees a ledger
            schema = self.about("schema")
        except (sqlite3.Error, OSError) as error:
            raise DserError(
                f"{path}: cannot be used ({error}); check the folder, its permissions and the space"
            ) from error
        if schema != SCHEMA:
            raise DserError(f"{path}: was written by another version of dser; use that, or another output folder")

    def about(self, key: str) -> str | None:
        """What was noted under this key."""
        row = self._db.execute("SELECT value FROM about WHERE key = ?", (key,)).fetchone()
        return row["value"] if row else None

    def note(self, key: str, value: str) -> None:
        """Note something about the whole."""
        self._db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (key, value))

    def rows(self) -> dict[str, Row]:
        """All lines, by name."""
        found = self._db.execute("SELECT name, stamp, state, audio, made FROM line")
        return {
            unescaped(row["name"]): Row(
                unescaped(row["name"]), row["stamp"], row["state"], row["audio"], json.loads(row["made"])
            )
            for row in found
        }

    def begin(self, run: int, lines: Iterable[tuple[str, str, str, dict[str, str]]]) -> None:
        """Note the lines of a run: name, source, stamp and columns of each."""
        self._db.executemany(
            "INSERT INTO line (name, source, stamp, columns, run, state) VALUES (?, ?, ?, ?, ?, 'waiting') "
            "ON CONFLICT (name) DO UPDATE SET source = excluded.source, columns = excluded.columns, run = excluded.run",
            ((_escaped(n), _escaped(s), stamp, json.dumps(columns), run) for n, s, stamp, columns in lines),
        )
        self.note("run", str(run))
        self.commit()

    def waits(self, name: str, stamp: str, audio: str | None) -> None:
        """A line will be done (again)."""
        self._db.execute(
            "UPDATE line SET state = 'waiting', stamp = ?, audio = ? WHERE name = ?", (stamp, audio, _escaped(name))
        )

    def unchanged(self, name: str, stamp: str) -> None:
        """A line's file was touched, but says the same."""
        self._db.execute("UPDATE line SET stamp = ?, state = 'done' WHERE name = ?", (stamp, _escaped(name)))

    def failed(self, name: str, error: str) -> None:
        """Nothing came of a line."""
        self._db.execute(
            "UPDATE line SET state = 'failed', error = ?, note = NULL, attempts = attempts + 1, finished = ? "
            "WHERE name = ?",
            (_escaped(error), _now(), _escaped(name)),
        )

    def done(self, outcome: Outcome, audio: str, voice: str | None, style: str, made: dict[str, str]) -> None:
        """A line was written. style: as JSON. made: fingerprints by format."""
        self._db.execute(
            "UPDATE line SET state = 'done', error = NULL, note = ?, attempts = attempts + 1, audio = ?, voice = ?, "
            "style = ?, made = ?, statistics = ?, hear_seconds = ?, tell_seconds = ?, finished = ? WHERE name = ?",
            (
                _escaped(outcome.note) if outcome.note else None,
                audio,
                _escaped(voice) if voice is not None else None,
                style,
                json.dumps(made),
                json.dumps(outcome.statistics),
                round(outcome.hear_seconds, 4),
                round(outcome.tell_seconds, 4),
                _now(),
                _escaped(outcome.name),
            ),
        )

    def heard_as(self, name: str, audio: str) -> None:
        """What a line's file holds."""
        self._db.execute("UPDATE line SET audio = ? WHERE name = ?", (audio, _escaped(name)))

    def keep(self, network: str, heard: Heard) -> None:
        """Keep what was heard of a sound. network: SHA-256 of the feature network."""
        profile = heard.profile
        self._db.execute(
            "INSERT OR REPLACE INTO heard VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                heard.audio,
                network,
                heard.seconds,
                _escaped(heard.note) if heard.note else None,
                len(heard.speech),
                np.packbits(heard.speech).tobytes(),
                heard.frames,
                profile.pieces.astype("<f2").tobytes() if profile else None,
                profile.piece_seconds.astype("<f4").tobytes() if profile else None,
                profile.seconds if profile else None,
            ),
        )

    def is_kept(self, audio: str, network: str) -> bool:
        """Whether something was kept of a sound."""
        return bool(
            self._db.execute("SELECT 1 FROM heard WHERE audio = ? AND network = ?", (audio, network)).fetchone()
        )

    def heard(self, audio: str, network: str) -> Heard | None:
        """What was kept of a sound, without its profile."""
        row = self._db.execute("SELECT * FROM heard WHERE audio = ? AND network = ?", (audio, network)).fetchone()
        if row is None:
            return None
        speech = np.unpackbits(np.frombuffer(row["speech"], np.uint8), count=row["count"]).astype(np.bool_)
        return Heard(audio, row["seconds"], row["note"], speech, row["frames"], None)

    def profiles(self, audios: Iterable[str], network: str) -> Iterator[tuple[str, VoiceProfile]]:
        """The profiles of those sounds that have one, in the order of their checksums."""
        for audio in sorted(set(audios)):
            row = self._db.execute(
                "SELECT pieces, piece_seconds, spoken_seconds FROM heard WHERE audio = ? AND network = ?",
                (audio, network),
            ).fetchone()
            if row is None or row["pieces"] is None:
                continue
            seconds = np.frombuffer(row["piece_seconds"], "<f4")
            pieces = np.frombuffer(row["pieces"], "<f2").reshape(len(seconds), -1)
            yield audio, VoiceProfile(audio, pieces, seconds, 1, row["spoken_seconds"], network)

    def voice(self, name: str, network: str) -> tuple[str, list[str]] | None:
        """Checksum of a frozen voice, and of the sounds that it was made of; None if it is not frozen."""
        key = (_escaped(name), network)
        row = self._db.execute("SELECT sha256 FROM voice WHERE name = ? AND network = ?", key).fetchone()
        if row is None:
            return None
        found = self._db.execute("SELECT audio FROM voice_line WHERE voice = ? AND network = ? ORDER BY audio", key)
        return row["sha256"], [line["audio"] for line in found]

    def freeze(self, voice: VoiceProfile, sha256: str, audios: Iterable[str], advice: str | None) -> None:
        """Keep a voice as it is from now on."""
        key = (_escaped(voice.name), voice.features_sha256)
        self._db.execute(
            "INSERT OR REPLACE INTO voice VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*key, sha256, voice.lines, voice.seconds, advice, _now()),
        )
        self._db.execute("DELETE FROM voice_line WHERE voice = ? AND network = ?", key)
        self._db.executemany("INSERT INTO voice_line VALUES (?, ?, ?)", ((*key, audio) for audio in audios))
        self.commit()

    def thaw(self) -> None:
        """Forget all frozen voices, and what was heard of sounds that no line holds any more."""
        self._db.execute("DELETE FROM voice")
        self._db.execute("DELETE FROM voice_line")
        self._db.execute("DELETE FROM heard WHERE audio NOT IN (SELECT audio FROM line WHERE audio IS NOT NULL)")
        self.commit()

    def commit(self, *, if_due: bool = False) -> None:
        """Make sure of what was noted. if_due: only if that was last done a second ago."""
        if if_due and time.monotonic() - self._last_commit < COMMIT_SECONDS:
            return
        try:
            self._db.execute("COMMIT")
            self._db.execute("BEGIN")
        except sqlite3.Error as error:
            raise DserError(f"{self.path}: cannot be written ({error}); free some space there and run again") from error
        self._last_commit = time.monotonic()
        if self.after_commit:
            self.after_commit()

    def close(self) -> None:
        """Commit and close."""
        if self._db.in_transaction:
            self.commit()
        self._db.close()

    def lines(self, run: int) -> Iterator[sqlite3.Row]:
        """All that is known of the lines of a run, in the order of their names."""
        yield from self._db.execute("SELECT * FROM line WHERE run = ? ORDER BY name", (run,))

    def line(self, name: str) -> sqlite3.Row:
        """All that is known of a line. Raises KeyError if nothing is."""
        row = self._db.execute("SELECT * FROM line WHERE name = ?", (_escaped(name),)).fetchone()
        if row is None:
            raise KeyError(name)
        return row  # type: ignore[no-any-return]

    def voices(self) -> list[sqlite3.Row]:
        """Name, lines, seconds, advice and frozen of every frozen voice."""
        return self._db.execute("SELECT * FROM voice ORDER BY name").fetchall()


def _escaped(text: str) -> str:
    """Bytes of file names that are no Unicode become private characters, which no file system gives as names."""
    return "".join(chr(ord(char) - 0xDC80 + 0xF7780) if "\udc80" <= char <= "\udcff" else char for char in text)


def unescaped(text: str) -> str:
    """A name as file systems have it, of what the ledger has."""
    return "".join(chr(ord(char) - 0xF7780 + 0xDC80) if "\U000f7780" <= char <= "\U000f77ff" else char for char in text)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
