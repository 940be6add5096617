"""Nothing is cut off, at any width that a panel is used at."""

import omni.ui as ui
from omni.kit import ui_test

from dser_kit_tests.tests.panel import TITLE, PanelTest, button, picture

SLACK = 1.5  # pixels


class TestLayout(PanelTest):
    async def test_nothing_is_clipped(self):
        await self.emote()
        for width in (420, 640, 1000):
            await self.place(width)
            await picture(f"width {width}")
            clipped = self.clipped(width)
            assert not clipped, f"at {width} pixels: {clipped}"
            await button("Folder").click()
            clipped = self.clipped(width)
            assert not clipped, f"folder at {width} pixels: {clipped}"
            await button("Line").click()

    def clipped(self, width):
        """What reaches beyond the window, and texts and buttons that are wider than their place."""
        found = []
        for each in ui_test.below(ui.Workspace.get_window(TITLE).frame):
            if not ui_test.seen(each):
                continue
            if each.screen_position_x + each.computed_width > width + SLACK:
                found.append((type(each).__name__, getattr(each, "text", each.name), "beyond"))
            needs = each.computed_content_width
            fits = getattr(each, "word_wrap", False) or getattr(each, "elided_text", False)
            if isinstance(each, (ui.Label, ui.Button)) and not fits and needs > each.computed_width + SLACK:
                found.append((type(each).__name__, each.text, round(needs - each.computed_width, 1)))
        return found
