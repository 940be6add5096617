"""The voices of a run: made of all lines of a speaker at first use, then frozen: one new line changes no other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import cached_property

from dser_ext.batch.ledger import Ledger
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.voice import VoiceLines, VoiceProfile


class Voices:
    """Frozen voices, each read from the ledger when it is first asked for.

    network: SHA-256 of the feature network of the model. A copy of each goes beside the ledger, for --voice elsewhere.
    """

    def __init__(self, ledger: Ledger, network: str, model: str) -> None:
        self._ledger, self._network, self._model = ledger, network, model
        self._known: dict[str, tuple[str | None, VoiceLines] | None] = {}

    def is_frozen(self, name: str) -> bool:
        """Whether lines are measured against it already."""
        return self._of(name) is not None

    def sha256(self, name: str | None) -> str | None:
        """Of a frozen voice; None for no voice, or one of lines without speech."""
        known = self._of(name) if name is not None else None
        return known[0] if known else None

    def without(self, name: str | None, audio: str) -> VoiceProfile | None:
        """The voice that a line is measured against: of the speaker's other lines, if there are any."""
        known = self._of(name) if name is not None else None
        return known[1].without(audio) if known else None

    def freeze(self, name: str, audios: Iterable[str]) -> None:
        """Make a voice of these sounds, once all were heard. One without speech is not frozen: nothing rests on it."""
        profiles = dict(self._ledger.profiles(audios, self._network))
        lines = VoiceLines(name, profiles)
        if lines.profile is None:
            self._known[name] = (None, lines)
            return
        sha256 = _checksum(profiles)
        self._ledger.freeze(lines.profile, sha256, profiles, self._recognizer.advice(lines.profile))
        self._known[name] = (sha256, lines)
        folder = self._ledger.path.parent / "voices"
        folder.mkdir(exist_ok=True)
        lines.profile.save(folder / file_name(name))

    @cached_property
    def _recognizer(self) -> Recognizer:
        return Recognizer(self._model, "cpu", threads=1)

    def _of(self, name: str) -> tuple[str | None, VoiceLines] | None:
        if name not in self._known:
            found = self._ledger.voice(name, self._network)
            if found is None:
                self._known[name] = None
            else:
                sha256, audios = found
                self._known[name] = (sha256, VoiceLines(name, dict(self._ledger.profiles(audios, self._network))))
        return self._known[name]


def file_name(voice: str) -> str:
    """Of a voice's copy: any name is told apart from any other, and none leads out of its folder."""
    plain = re.sub(r"[^\w-]+", "_", voice, flags=re.ASCII).strip("_")[:80]
    return f"{plain or 'voice'}-{hashlib.sha256(voice.encode('utf-8', 'surrogateescape')).hexdigest()[:6]}.voice"


def _checksum(profiles: dict[str, VoiceProfile]) -> str:
    digest = hashlib.sha256()
    for audio, profile in sorted(profiles.items()):
        digest.update(audio.encode() + profile.pieces.tobytes() + profile.piece_seconds.tobytes())
    return digest.hexdigest()
