"""The panel's other tab: a folder of lines, what has become of each, run all, open one."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import omni.ui as ui

from dser_ext.panel import text
from dser_ext.panel.batch import FAILED, Batch
from dser_ext.panel.model import Panel
from dser_ext.panel.widgets import GAP, ROW, Fields, button, explain

STATE = 90  # pixels
NAMES = {"done": "good", "kept": "soft", "waiting": "soft", "running": "warn", "failed": "bad"}
MOST_ROWS = 500  # shown at once


class BatchTab:
    """Builds itself where it is made. opened: what follows when a line is opened."""

    def __init__(self, panel: Panel, fields: Fields, opened: Callable[[], None]) -> None:
        self._panel, self._opened, self.batch = panel, opened, Batch(panel.service)
        self._shown = -1
        self._frame = ui.VStack(spacing=GAP, visible=False)
        with self._frame:
            with ui.HStack(height=ROW, spacing=GAP):
                explain(ui.Label(text.FOLDER, width=52), text.FOLDER_TIP)
                self._folder = fields.text(text.FOLDER_TIP, self.batch.look)
                button(text.OPEN, text.FOLDER_TIP, self._look, width=56)
            with ui.ZStack(height=34):
                self._go = button(text.RUN, text.RUN_TIP, self._run, height=34, name="main")
                self._stop = button(text.CANCEL, text.CANCEL_TIP, self.batch.cancel, height=34, visible=False)
            with ui.ScrollingFrame():
                self._rows = ui.Frame(build_fn=self._build)

    @property
    def visible(self) -> bool:
        """Whether it is the tab that is seen."""
        return bool(self._frame.visible)

    @visible.setter
    def visible(self, visible: bool) -> None:
        self._frame.visible = visible

    def tick(self) -> None:
        """Take over what has come, and show it."""
        self.batch.update()
        if self.batch.revision != self._shown:
            self._shown = self.batch.revision
            self._go.visible, self._stop.visible = not self.batch.running, self.batch.running
            self._rows.rebuild()

    def close(self) -> None:
        """End what is going on."""
        self.batch.close()

    def _build(self) -> None:
        with ui.VStack(height=0, spacing=2):
            if self.batch.problem:
                ui.Label(self.batch.problem, name="bad", word_wrap=True, height=0)
            for line in self.batch.lines[:MOST_ROWS]:
                with ui.HStack(height=ROW, spacing=GAP):
                    ui.Label(os.path.basename(line.path), elided_text=True, tooltip=line.path)  # noqa: PTH119 (as typed)
                    ui.Label(text.STATES[line.state], width=STATE, name=NAMES[line.state], tooltip=line.reason)
                    button(text.OPEN, text.OPEN_TIP, partial(self._open, line.path), width=56)
                if line.state == FAILED:
                    ui.Label(line.reason, name="bad", word_wrap=True, height=0)

    def _look(self) -> None:
        self.batch.look(self._folder.model.get_value_as_string())

    def _run(self) -> None:
        self.batch.run(self._panel.document)

    def _open(self, path: str) -> None:
        self._panel.open(path)
        self._opened()
