"""dser: help, version, warnings and the exit codes of what goes wrong."""

from __future__ import annotations

import warnings

import pytest

import dser_ext
from dser_ext.cli import info
from dser_ext.errors import AudioError, DserWarning


@pytest.fixture
def behave(dser, monkeypatch):
    """Runs a command that does what the test says."""

    def run(action):
        monkeypatch.setattr(info, "run", lambda _: action() or 0)
        return dser("info")

    return run


def test_help_shows_every_command_and_examples_and_exits_well(dser):
    done = dser("--help")
    assert done.code == 0
    commands = ("emote", "plot", "voice", "push", "relay", "engine", "bench", "info")
    assert all(f"    {name} " in done.out for name in commands)
    assert "dser emote line.wav -o line.json" in done.out


@pytest.mark.parametrize("command", ["emote", "plot", "voice", "push", "relay", "engine", "bench", "info"])
def test_help_of_a_command_explains_every_option(dser, command):
    done = dser(command, "--help")
    assert done.code == 0
    text = " ".join(done.out.split("options:")[1].split())
    for option in text.split(" --")[1:]:
        assert len(option.split()) > 2, f"--{option} is not explained"


def test_version(dser):
    done = dser("--version")
    assert (done.code, done.out) == (0, f"dser {dser_ext.__version__}\n")


@pytest.mark.parametrize(
    "arguments", [[], ["emot", "line.wav"], ["emote"], ["emote", "line.wav", "--stlye", "natural"]]
)
def test_a_mistyped_command_is_wrong_usage(dser, arguments):
    done = dser(*arguments)
    assert done.code == 2
    assert done.lines[0].startswith("usage: dser")


def test_a_mistyped_command_is_answered_with_those_there_are(dser):
    assert "'emot' (choose from" in dser("emot", "line.wav").lines[-1]


def test_an_error_is_one_line_and_exit_code_1(behave):
    def fail():
        raise AudioError("a\nb.wav: broken; \x1b[31mred")

    done = behave(fail)
    assert done.code == 1
    assert done.line == r"dser: a\nb.wav: broken; \x1b[31mred"


def test_an_interrupt_is_one_line_and_exit_code_1(behave):
    def stop():
        raise KeyboardInterrupt

    done = behave(stop)
    assert (done.code, done.line) == (1, "dser: stopped")


def test_a_warning_is_said_once_in_a_line_and_those_of_libraries_never(behave):
    def warn():
        for _ in range(3):
            warnings.warn("a.wav: short", DserWarning, stacklevel=1)
            warnings.warn("deprecated", RuntimeWarning, stacklevel=1)

    assert behave(warn).line == "dser: warning: a.wav: short"
    assert behave(warn).line == "dser: warning: a.wav: short"


def test_other_peoples_warnings_work_again_afterwards(dser):
    dser("info")
    with pytest.warns(UserWarning, match="mine"):
        warnings.warn("mine", UserWarning, stacklevel=1)
