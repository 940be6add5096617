"""Stands in for omni.kit.test: async tests on Kit's own loop, of the extensions in /exts/omni.kit.test/testExts."""

import asyncio
import importlib
import inspect
import sys
import traceback
import unittest

import carb.eventdispatcher
import carb.settings
import omni.ext
import omni.kit.app

FAILED = 13


class AsyncTestCase(unittest.TestCase):
    """Its setUp, tests and tearDown may be coroutines."""


async def _called(function):
    result = function()
    if inspect.isawaitable(result):
        await result


async def _run_case(case, results):
    results.startTest(case)
    try:
        await _called(case.setUp)
        try:
            await _called(getattr(case, case._testMethodName))
        finally:
            await _called(case.tearDown)
            case.doCleanups()
    except unittest.SkipTest as reason:
        results.addSkip(case, str(reason))
    except case.failureException:
        results.addFailure(case, sys.exc_info())
    except Exception:
        results.addError(case, sys.exc_info())
    else:
        results.addSuccess(case)
    results.stopTest(case)


async def _run_all():
    code = FAILED
    try:
        results = unittest.TextTestResult(unittest.runner._WritelnDecorator(sys.__stderr__), True, 2)
        manager = omni.kit.app.get_app().get_extension_manager()
        for extension in carb.settings.get_settings().get("/exts/omni.kit.test/testExts"):
            enabled = manager.get_enabled_extension_id(extension)
            if not enabled:
                raise RuntimeError(f"{extension} is not enabled")
            for module in manager.get_extension_dict(enabled)["python"]["module"]:
                if "name" in module:
                    tests = importlib.import_module(module["name"] + ".tests")
                    for suite in unittest.defaultTestLoader.loadTestsFromModule(tests):
                        for case in suite:
                            await _run_case(case, results)
        results.printErrors()
        wrong = len(results.failures) + len(results.errors)
        print(f"ran {results.testsRun} tests, {wrong} failed, {len(results.skipped)} skipped", flush=True)
        code = 0 if results.testsRun and not wrong else FAILED
    except Exception:
        traceback.print_exc()
    omni.kit.app.get_app().post_quit(code)


class Runner(omni.ext.IExt):
    """Runs the tests as soon as the application is ready."""

    def on_startup(self):
        def ready(_):
            self._running = asyncio.ensure_future(_run_all())

        self._ready = carb.eventdispatcher.get_eventdispatcher().observe_event(
            observer_name="omni.kit.test", event_name=omni.kit.app.GLOBAL_EVENT_APP_READY, on_event=ready
        )

    def on_shutdown(self):
        self._ready = self._running = None
