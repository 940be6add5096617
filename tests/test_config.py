"""Configuration files are read as plain values, whatever they hold, or refused in one sentence."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dser_ext.config import MAX_BYTES, read_config
from dser_ext.errors import FormatError


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes) -> Path:
        path = tmp_path / "a2f.yml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_yaml_is_read_with_the_numbers_that_people_write(write):
    document = read_config(write("a: {b: 1, c: 0.5, d: 1e-4, e: 1.5E+3, f: False}\n# note\ng:\n"))
    assert document == {"a": {"b": 1, "c": 0.5, "d": 1e-4, "e": 1500.0, "f": False}, "g": None}


def test_json_is_read_too(write):
    document = {"a": {"b": [1, 2.5, True, None, "täxt"]}}
    assert read_config(write(json.dumps(document))) == document


def test_an_empty_file_holds_nothing(write):
    assert read_config(write("")) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: [1", r"no YAML in line \d .*check indents and brackets"),
        ("a: 1\n b: 2", r"no YAML in line 2"),
        ("!!python/object/apply:os.system ['true']", "no YAML in line 1"),
        (b"\xff\xfe\xff", "no YAML or JSON that can be read"),
        ("a: \x00", "no YAML or JSON that can be read"),
        ("[" * 100_000, "no YAML or JSON that can be read"),
        ("#" * (MAX_BYTES + 1), "larger than 1 MiB"),
    ],
)
def test_what_is_no_configuration_is_refused(write, content, words):
    path = write(content)
    with pytest.raises(FormatError, match=words) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [".", "missing.yml", os.devnull])
def test_what_is_no_file_is_refused(name):
    with pytest.raises(FormatError, match="is no file"):
        read_config(name)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_a_format_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "a.yml"
    path.write_bytes(content)
    with contextlib.suppress(FormatError):
        read_config(path)
