"""What can be asked of our service, each as a value that knows its messages and what to make of the answer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from google.protobuf.message_factory import GetMessageClass
from numpy.typing import ArrayLike, NDArray

from dser_ext import messages
from dser_ext.client.sound import Source, audio_format, called, pcm, sound
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import EmotionTrack, ModelInfo, VoiceInfo
from dser_ext.envelope import Envelope
from dser_ext.errors import FormatError, ServiceError
from dser_ext.messages import METHODS, SERVICE
from dser_ext.transfer import TrackParts, frames_messages, head_message, keyframes, keys_messages

Result = TypeVar("Result")
Report = Callable[[str, float, float], None]
"""Is told the stage ("waiting", "hearing", "telling", "keying", "animating"), the seconds of the line that are done,
and those in all, 0 if that is not known yet."""


class Request(Generic[Result]):
    """Something to ask for. method: of the service that is called."""

    method: ClassVar[str]

    def messages(self) -> Iterator[Any]:
        """What is sent, read anew each time. Raises AudioError if a file cannot be read."""
        raise NotImplementedError

    def answer(self, parts: Sequence[Any]) -> Result:
        """What the parts of the answer come to, Progress left out. Raises ServiceError if they make no sense."""
        raise NotImplementedError


@dataclass(frozen=True)
class Presentation:
    """What keys are made of a track: a preset's name or a Style, frames a second, and the largest error."""

    style: Style | str = "natural"
    fps: float = 30.0
    tolerance: float = 0.02

    def message(self) -> Any:
        style = json.dumps(self.style.to_json()) if isinstance(self.style, Style) else self.style
        return messages.Presentation(style=style, frame_rate_hz=self.fps, tolerance=self.tolerance)


@dataclass(frozen=True, eq=False)
class Recognized:
    """A line's track and keys; notes: why they may not be what was expected; waveform: if it was asked for."""

    track: EmotionTrack
    keyframes: Keyframes
    notes: list[str]
    waveform: Envelope | None


@dataclass(frozen=True, eq=False)
class Recognize(Request[Recognized]):
    """A whole line: a sound file, or samples (n,) or (n, channels) with their rate in Hz.

    voice: what a .voice file holds. model: a name from ListModels, "" for the service's first. name: of the line, in
    its track and in messages; unless given the path. waveform_bins: parts of the waveform, 0 for none.
    """

    method = "Recognize"
    source: Source
    sample_rate: int | None = None
    voice: bytes = b""
    model: str = ""
    name: str = ""
    presentation: Presentation = field(default_factory=Presentation)
    waveform_bins: int = 0

    def messages(self) -> Iterator[Any]:
        return _with_sound(messages.RecognizeRequest, self.options(), sound(self.source, self.sample_rate))

    def options(self) -> Any:
        return messages.RecognizeOptions(
            model=self.model,
            voice=self.voice,
            name=self.name or called(self.source),
            audio_format=audio_format(self.source, self.sample_rate),
            presentation=self.presentation.message(),
            waveform_bins=self.waveform_bins,
        )

    def answer(self, parts: Sequence[Any]) -> Recognized:
        head = next((part.head for part in parts if part.HasField("head")), None)
        if head is None:
            raise ServiceError("the service ended without a track; see its log, then try again")
        try:
            whole = TrackParts(head)
            for part in parts:
                if part.HasField("frames"):
                    whole.take(part.frames)
            keys = keyframes(part.keys for part in parts if part.HasField("keys"))
            return Recognized(whole.track(), keys, list(head.warnings), _waveform(head))
        except FormatError as error:
            raise ServiceError(f"the service sent no track ({error}); use one of the same version") from error


@dataclass(frozen=True, eq=False)
class Learned:
    """A voice: what its file holds, how much was heard, what it lacks ("" for nothing), which lines were left out."""

    voice: bytes
    info: VoiceInfo
    advice: str
    notes: list[str]


@dataclass(frozen=True)
class LearnVoice(Request[Learned]):
    """The voice of these lines of one speaker, added to another voice if one is given."""

    method = "LearnVoice"
    lines: Sequence[str | os.PathLike[str]]
    name: str = ""
    voice: bytes = b""
    model: str = ""

    def messages(self) -> Iterator[Any]:
        options = messages.VoiceOptions(model=self.model, name=self.name, voice=self.voice)
        yield messages.LearnVoiceRequest(options=options)
        for line in self.lines:
            yield messages.LearnVoiceRequest(line=messages.LineStart(name=os.fspath(line)))
            for piece in sound(line, None):
                yield messages.LearnVoiceRequest(audio=piece)

    def answer(self, parts: Sequence[Any]) -> Learned:
        (part,) = parts
        info = VoiceInfo(part.info.name, part.info.lines, part.info.seconds)
        return Learned(part.voice, info, part.advice, list(part.warnings))


@dataclass(frozen=True, eq=False)
class Export(Request[bytes]):
    """The file of a track, in a named format: "json", "csv", "a2f-yaml"."""

    method = "Export"
    track: EmotionTrack
    format: str = "json"
    presentation: Presentation = field(default_factory=Presentation)

    def messages(self) -> Iterator[Any]:
        options = messages.ExportOptions(format=self.format, presentation=self.presentation.message())
        yield messages.ExportRequest(options=options, head=head_message(self.track))
        for frames in frames_messages(self.track.concentration):
            yield messages.ExportRequest(frames=frames)

    def answer(self, parts: Sequence[Any]) -> bytes:
        return b"".join(part.data for part in parts)


@dataclass(frozen=True)
class Pushed:
    """The file of a line's animation; notes: why the keys may not be what was expected."""

    animation: bytes
    notes: list[str]


