"""The extension starts and stops as often as one likes, and leaves nothing behind."""

import asyncio
import threading

import omni.ui as ui

from dser_kit_tests.tests.panel import TITLE, PanelTest, button, enable, keyed, says, there, until


def ours():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("dser")]


class TestExtension(PanelTest):
    async def test_it_comes_and_goes(self):
        tasks = len(asyncio.all_tasks())
        for _ in range(5):
            await enable(False)
            window = ui.Workspace.get_window(TITLE)
            assert window is None or not window.visible
            assert ours() == []
            assert len(asyncio.all_tasks()) == tasks
            await enable(True)
            assert ui.Workspace.get_window(TITLE).visible

    async def test_changes_that_were_not_saved_survive_it(self):
        await self.emote()
        await enable(False)
        await enable(True)
        await self.place(640)
        await self.open()
        assert says("closed with changes that were not saved")
        await button("Restore").click()
        await until(keyed, "keys")

    async def test_what_was_opened_is_remembered(self):
        await self.open()
        await enable(False)
        await enable(True)
        await self.place(640)
        await until(lambda: there("Button[*].text=='…'"), "the recent lines")
        assert button("…").widget.enabled
