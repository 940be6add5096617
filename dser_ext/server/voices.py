"""The voices that a relay measures lines against: one given, and those that it learns from each speaker's lines."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from dser_ext.recognition.voice import VoiceLines, VoiceProfile
from dser_ext.server.limits import Limits

GIVEN = "the voice given"  # in place of the checksum of a line


class Voices:
    """Voices by speaker. given: a profile that all lines are measured against. learn: whether to add heard lines to it.

    Kept in memory alone, for as many speakers and as many lines of each as the limits say; the latest stay.
    """

    def __init__(self, given: VoiceProfile | None, *, learn: bool, limits: Limits) -> None:
        self._given, self._learns, self._limits = given, learn, limits
        self._lines: OrderedDict[str, OrderedDict[str, VoiceProfile]] = OrderedDict()

    def of(self, speaker: str) -> VoiceLines | None:
        """The voice to measure a line of this speaker against."""
        lines: Mapping[str, VoiceProfile] = self._lines.get(speaker, {})
        if speaker in self._lines:
            self._lines.move_to_end(speaker)
        given = {GIVEN: self._given} if self._given is not None else {}
        return VoiceLines(speaker, {**given, **lines}) if given or lines else None

    def learn(self, speaker: str, sha256: str, profile: VoiceProfile | None) -> None:
        """Add a line, known by its checksum, that was heard to its end. profile: None if it had too little speech."""
        if not self._learns or profile is None:
            return
        lines = self._lines.setdefault(speaker, OrderedDict())
        self._lines.move_to_end(speaker)
        lines[sha256] = profile
        lines.move_to_end(sha256)
        while len(lines) > self._limits.voice_lines:
            lines.popitem(last=False)
        while len(self._lines) > self._limits.voices:
            self._lines.popitem(last=False)
