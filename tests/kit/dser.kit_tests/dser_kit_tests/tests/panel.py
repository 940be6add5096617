"""The panel as an animator has it: seen, clicked and typed into; what it made is read from the files that it saved."""

import json
import os
import re
import time
from pathlib import Path

import omni.kit.app
import omni.kit.test
import omni.ui as ui
from omni.kit import ui_test

from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.panel.view import View

LINE = Path(os.environ["KIT_LINE"])
PICTURES = Path(os.environ["KIT_PICTURES"])
EXTENSION = "dser.audio2face"
TITLE = "Auto-emote"
PATIENCE_SECONDS = 60


def find(query):
    found = ui_test.find(f"{TITLE}//Frame/**/{query}")
    assert found is not None, f"there is no {query} to be seen"
    return found


def there(query):
    return ui_test.find(f"{TITLE}//Frame/**/{query}") is not None


def button(label):
    return find(f"Button[*].text=='{label}'")


def words():
    """All that can be read."""
    return [each.widget.text for each in ui_test.find_all(f"{TITLE}//Frame/**/Label[*]") if ui_test.seen(each.widget)]


def says(part):
    return any(part in each for each in words())


def keyed():
    """Whether it is said how many keys there are."""
    return any(re.fullmatch(r"\d+ keys", each) for each in words())


async def until(holds, what):
    latest = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < latest, f"waited in vain for {what}; the panel says {words()}"
        await ui_test.wait_n_updates(1)
    await ui_test.wait_n_updates(3)


async def picture(name):
    await ui_test.wait_n_updates(3)
    await ui_test.screenshot(PICTURES / f"{name}.png")


async def enable(on):
    omni.kit.app.get_app().get_extension_manager().set_extension_enabled_immediate(EXTENSION, on)
    await ui_test.wait_n_updates(5)


class PanelTest(omni.kit.test.AsyncTestCase):
    """A panel that was opened anew, on a line of its own."""

    async def setUp(self):
        for left in LINE.parent.glob("*.json"):
            left.unlink()
        await enable(True)
        await self.place(640)

    async def tearDown(self):
        await enable(False)

    async def place(self, width, height=860):
        window = ui.Workspace.get_window(TITLE)
        window.position_x, window.position_y, window.width, window.height = 0, 0, width, height
        await ui_test.wait_n_updates(5)

    async def open(self, path=LINE):
        field = ui_test.find_all(f"{TITLE}//Frame/**/StringField[*]")[0]
        await field.input(str(path))
        await ui_test.press("ENTER")
        await ui_test.move(5, 5)

    async def emote(self):
        await self.open()
        await button("Auto-emote").click()
        await until(lambda: keyed() and there("Button[*].text=='Auto-emote'"), "keys")

    async def saved(self):
        """What the panel keeps of the line."""
        path = LINE.with_suffix(".dser.json")
        path.unlink(missing_ok=True)
        await ui_test.press("S", control=True)
        await until(path.exists, "the session")
        return json.loads(path.read_text())

    def curves(self, session):
        """Where the keys of a session are to be seen, and what listens to the mouse there."""
        ground = find("InvisibleButton[*].name=='curves'")
        view = View(int(ground.widget.computed_width), int(ground.widget.computed_height))
        view.fit(session["audio"]["seconds"])
        return view, ground

    def place_of(self, session, index, emotion):
        """Of a key's handle, on the screen."""
        view, ground = self.curves(session)
        keys = session["keyframes"]
        value = keys["values"][index][A2F_EMOTIONS.index(emotion)]
        return ground.at(view.x(keys["times"][index]), view.y(value))
