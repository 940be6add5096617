"""Stands in for omni.kit.ui_test: widgets found by NVIDIA's queries, and input injected into the real omni.ui (ovui).

All that is private to ovui 0.3.0 is used here and nowhere else.
"""

import re

import omni.kit.app
import omni.ui as ui
from omni.ui import _ui

QUERY = re.compile(r"\*\*/(\w+|\*)(?:\[(\*|\d+)\])?(?:\.(\w+)==['\"](.*)['\"])?")
KEYS = {"LEFT": 513, "RIGHT": 514, "UP": 515, "DOWN": 516, "HOME": 519, "END": 520, "DEL": 522, "ENTER": 525}
KEYS |= {
    "ESCAPE": 526,
    **{letter: 546 + number for number, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")},
}  # ImGui's
CONTROL = (527, 1 << 12)


async def wait_n_updates(count=2):
    for _ in range(count):
        await omni.kit.app.get_app().next_update_async()


def below(widget):
    """All widgets inside of one that can be seen, or could be by scrolling."""
    for child in ui.Inspector.get_children(widget):
        if child.visible:
            yield child
            yield from below(child)


class WidgetRef:
    """A widget that was found."""

    def __init__(self, widget):
        self.widget = widget

    @property
    def model(self):
        return self.widget.model

    @property
    def center(self):
        return self.at(self.widget.computed_width / 2, self.widget.computed_height / 2)

    def at(self, x, y):
        return self.widget.screen_position_x + x, self.widget.screen_position_y + y

    async def click(self, pos=None):
        await click(*(pos or self.center))

    async def input(self, text):
        """Type in place of what is there."""
        await self.click()
        await press("A", control=True)
        _ui._inject_text_input(text)
        await wait_n_updates(2)


async def move(x, y):
    _ui._inject_mouse_move(x, y)
    await wait_n_updates(3)


async def click(x, y, times=1):
    await move(x, y)
    for _ in range(times):
        _ui._inject_mouse_button(0, True)
        await wait_n_updates(1)
        _ui._inject_mouse_button(0, False)
        await wait_n_updates(1)
    await wait_n_updates(2)


async def drag(start, end, button=0):
    """Press at one place, and let go at another."""
    await move(*start)
    _ui._inject_mouse_button(button, True)
    await wait_n_updates(1)
    for share in (0.25, 0.5, 0.75, 1.0):
        await move(*(one + share * (other - one) for one, other in zip(start, end, strict=True)))
    _ui._inject_mouse_button(button, False)
    await wait_n_updates(2)


async def scroll(x, y, notches):
    await move(x, y)
    _ui._inject_mouse_scroll(0, notches)
    await wait_n_updates(2)


async def press(key, control=False):
    held = CONTROL if control else ()
    for code in (*held, KEYS[key]):
        _ui._inject_key_event(code, True)
    await wait_n_updates(2)
    for code in (KEYS[key], *held):
        _ui._inject_key_event(code, False)
    await wait_n_updates(2)


async def screenshot(path):
    _ui._schedule_screenshot(str(path))
    await wait_n_updates(3)


def find_all(path):
    title, _, query = path.partition("//Frame/")
    window = ui.Workspace.get_window(title)
    found = QUERY.fullmatch(query)
    if window is None or found is None:
        return []
    kind, _, name, value = found.groups()
    widgets = [widget for widget in below(window.frame) if kind in ("*", type(widget).__name__)]
    if name:
        widgets = [widget for widget in widgets if str(getattr(widget, name, None)) == value]
    return [WidgetRef(widget) for widget in widgets]


def find(path):
    """The first one that has a size."""
    return next((each for each in find_all(path) if seen(each.widget)), None)


def seen(widget):
    return widget.computed_width > 0 and widget.computed_height > 0
