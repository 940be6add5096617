"""LearnVoice: lines of one speaker in, their voice out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import grpc

from dser_ext.errors import DserError
from dser_ext.messages import LearnVoiceResponse
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.voice import VoiceProfile, merge
from dser_ext.server.call import Call
from dser_ext.server.received import Received
from dser_ext.server.recognizing import given_voice
from dser_ext.server.refusal import RefusalError
from dser_ext.transfer import voice_message


async def learn_voice(call: Call) -> Any:
    """Answer one call of LearnVoice."""
    first = await call.first()
    options = first.options
    recognizer = call.recognizer(options.model)
    given = await given_voice(call, recognizer, options.voice)
    lines = _Lines(call, recognizer)
    with ExitStack() as last:
        sound: Received | None = None
        async for message in call.messages(first):
            if message.HasField("line"):
                if sound is not None:
                    await lines.learn(sound)
                last.close()
                sound = last.enter_context(Received(message.line.name, message.line.audio_format, call.limits))
            if message.audio and sound is None:
                raise RefusalError("sound came before a line had begun; send a LineStart with it", field="line")
            if sound is not None:
                sound.take(message.audio)
        if sound is not None:
            await lines.learn(sound)
    voice = merge(([given] if given else []) + list(lines.profiles.values()))
    if voice is None:
        reasons = "; ".join(lines.warnings[:3]) or "no lines came"
        raise RefusalError(f"no line with speech to tell a voice from ({reasons}); send other lines", field="line")
    voice = replace(voice, name=options.name or (given.name if given else "voice"))
    advice = await call.once(lambda: recognizer.advice(voice))
    return LearnVoiceResponse(
        voice=voice.to_bytes(), info=voice_message(voice.info), advice=advice or "", warnings=lines.warnings
    )


class _Lines:
    """The lines of one call. profiles: of those with speech, by checksum. warnings: of those that were left out."""

    def __init__(self, call: Call, recognizer: Recognizer) -> None:
        self._call, self._recognizer, self._count = call, recognizer, 0
        self.profiles: dict[str, VoiceProfile] = {}
        self.warnings: list[str] = []

    async def learn(self, sound: Received) -> None:
        """Hear one line. Raises RefusalError if there were too many before."""
        self._count += 1
        if self._count > self._call.limits.voice_lines:
            most = self._call.limits.voice_lines
            raise RefusalError(f"more than {most} lines for one voice; it tells as much from fewer", field="line")
        try:
            hearing = await self._call.work(self._recognizer.hear_in_steps(sound.audio()))
        except RefusalError as refusal:
            if refusal.code is not grpc.StatusCode.INVALID_ARGUMENT:  # it is not the line's fault
                raise
            self.warnings.append(f"{sound.name}: {refusal}")
            return
        except DserError as error:
            self.warnings.append(str(error))
            return
        if hearing.profile is None:
            self.warnings.append(f"{hearing.audio.path}: too little speech to tell a voice from, so it was left out")
            return
        self.profiles[await self._call.once(lambda: hearing.audio.sha256)] = hearing.profile
