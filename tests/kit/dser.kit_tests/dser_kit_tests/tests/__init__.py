"""Where Kit's test runner looks for tests."""

from dser_kit_tests.tests.test_extension import *  # noqa: F403
from dser_kit_tests.tests.test_layout import *  # noqa: F403
from dser_kit_tests.tests.test_panel import *  # noqa: F403
