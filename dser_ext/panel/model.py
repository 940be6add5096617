"""Panel: all that the Auto-emote panel knows and can do, without any UI.

Its methods are called from one thread, and never wait: what takes time is done by `work.Worker`, and `update`, called
once a frame, takes over what has come. `revision` grows with every change, so a view knows when to draw again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dser_ext.emotion.edits import EditedKeys
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.track import EmotionTrack
from dser_ext.envelope import Envelope
from dser_ext.errors import DserError
from dser_ext.formats import ANIMATION_FORMATS, TRACK_FORMATS
from dser_ext.formats.a2f_yaml import a2f_yaml
from dser_ext.formats.files import written_whole
from dser_ext.panel import text
from dser_ext.panel.document import Document, Voice, open_session, save_session, session_path, unsaved_path
from dser_ext.panel.editor import Editor, nothing
from dser_ext.panel.history import History
from dser_ext.panel.service import Service
from dser_ext.panel.voices import Heard, Voices
from dser_ext.panel.work import Task, Worker

RECOGNISE, KEYS, PUSH, SERVICE = "recognise", "keys", "push", "service"
WAVEFORM_BINS = 20_000
MOST_RECENT = 12
LIVE_SECONDS = 1.0  # without a change, after which a live panel pushes


@dataclass(frozen=True)
class Question:
    """Something to decide before it goes on: what is asked, and what each answer does."""

    sentence: str
    answers: tuple[tuple[str, Callable[[], None]], ...]


@dataclass(frozen=True)
class _Result:
    """What recognising came to; keys: made for the style asked for."""

    track: EmotionTrack
    keys: Keyframes
    waveform: Envelope | None
    notes: list[str]
    heard: Heard


class Panel(Editor):
    """The panel of one window. service: that hears the lines."""

    def __init__(self, service: Service | None = None) -> None:
        super().__init__()
        self.service = service or Service()
        self.recent: list[str] = []
        """Lines, the latest first; an application may remember them."""
        self.opened: list[str] = []
        """Those of this session."""
        self.question: Question | None = None
        self.heard = Heard()
        """The voice that the line was measured against last."""
        self.target = ""
        """Of Audio2Face, HOST:PORT."""
        self.animation_format = next(iter(ANIMATION_FORMATS))
        self.live = False
        self.key_scene: Callable[[Keyframes], str] | None = None
        """Where the panel runs in the Audio2Face app: keys its open scene, and returns what was keyed."""
        self.player_track: Callable[[], str] | None = None
        """There, too: asks for the name of the sound file on its player."""
        self._voices, self._worker = Voices(), Worker()
        self._remaking: Document | None = None  # whose keys are being made
        self._pushed: Document | None = None

    @property
    def task(self) -> Task | None:
        """What the animator waits for: recognising, or Audio2Face."""
        return self._worker.task(RECOGNISE) or self._worker.task(PUSH)

    def update(self) -> None:
        """Take over what has come; once a frame."""
        if self._worker.fetch():
            self._touch()
        document = self.document
        if document.pending and (self._worker.task(KEYS) is None or self._remaking is not document):
            self._remake(document)
        due = time.monotonic() - self._changed_at > LIVE_SECONDS
        if self.live and due and not document.pending and document.edited and document is not self._pushed:
            self.push()

    def close(self) -> None:
        """End what is going on; changes that are not saved are kept, and offered when the line is opened again."""
        self._worker.close()
        if self.dirty:
            with self._said():
                save_session(self.document, unsaved_path(self.document.path))

    # The line

    def open(self, path: str) -> None:
        """Another line, or the session kept beside it, or a session; asks first if there are unsaved changes."""
        path = path.strip().strip('"')
        if path:
            self._guarded(lambda: self._open(path))

    def _open(self, path: str) -> None:
        self.cancel()
        beside = session_path(path)
        session = path if path.lower().endswith(".json") else str(beside) if beside.is_file() else ""
        with self._said():
            if session:
                document = open_session(session)
            else:
                if not Path(path).is_file():
                    raise DserError(f"{path}: is no file; type the path of a recording, or drop it here")
                document = replace(self._settings(), path=path)
            self._history = History(document)
            self._saved = document
            self.chosen, self.span, self.playhead, self.notice = frozenset(), None, 0.0, ""
            if unsaved_path(document.path).is_file():
                self._offer(unsaved_path(document.path))
            self.recent = [document.path, *(each for each in self.recent if each != document.path)][:MOST_RECENT]
            self.opened = [*(each for each in self.opened if each != document.path), document.path]

    def _offer(self, unsaved: Path) -> None:
        """Ask what is to become of changes that were not saved."""

        def restore() -> None:
            with self._said():
                self._push(text.DID["restore"], open_session(unsaved))

        def drop() -> None:
            unsaved.unlink(missing_ok=True)

        answers = ((text.RESTORE, restore), (text.DROP_THEM, drop))
        self.question = Question(text.LEFT.format(name=unsaved.name.partition(".unsaved")[0]), answers)

    def open_played(self) -> None:
        """The line on the player of the Audio2Face app that this runs in; looked for where recent lines lie."""
        ask = self.player_track
        if ask is None:
            return
        folders = [Path(), *(Path(path).parent for path in self.recent)]

        def then(name: str) -> None:
            found = [folder / name for folder in folders if (folder / name).is_file()]
            if found:
                self.open(str(found[0]))
            else:
                self._fail(text.NOT_FOUND.format(name=name))

        self._start(SERVICE, lambda _: ask(), then)

    def _settings(self) -> Document:
        """A document without a line, with the settings of this one."""
        now = self.document
        return Document(voice=now.voice, style=now.style, fps=now.fps, tolerance=now.tolerance)

    def set_voice(self, voice: Voice) -> None:
        """Measure the line against another voice, from the next Auto-emote on."""
        if voice != self.document.voice:
            self._push(text.DID["voice"], replace(self.document, voice=voice), "voice")

    # Recognising

    def auto_emote(self) -> None:
        """Hear the line, and key its emotions."""
        document, session = self.document, list(self.opened)
        if not document.path:
            self._fail(text.NO_LINE)
            return
        self.problem = None

        def work(task: Task) -> _Result:
            from dser_ext.client.requests import Presentation, Recognize

            task.report("service", 0, 0)
            with self.service.client() as client:
                heard = self._voices.of(document.voice, document.path, session, client, task.report)
                asked = Presentation(document.style, document.fps, document.tolerance)
                request = Recognize(document.path, voice=heard.data, presentation=asked, waveform_bins=WAVEFORM_BINS)
                got = client.call(request, report=task.report)
            if document.voice.path and got.track.voice and not heard.lines:
                heard = replace(heard, lines=got.track.voice.lines, seconds=got.track.voice.seconds)
            return _Result(got.track, got.keyframes, got.waveform, got.notes, heard)

        def then(result: _Result) -> None:
            now, kept = self.document, self.document.edited
            self.heard, self.notice = result.heard, text.notes_in_words(result.notes)
            same = (now.style, now.fps, now.tolerance) == (document.style, document.fps, document.tolerance)
            fresh = kept is None or not (kept.kept.any() or kept.locks)
            edited = EditedKeys.untouched(result.keys) if fresh or kept is None else kept
            self._push(
                text.DID["recognise"],
                replace(now, track=result.track, edited=edited, waveform=result.waveform, pending=not (fresh and same)),
            )

        self._start(RECOGNISE, work, then)

    def cancel(self) -> None:
        """Stop recognising or pushing; nothing changes."""
        self._worker.cancel(RECOGNISE)
        self._worker.cancel(PUSH)
        self._touch()

    # Out of here

    def save(self) -> None:
        """Keep the session beside the line."""
        with self._said():
            path = session_path(self.document.path)
            save_session(self.document, path)
            self._saved, self.notice = self.document, text.SAVED.format(path=path.name)
            unsaved_path(self.document.path).unlink(missing_ok=True)

    def export(self, form: str) -> None:
        """Write a file of a named format beside the line."""
        with self._said():
            performance = self.document.performance
            if performance is None:
                raise DserError(text.NOTHING_YET)
            known = TRACK_FORMATS[form]
            path = Path(self.document.path).with_suffix(known.suffix)
            known.write(performance, path)
            self.notice = text.EXPORTED.format(path=path.name)

    def keys_as_yaml(self) -> str:
        """The keys for the clipboard; "" if there are none."""
        if self.document.edited is None:
            self._fail(text.NOTHING_YET)
            return ""
        self.notice = text.COPIED
        self._touch()
        return a2f_yaml(self.document.edited.keys)

    def push(self) -> None:
        """Have Audio2Face animate the line with the keys as they are."""
        document, target = self.document, self.target.strip()
        if document.edited is None:
            self._fail(text.NOTHING_YET)
            return
        self.problem, self._pushed = None, document
        keys, form = document.edited.keys, self.animation_format
        path = Path(document.path).with_suffix(animation_suffix(form))

        def work(task: Task) -> list[str]:
            from dser_ext.client.requests import Push, Recognize

            task.report("service", 0, 0)
            with self.service.client() as client:
                pushed = client.call(Push(Recognize(document.path), target, format=form, keys=keys), report=task.report)
            with written_whole(path, "wb") as file:
                file.write(pushed.animation)
            return pushed.notes

        def then(notes: list[str]) -> None:
            self.notice = "; ".join([text.PUSHED.format(path=path.name), *notes])

        self._start(PUSH, work, then)

    def key(self) -> None:
        """Key the face in the scene that this application has open."""
        with self._said():
            if self.document.edited is None:
                raise DserError(text.NOTHING_YET)
            if self.key_scene is not None:
                self.notice = text.KEYED.format(path=self.key_scene(self.document.edited.keys))

    # The service

    def look_for_service(self) -> None:
        """See whether the service is there."""
        self._start(SERVICE, lambda _: self.service.look(), nothing)

    def start_service(self) -> None:
        """Start the service."""
        self._start(SERVICE, lambda _: self.service.start(), nothing)

    def stop_service(self) -> None:
        """End the service."""
        self._start(SERVICE, lambda _: self.service.stop(), nothing)

    # Questions and problems

    def answer(self, number: int) -> None:
        """Answer the question with this one of its answers."""
        question, self.question = self.question, None
        if question is not None:
            question.answers[number][1]()
        self._touch()

    def _guarded(self, go_on: Callable[[], None]) -> None:
        """Go on, but not over unsaved changes without asking."""
        if not self.dirty:
            go_on()
            return

        def save() -> None:
            self.save()
            if not self.dirty:
                go_on()

        name = os.path.basename(self.document.path)  # noqa: PTH119 (as typed)
        answers = ((text.SAVE_THEM, save), (text.DROP_THEM, go_on), (text.STAY, nothing))
        self.question = Question(text.UNSAVED.format(name=name), answers)
        self._touch()

    def _remake(self, document: Document) -> None:
        self._remaking = document
        curves, edited = document.curves, document.edited
        if curves is None or edited is None:
            return

        def work(task: Task) -> EditedKeys:
            steps = edited.remade_in_steps(curves, document.tolerance)
            while True:
                try:
                    task.report("keying", next(steps), document.seconds)
                except StopIteration as end:
                    made: EditedKeys = end.value
                    return made

        def then(made: EditedKeys) -> None:
            if self.document is document:
                self._history.amend(replace(document, edited=made, pending=False))

        self._start(KEYS, work, then)

    def _start(self, name: str, work: Callable[[Task], Any], then: Callable[[Any], None]) -> None:
        self._worker.start(name, work, then, self._failed)
        self._touch()


def animation_suffix(form: str) -> str:
    """What the file of an animation ends in, beside that of the keys: "a2f-csv" → ".a2f.csv", "usda" → ".usda"."""
    suffix = ANIMATION_FORMATS[form].suffix
    return suffix if suffix == f".{form}" else f".{form.partition('-')[0]}{suffix}"
