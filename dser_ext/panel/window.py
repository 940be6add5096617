"""PanelWindow: the Auto-emote panel in omni.ui, in a Kit application or on its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import omni.ui as ui

from dser_ext.panel import text, theme
from dser_ext.panel.batch_tab import BatchTab
from dser_ext.panel.controls import Look, Send
from dser_ext.panel.curve_area import CurveArea
from dser_ext.panel.document import FOLDER, PROFILE, VOICES, Voice
from dser_ext.panel.keyboard import CONTROL, SHIFT, key_names
from dser_ext.panel.model import Panel
from dser_ext.panel.service import READY, STARTING
from dser_ext.panel.text import FACE, HEARD
from dser_ext.panel.widgets import GAP, ROW, Fields, button, explain, pick

WIDTH, HEIGHT = 640, 860
CHIP = 104  # width of a name in the legend
NUDGE = 0.02  # of an emotion's value, by an arrow key
FAST = 10  # times as far with Shift


class PanelWindow:
    """The window. panel: what it shows; `tick` is to be called once a frame, `destroy` in the end."""

    def __init__(self, panel: Panel, copy: Callable[[str], None], **window: Any) -> None:
        self.panel, self._copy = panel, copy
        self._fields, self._keys = Fields(), key_names(ui)
        self._revision = -1
        self._built: dict[int, object] = {}
        self._progress: tuple[object, ...] = ()
        self.window = ui.Window(
            text.TITLE, **{"width": WIDTH, "height": HEIGHT, "padding_x": 8, "padding_y": 8, **window}
        )
        self.window.frame.set_style(theme.STYLE)
        self.window.set_key_pressed_fn(self._key)
        with self.window.frame:
            self._build()
        for frame in (self.window.frame, self.curves.frame):  # what clips is no part of what it lies in
            frame.set_accept_drop_fn(lambda _: True)
            frame.set_drop_fn(lambda event: self._dropped(event.mime_data))
        panel.look_for_service()

    def destroy(self) -> None:
        """Close the window, and end what is going on."""
        self.batch.close()
        self.panel.close()
        self.window.destroy()

    def tick(self) -> None:
        """Take over what has come, and show it."""
        self.panel.update()
        self.batch.tick()
        task = self.panel.task
        progress = (task.stage, round(task.done, 1), task.total) if task else ()
        if self.panel.revision != self._revision or progress != self._progress:
            self._revision, self._progress = self.panel.revision, progress
            with self._fields.filled():
                self._show()
        self.curves.tick()

    # What there is

    def _build(self) -> None:
        panel = self.panel
        with ui.VStack(spacing=GAP):
            with ui.HStack(height=ROW, spacing=GAP):
                self._tabs = [
                    button(text.SINGLE, text.LINE_TIP, lambda: self._tab(0), width=72, name="on"),
                    button(text.BATCH, text.FOLDER_TIP, lambda: self._tab(1), width=72),
                ]
                ui.Spacer()
                self._service = explain(ui.Label("", name="soft", width=0), text.SERVICE_TIP)
                self._start = button(text.START, text.SERVICE_TIP, self._start_or_stop, width=56)
            with ui.ZStack():
                self._single = ui.VStack(spacing=GAP)
                with self._single:
                    self._build_line()
                    self._build_curves()
                    with ui.ScrollingFrame(height=ui.Fraction(0.8)), ui.VStack(spacing=GAP, height=0):
                        self.look = Look(panel, self._fields)
                        self.send = Send(panel, self._fields, self._copy)
                self.batch = BatchTab(panel, self._fields, opened=lambda: self._tab(0))
            self._message = ui.Frame(height=0, build_fn=self._build_message)

    def _build_line(self) -> None:
        panel, fields = self.panel, self._fields
        with ui.HStack(height=ROW, spacing=GAP):
            explain(ui.Label(text.LINE, width=52), text.LINE_TIP)
            self._path = fields.text(text.LINE_TIP, self._typed)
            button(text.OPEN, text.OPEN_TIP, lambda: panel.open(self._path.model.get_value_as_string()), width=56)
            self._recent_frame = ui.Frame(width=26, build_fn=self._build_recent)
            if panel.player_track is not None:
                button(text.PLAYED, text.PLAYED_TIP, panel.open_played, width=56)
        with ui.HStack(height=ROW, spacing=GAP):
            explain(ui.Label(text.VOICE, width=52), text.VOICE_TIP)
            names = [text.VOICES[kind] for kind in VOICES]
            self._voice = fields.choice(text.VOICE_TIP, names, lambda index: self._choose_voice(VOICES[index]))
            self._voice_path = fields.text(
                text.VOICE_PATH_TIP, lambda path: panel.set_voice(Voice(panel.document.voice.kind, path.strip()))
            )
        self._advice = ui.Label("", name="soft", height=0, word_wrap=True)
        with ui.ZStack(height=34):
            self._go = button(text.AUTO_EMOTE, text.AUTO_EMOTE_TIP, panel.auto_emote, height=34, name="main")
            self._running = ui.HStack(spacing=GAP, visible=False)
            with self._running:
                with ui.ZStack():
                    self._bar = ui.ProgressBar(height=34)
                    self._stage = ui.Label("", alignment=ui.Alignment.CENTER)
                button(text.CANCEL, text.CANCEL_TIP, panel.cancel, width=72, height=34)

    def _build_recent(self) -> None:
        recent = self.panel.recent

        def open_menu() -> None:
            self._menu = ui.Menu(text.RECENT)
            with self._menu:
                for path in recent:
                    ui.MenuItem(os.path.basename(path), triggered_fn=partial(self.panel.open, path))  # noqa: PTH119
            self._menu.show()

        button("…", text.RECENT, open_menu, width=26, enabled=bool(recent))

    def _build_curves(self) -> None:
        panel = self.panel
        with ui.HStack(height=ROW, spacing=2):
            self._kinds = {
                kind: button(text.VIEWS[kind], tip, partial(self._see, kind), width=0)
                for kind, tip in ((FACE, text.FACE_TIP), (HEARD, text.HEARD_TIP))
            }
            ui.Spacer()
            self._count = ui.Label("", name="soft", width=0)
            button(text.FIT, text.FIT_TIP, lambda: self.curves.fit(), width=36)
        with ui.ZStack(height=ui.Fraction(1)):
            self.curves = CurveArea(panel)
        self._legend = ui.Frame(height=0, build_fn=self._build_legend)
        with ui.HStack(height=ROW, spacing=2):
            self._undo = button(text.UNDO, text.UNDO_TIP, panel.undo)
            self._redo = button(text.REDO, text.REDO_TIP, panel.redo)
            button(text.ADD, text.ADD_TIP, lambda: panel.add_key(panel.playhead))
            button(text.DELETE, text.DELETE_TIP, panel.delete)
            button(text.LOCK, text.LOCK_TIP, panel.lock)
            button(text.UNLOCK, text.UNLOCK_TIP, panel.unlock)

    def _build_legend(self) -> None:
        view = self.curves.view
        with ui.VGrid(column_width=CHIP, row_height=18):
            for name in view.names:
                on = name in view.shown
                with ui.ZStack():
                    with ui.HStack(spacing=GAP):
                        with ui.VStack(width=10):
                            ui.Spacer()
                            colour = theme.argb(theme.EMOTIONS[name] if on else theme.RULE)
                            ui.Rectangle(height=10, style={"background_color": colour, "border_radius": 2})
                            ui.Spacer()
                        ui.Label(name, name="" if on else "soft")
                    tip = text.LEGEND_TIP.format(name=name)
                    chip = explain(ui.Rectangle(style={"background_color": theme.CLEAR}, name=name), tip)
                chip.set_mouse_pressed_fn(lambda *_, name=name: self._legend_does(view.toggle, name))
                chip.set_mouse_double_clicked_fn(lambda *_, name=name: self._legend_does(view.solo, name))

    def _build_message(self) -> None:
        panel = self.panel
        if panel.question is not None:
            self._strip("question", panel.question.sentence, "", [answer for answer, _ in panel.question.answers])
        elif panel.problem is not None:
            self._strip("problem", panel.problem.sentence, panel.problem.details, [text.CLOSE])
        elif panel.notice:
            ui.Label(panel.notice, name="soft", word_wrap=True, height=0)
        else:
            ui.Spacer(height=0)  # a frame in which nothing is built keeps what it had

    def _strip(self, kind: str, sentence: str, details: str, answers: list[str]) -> None:
        with ui.ZStack(height=0):
            ui.Rectangle(name=kind)
            with ui.VStack(spacing=GAP, height=0):
                ui.Spacer(height=2)
                with ui.HStack(height=0, spacing=GAP):
                    ui.Spacer(width=2)
                    ui.Label(sentence, word_wrap=True, height=0)
                    for number, answer in enumerate(answers):
                        button(answer, answer, partial(self._answered, number), width=72)
                    ui.Spacer(width=2)
                if details:
                    with ui.CollapsableFrame(text.DETAILS, collapsed=True, height=0), ui.ScrollingFrame(height=120):
                        ui.Label(details, name="soft", word_wrap=True, height=0)
                ui.Spacer(height=2)

    # What it shows

    def _show(self) -> None:
        panel, document, status = self.panel, self.panel.document, self.panel.service.status
        self._fields.fill(self._path, document.path)
        pick(self._voice, VOICES.index(document.voice.kind))
        self._voice_path.visible = document.voice.kind in (PROFILE, FOLDER)
        self._fields.fill(self._voice_path, document.voice.path)
        self._advice.text = text.voice_words(
            document.voice.kind, panel.heard.lines, panel.heard.seconds, panel.heard.advice
        )
        ready = status.state == READY
        self._service.text = {
            READY: text.SERVICE_READY.format(model=status.model, device=status.device),
            STARTING: text.SERVICE_STARTING,
        }.get(status.state, text.SERVICE_OFF)
        self._service.name = "good" if ready else "soft"
        self._start.text = text.STOP if ready else text.START
        self._start.enabled = status.state != STARTING
        task = panel.task
        self._go.visible, self._running.visible = task is None, task is not None
        if task is not None:
            self._stage.text = text.STAGES.get(task.stage, task.stage)
            self._bar.model.set_value(min(1.0, task.done / task.total) if task.total else 0.0)
        for kind, each in self._kinds.items():
            each.name = "on" if kind == self.curves.view.kind else ""
        edited = document.edited
        self._count.text = text.KEYS.format(count=len(edited.keys.times)) if edited else ""
        self._undo.enabled, self._redo.enabled = bool(panel.undoes), bool(panel.redoes)
        explain(self._undo, text.UNDO_TIP.format(what=panel.undoes) if panel.undoes else text.NOTHING_TO_UNDO)
        explain(self._redo, text.REDO_TIP.format(what=panel.redoes) if panel.redoes else text.NOTHING_TO_REDO)
        self.look.show()
        self.send.show()
        self._rebuild(self._message, (panel.question, panel.problem, panel.notice))
        self._rebuild(self._recent_frame, tuple(panel.recent))

    def _rebuild(self, frame: Any, shows: object) -> None:
        """Build a frame anew if it is to show something else."""
        if self._built.get(id(frame)) != shows:
            self._built[id(frame)] = shows
            frame.rebuild()

    # What it does

    def _typed(self, path: str) -> None:
        if path.strip() and path != self.panel.document.path:
            self.panel.open(path)

    def _dropped(self, paths: str) -> None:
        """What was dropped on the panel: paths, one a line, of which the first counts."""
        self.panel.open((paths.splitlines() or [""])[0].removeprefix("file://"))

    def _choose_voice(self, kind: str) -> None:
        self.panel.set_voice(Voice(kind, self.panel.document.voice.path if kind in (PROFILE, FOLDER) else ""))

    def _start_or_stop(self) -> None:
        if self.panel.service.status.state == READY:
            self.panel.stop_service()
        else:
            self.panel.start_service()

    def _tab(self, number: int) -> None:
        self._single.visible, self.batch.visible = number == 0, number == 1
        for index, each in enumerate(self._tabs):
            each.name = "on" if index == number else ""

    def _see(self, kind: str) -> None:
        self.curves.view.kind = kind
        self._legend.rebuild()
        self._revision = -1

    def _legend_does(self, act: Callable[[str], None], name: str) -> None:
        act(name)
        self._legend.rebuild()

    def _answered(self, number: int) -> None:
        if self.panel.question is not None:
            self.panel.answer(number)
        else:
            self.panel.dismiss()

    def _key(self, key: int, modifier: int, pressed: bool) -> None:
        name = self._keys.get(key)
        if not pressed or name is None or self._fields.typing or not self._single.visible:
            return
        panel, far = self.panel, FAST if modifier & SHIFT else 1
        if modifier & CONTROL:
            acts: dict[str, Callable[[], None]] = {
                "Z": panel.redo if modifier & SHIFT else panel.undo,
                "Y": panel.redo,
                "A": panel.choose_all,
                "S": panel.save,
            }
        else:
            acts = {
                "ENTER": panel.auto_emote,
                "ESCAPE": panel.cancel if panel.task else panel.choose_nothing,
                "LEFT": lambda: self._arrow(-far, 0),
                "RIGHT": lambda: self._arrow(far, 0),
                "UP": lambda: self._arrow(0, far * NUDGE),
                "DOWN": lambda: self._arrow(0, -far * NUDGE),
                "HOME": lambda: panel.seek(0),
                "END": lambda: panel.seek(panel.document.seconds),
                "DEL": panel.delete,
                "F": self.curves.fit,
                "K": lambda: panel.add_key(panel.playhead),
                "L": panel.lock,
                "U": panel.unlock,
            }
        if name in acts:
            acts[name]()

    def _arrow(self, frames: int, rise: float) -> None:
        """Nudges the chosen keys, or the playhead where none is chosen."""
        if self.panel.chosen:
            self.panel.nudge(frames, self.curves.focus, rise)
        elif frames:
            self.panel.seek(self.panel.playhead + frames / self.panel.document.fps)
