"""Options of dser serve from a file and from variables."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from dser_ext.cli import serve
from dser_ext.cli.configured import configured
from dser_ext.errors import FormatError


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    return configured(parser, arguments)


def written(folder: Path, text: str) -> str:
    path = folder / "serve.yaml"
    path.write_text(text)
    return f"--config={path}"


def test_a_switch_is_true_or_false_in_a_file_and_in_a_variable(tmp_path, monkeypatch):
    file = written(tmp_path, "traces: true\ninsecure: false\n")
    assert (options(file).traces, options(file).insecure) == (True, False)
    monkeypatch.setenv("DSER_TRACES", "off")
    monkeypatch.setenv("DSER_INSECURE", "1")
    assert (options(file).traces, options(file).insecure) == (False, True)


def test_several_values_are_a_list_or_have_blanks_between_them(tmp_path, monkeypatch):
    assert options(written(tmp_path, "model: [dser-base, my own]\n")).model == ["dser-base", "my own"]
    monkeypatch.setenv("DSER_MODEL", "dser-base mine")
    assert options().model == ["dser-base", "mine"]


def test_a_key_without_a_value_says_nothing(tmp_path):
    given = options(written(tmp_path, "listen:\nmodel: []\ninsecure:\n"))
    assert (given.listen, given.model, given.insecure) == ("127.0.0.1:50061", None, False)


@pytest.mark.parametrize("text", ["insecure: maybe\n", "insecure: [true]\n", "insecure: 2\n"])
def test_what_is_neither_true_nor_false_is_refused(tmp_path, text):
    with pytest.raises(FormatError, match=r"insecure: .* is neither true nor false"):
        options(written(tmp_path, text))


def test_a_value_that_its_flag_does_not_take_is_told_with_where_it_stands(tmp_path, monkeypatch):
    file = written(tmp_path, "log-format: loud\n")
    with pytest.raises(FormatError, match=r"serve\.yaml: log-format: invalid choice: 'loud'"):
        options(file)
    (tmp_path / "serve.yaml").unlink()
    monkeypatch.setenv("DSER_LOG_FORMAT", "louder")
    with pytest.raises(FormatError, match=r"^DSER_LOG_FORMAT: invalid choice: 'louder'"):
        options()