@dataclass(frozen=True, eq=False)
class Push(Request[Pushed]):
    """The file of a line's animation by the Audio2Face at `target`, "HOST:PORT", in a named format.

    settings: of Audio2Face, in YAML or JSON as `dser push --config` takes them. keys: to send; None: the line's own.
    function_id, function_version_id: of a hosted Audio2Face.
    """

    method = "Push"
    line: Recognize
    target: str
    tls: bool = False
    format: str = "a2f-json"
    settings: str = ""
    keys: Keyframes | None = None
    function_id: str = ""
    function_version_id: str = ""

    def messages(self) -> Iterator[Any]:
        options = messages.PushOptions(
            target=self.target,
            tls=self.tls,
            recognition=self.line.options(),
            format=self.format,
            settings=self.settings,
            function_id=self.function_id,
            function_version_id=self.function_version_id,
        )
        for part in keys_messages(self.keys) if self.keys else ():
            options.keys.MergeFrom(part)
        return _with_sound(messages.PushRequest, options, sound(self.line.source, self.line.sample_rate))

    def answer(self, parts: Sequence[Any]) -> Pushed:
        notes = [warning for part in parts for warning in part.warnings]
        return Pushed(b"".join(part.animation for part in parts), notes)


@dataclass(frozen=True)
class ListModels(Request[list[ModelInfo]]):
    """The models of the service."""

    method = "ListModels"

    def messages(self) -> Iterator[Any]:
        yield messages.ListModelsRequest()

    def answer(self, parts: Sequence[Any]) -> list[ModelInfo]:
        (part,) = parts
        return [ModelInfo(model.name, model.version, model.sha256) for model in part.models]


@dataclass(frozen=True)
class Model:
    """One model: its card, and what it runs on."""

    info: ModelInfo
    card: dict[str, Any]
    device: str


@dataclass(frozen=True)
class GetModel(Request[Model]):
    """The model of this name; "" for the service's first."""

    method = "GetModel"
    name: str = ""

    def messages(self) -> Iterator[Any]:
        yield messages.GetModelRequest(name=self.name)

    def answer(self, parts: Sequence[Any]) -> Model:
        (part,) = parts
        info = ModelInfo(part.model.name, part.model.version, part.model.sha256)
        return Model(info, json.loads(part.card), part.device)


@dataclass(frozen=True)
class Live:
    """How a line is recognised while it is spoken. sample_rate: Hz, of mono samples."""

    sample_rate: int
    voice: bytes = b""
    model: str = ""
    look_ahead_seconds: float | None = None

    def first(self) -> Any:
        """The first message."""
        options = messages.StreamOptions(
            model=self.model,
            voice=self.voice,
            pcm=pcm(self.sample_rate, 1),
            look_ahead_seconds=self.look_ahead_seconds,
        )
        return messages.RecognizeStreamRequest(options=options)

    def more(self, samples: ArrayLike) -> Any:
        """A message with more of the line, (n,) around ±1."""
        return messages.RecognizeStreamRequest(audio=np.asarray(samples, "<f4").tobytes())


@dataclass(frozen=True)
class Started:
    """How a live line goes: what a frame waits for, and how late it is at most beside computing, in seconds."""

    model: ModelInfo
    look_ahead_seconds: float
    latency_seconds: float

    @classmethod
    def of(cls, part: Any) -> Started:
        start = part.start
        model = ModelInfo(start.model.name, start.model.version, start.model.sha256)
        return cls(model, start.look_ahead_seconds, start.latency_seconds)


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of a live line that are final. first: number of the first one. concentration: (n, 6)."""

    first: int
    concentration: NDArray[np.float32]

    @classmethod
    def of(cls, part: Any) -> Frames:
        values = np.fromiter(part.frames.concentration, np.float32, len(part.frames.concentration))
        return cls(part.frames.first, values.reshape(-1, len(EMOTIONS)))


class Sending(Iterator[Any]):
    """Messages on their way. error: why they stopped in the middle, which gRPC would not say."""

    def __init__(self, messages_: Iterable[Any]) -> None:
        self._messages = iter(messages_)
        self.error: Exception | None = None

    def __next__(self) -> Any:
        try:
            return next(self._messages)
        except StopIteration:
            raise
        except Exception as error:
            self.error = error
            raise


def calling(channel: Any, name: str) -> Any:
    """A call of the service. Messages and answers are streams, even of one: on the wire there is no difference."""
    method = METHODS[name]
    request, response = (GetMessageClass(kind) for kind in (method.input_type, method.output_type))
    return channel.stream_stream(f"/{SERVICE}/{name}", request.SerializeToString, response.FromString)


def progress_of(part: Any) -> tuple[str, float, float] | None:
    """What a Report is told of a part of an answer; None if it is no Progress."""
    if "progress" not in part.DESCRIPTOR.fields_by_name or not part.HasField("progress"):
        return None
    stage = messages.Progress.Stage.Name(part.progress.stage).removeprefix("STAGE_").lower()
    return stage, part.progress.seconds, part.progress.total_seconds


def _with_sound(kind: Any, options: Any, pieces: Iterator[bytes]) -> Iterator[Any]:
    """Requests with options in the first, and the sound in all."""
    yield kind(options=options, audio=next(pieces, b""))
    for piece in pieces:
        yield kind(audio=piece)


def _waveform(head: Any) -> Envelope | None:
    if not head.HasField("waveform"):
        return None
    low, high = (np.array(values, np.float32) for values in (head.waveform.low, head.waveform.high))
    return Envelope(low, high, head.audio_seconds)
