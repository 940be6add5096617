"""Batch: a folder of lines, each recognised and kept as a session beside it, one after the other."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from dser_ext.emotion.edits import EditedKeys
from dser_ext.errors import DserError, ServiceError
from dser_ext.panel.document import Document, save_session, session_path
from dser_ext.panel.service import Service
from dser_ext.panel.voices import Voices, sounds_in
from dser_ext.panel.work import Task, Worker

WAITING, RUNNING, DONE, KEPT, FAILED = "waiting", "running", "done", "kept", "failed"
RUN = "run"


@dataclass
class Line:
    """One line of the folder. state: one of those above; reason: why it failed."""

    path: str
    state: str
    reason: str = ""


class Batch:
    """A folder's lines and what has become of them. revision grows with every change."""

    def __init__(self, service: Service) -> None:
        self.lines: list[Line] = []
        self.problem = ""
        self.revision = 0
        self._service, self._voices, self._worker = service, Voices(), Worker()
        self._lock = threading.Lock()

    @property
    def running(self) -> bool:
        """Whether lines are being recognised."""
        return self._worker.task(RUN) is not None

    def look(self, folder: str) -> None:
        """List the lines of a folder."""
        self.cancel()
        self.problem = ""
        try:
            paths = sounds_in(folder.strip())
        except DserError as error:
            self.lines, self.problem = [], str(error)
        else:
            self.lines = [Line(path, KEPT if session_path(path).exists() else WAITING) for path in paths]
        self.revision += 1

    def run(self, settings: Document) -> None:
        """Recognise all lines that have no keys yet. settings: voice, style and keys as in this document."""
        lines = [line for line in self.lines if line.state in (WAITING, FAILED)]
        folder = [line.path for line in self.lines]

        def work(task: Task) -> None:
            for line in lines:
                task.report("hearing", 0, 0)
                self._set(line, RUNNING)
                try:
                    self._one(task, line.path, settings, folder)
                except ServiceError:
                    self._set(line, WAITING)
                    raise
                except DserError as error:
                    self._set(line, FAILED, str(error))
                except BaseException:
                    self._set(line, WAITING)
                    raise
                else:
                    self._set(line, DONE)

        self.problem = ""
        self._worker.start(RUN, work, lambda _: self._ended(""), lambda error: self._ended(str(error)))
        self.revision += 1

    def cancel(self) -> None:
        """Stop; what is done stays done."""
        self._worker.cancel(RUN)
        self.revision += 1

    def update(self) -> None:
        """Take over what has come; once a frame."""
        self._worker.fetch()

    def close(self) -> None:
        """End what is going on."""
        self._worker.close()

    def _one(self, task: Task, path: str, settings: Document, folder: list[str]) -> None:
        from dser_ext.client.requests import Presentation, Recognize

        with self._service.client() as client:
            heard = self._voices.of(settings.voice, path, folder, client, task.report)
            asked = Presentation(settings.style, settings.fps, settings.tolerance)
            got = client.call(Recognize(path, voice=heard.data, presentation=asked), report=task.report)
        edited = EditedKeys.untouched(got.keyframes)
        document = replace(settings, path=path, track=got.track, edited=edited, waveform=None, pending=False)
        if not session_path(path).exists():
            save_session(document, session_path(path))

    def _set(self, line: Line, state: str, reason: str = "") -> None:
        with self._lock:
            line.state, line.reason = state, reason
            self.revision += 1

    def _ended(self, problem: str) -> None:
        self.problem = problem
        self.revision += 1
