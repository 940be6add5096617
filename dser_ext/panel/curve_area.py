"""The curves with their keys: a picture, and what the mouse does in it."""

from __future__ import annotations

from collections.abc import Callable

import omni.ui as ui

from dser_ext.panel import text, theme
from dser_ext.panel.document import Document
from dser_ext.panel.keyboard import SHIFT
from dser_ext.panel.model import Panel
from dser_ext.panel.picture import picture, ticks
from dser_ext.panel.view import View

LEFT, RIGHT, MIDDLE = 0, 1, 2
CLICK_PIXELS = 3.0  # within which a press and a release are a click
ZOOM = 0.8  # a notch of the wheel
MOST_LABELS, LABEL_ROOM = 24, 24  # labels, and pixels that each needs
LEAST_WIDTH, LEAST_HEIGHT = 50, 50  # pixels, below which nothing is drawn


class CurveArea:
    """Builds itself where it is made. view: what is seen; focus: the emotion touched last; frame: all of it."""

    def __init__(self, panel: Panel) -> None:
        self._panel, self.view, self.focus = panel, View(), ""
        self._drawn: tuple[object, ...] = ()
        self._document: Document | None = None
        self._provider = ui.ByteImageProvider()
        self._press: tuple[float, float] | None = None  # where a button went down
        self._drag: Callable[[float, float], None] | None = None
        # A frame that clips may be narrower than what is placed in it; else a panel could never become narrower again.
        self.frame = ui.Frame(horizontal_clipping=True)
        with self.frame, ui.VStack(spacing=0):
            with ui.ZStack():
                ui.Rectangle(style={"background_color": theme.argb(theme.PAPER)})
                ui.ImageWithProvider(self._provider, fill_policy=ui.IwpFillPolicy.IWP_STRETCH)
                with ui.Placer(offset_x=0) as self._head:
                    ui.Rectangle(width=1, style={"background_color": theme.argb(theme.TEXT)})
                self._empty = ui.Label(text.EMPTY, alignment=ui.Alignment.CENTER, name="soft")
                # A button, so that whoever drags in it does not drag the window.
                self._ground = ui.InvisibleButton(name="curves")
            self._labels = []
            with ui.ZStack(height=16):
                for _ in range(MOST_LABELS):
                    placer = ui.Placer(offset_x=0)
                    with placer:
                        label = ui.Label("", width=0, name="soft", visible=False)
                    self._labels.append((placer, label))
        ground = self._ground
        ground.set_mouse_pressed_fn(self._pressed)
        ground.set_mouse_moved_fn(self._moved)
        ground.set_mouse_released_fn(self._released)
        ground.set_mouse_double_clicked_fn(self._double_clicked)
        ground.set_mouse_wheel_fn(self._wheel)

    def fit(self) -> None:
        """See the whole line."""
        self.view.fit(self._panel.document.seconds)

    def tick(self) -> bool:
        """Draw, if there is something new to see; whether it was."""
        panel, view = self._panel, self.view
        document = panel.document
        if document.track is not (self._document.track if self._document else None):
            if self._document is None or document.seconds != self._document.seconds:
                view.fit(document.seconds)
            self._document = document
        view.width, view.height = int(self.frame.computed_width), int(self._ground.computed_height)
        if view.width < LEAST_WIDTH or view.height < LEAST_HEIGHT:
            return False
        seen = (view.width, view.height, view.start, view.end, view.kind, view.shown)
        wanted = (document, panel.chosen, panel.span, seen)
        self._head.offset_x = min(max(0.0, view.x(panel.playhead)), view.width - 1)
        self._head.visible = document.track is not None and view.start <= panel.playhead <= view.end
        if wanted == self._drawn:
            return False
        self._drawn = wanted
        image = picture(document, view, panel.chosen, panel.span)
        if hasattr(self._provider, "set_data_array"):
            self._provider.set_data_array(image, [view.width, view.height])
        else:  # of older Kits; not tried
            self._provider.set_bytes_data(image.ravel().tolist(), [view.width, view.height])
        self._empty.visible = document.track is None
        self._label()
        return True

    def _label(self) -> None:
        view = self.view
        places = ticks(view) if self._panel.document.track else []
        fitting = [seconds for seconds in places if view.x(seconds) < view.width - LABEL_ROOM][:MOST_LABELS]
        for number, (placer, label) in enumerate(self._labels):
            label.visible = number < len(fitting)
            placer.offset_x = max(0.0, view.x(fitting[number]) + 2) if label.visible else 0.0
            if label.visible:
                minutes, rest = divmod(fitting[number], 60)
                label.text = f"{minutes:.0f}:{rest:04.1f}" if view.end > 60 else f"{rest:g} s"

    def _place(self, x: float, y: float) -> tuple[float, float]:
        return x - self._ground.screen_position_x, y - self._ground.screen_position_y

    def _pressed(self, x: float, y: float, mouse: int, modifier: int) -> None:
        panel, view = self._panel, self.view
        x, y = self._place(x, y)
        self._press = (x, y)
        if mouse in (MIDDLE, RIGHT):
            self._drag = self._panning(x)
            return
        found = view.under(panel.document, x, y)
        if found is None or panel.document.edited is None:
            start = view.seconds(x)
            self._drag = lambda x, _: panel.choose_span(start, view.seconds(x))
            return
        index, self.focus = found
        moment = float(panel.document.edited.keys.times[index])
        if moment not in panel.chosen:
            panel.choose((moment,), more=bool(modifier & SHIFT))
        self._drag = self._dragging(x, y)

    def _dragging(self, x: float, y: float) -> Callable[[float, float], None]:
        """Moves the chosen keys with the mouse."""
        panel, view, since = self._panel, self.view, self._panel.document
        indices, emotion = panel.indices, self.focus

        def drag(now_x: float, now_y: float) -> None:
            frames = round((now_x - x) * (view.end - view.start) / view.width * since.fps)
            panel.drag(since, indices, frames, emotion, view.value(now_y - y))

        return drag

    def _panning(self, x: float) -> Callable[[float, float], None]:
        at = x

        def pan(now_x: float, _: float) -> None:
            nonlocal at
            self.view.scroll(at - now_x, self._panel.document.seconds)
            at = now_x

        return pan

    def _moved(self, x: float, y: float, modifier: int, pressed: bool) -> None:
        del modifier
        x, y = self._place(x, y)
        if self._drag is None or self._press is None or not pressed:
            return
        if max(abs(x - self._press[0]), abs(y - self._press[1])) > CLICK_PIXELS:
            self._drag(x, y)

    def _released(self, x: float, y: float, mouse: int, modifier: int) -> None:
        del modifier
        x, y = self._place(x, y)
        press, self._press, self._drag = self._press, None, None
        self._panel.drop()
        if press is None or mouse != LEFT or max(abs(x - press[0]), abs(y - press[1])) > CLICK_PIXELS:
            return
        self._panel.seek(self.view.seconds(x))
        if self.view.under(self._panel.document, x, y) is None:
            self._panel.choose_nothing()

    def _double_clicked(self, x: float, y: float, mouse: int, modifier: int) -> None:
        del modifier
        x, y = self._place(x, y)
        if mouse == LEFT and self.view.kind == text.FACE and self.view.under(self._panel.document, x, y) is None:
            self._panel.add_key(self.view.seconds(x))

    def _wheel(self, x: float, y: float, modifier: int) -> None:
        del modifier
        view, seconds = self.view, self._panel.document.seconds
        if abs(x) > abs(y):
            view.scroll(-x * view.width / 10, seconds)
            return
        at = view.x(self._panel.playhead)
        view.zoom(ZOOM**y, at if 0 <= at <= view.width else view.width / 2, seconds)
