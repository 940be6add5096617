"""Where the real corpora are, and small made ones in the published layouts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"


@pytest.fixture
def data() -> Path:
    """The folder with the real corpora."""
    if not DATA.is_dir():
        pytest.skip("needs ../shared/data")
    return DATA


@pytest.fixture
def lay(tmp_path: Path) -> Callable[..., Path]:
    """Lays out a corpus of empty files and files with texts, each named by its path, and gives its folder."""

    def lay(*names: str, **texts: str) -> Path:
        for name, text in [*((name, "") for name in names), *texts.items()]:
            (tmp_path / "corpus" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "corpus" / name).write_text(text, encoding="utf-8")
        return tmp_path / "corpus"

    return lay
