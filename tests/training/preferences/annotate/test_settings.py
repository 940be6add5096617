"""What is no setting, or cannot be, is refused before anybody is asked anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from dser_training.config import ConfigError
from dser_training.preferences.annotate.serve import door_of
from dser_training.preferences.annotate.settings import AnnotateConfig, load

from dser_ext.errors import DserError

SHIPPED = Path(__file__).parents[4] / "training" / "configs" / "annotate.yaml"


def test_the_shipped_settings_are_some():
    assert load(SHIPPED, ["listen=127.0.0.1:9"]) == AnnotateConfig("candidates", listen="127.0.0.1:9")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("port=1", "port is no setting; those are"),
        ("overlap=2.0", "overlap is 2.0; write a share from 0 to 1"),
        ("overlap=much", "overlap is 'much'; write a number"),
        ("checks=0.9", "at most half of the questions"),
        ("least_caught=-1", "write a share from 0 to 1"),
        ("certificate=c.pem", "certificate and key go together"),
        ("a2f=nowhere", "a2f is 'nowhere'; write HOST:PORT"),
        ("store=sqlite://", "which nothing would remain of"),
    ],
)
def test_what_cannot_be_is_named(override, said):
    with pytest.raises(ConfigError, match=said):
        load(SHIPPED, [override])


def test_without_candidates_there_is_nothing_to_ask(tmp_path):
    (tmp_path / "a.yaml").write_text("overlap: 0.5\n")
    with pytest.raises(ConfigError, match="candidates"):
        load(tmp_path / "a.yaml", [])


class TestTheDoor:
    @pytest.mark.parametrize("listen", ["0.0.0.0:8300", "faces.studio.example:8300", ":::8300"])
    def test_lets_nobody_else_in_without_tls_and_token(self, listen):
        with pytest.raises(DserError, match="others than this machine could come in there"):
            door_of(AnnotateConfig("c", listen=listen))

    def test_lets_others_in_with_them(self, certificates, monkeypatch):
        monkeypatch.setenv("DSER_TOKEN", "secret")
        pems = {"certificate": certificates.path("service.pem"), "key": certificates.path("service.key")}
        assert door_of(AnnotateConfig("c", listen="0.0.0.0:8300", **pems)).safe
        monkeypatch.delenv("DSER_TOKEN")
        with pytest.raises(DserError, match="set a token"):
            door_of(AnnotateConfig("c", listen="0.0.0.0:8300", **pems))

    def test_says_what_is_no_certificate(self, tmp_path):
        (tmp_path / "c.pem").write_text("no certificate")
        config = AnnotateConfig("c", certificate=str(tmp_path / "c.pem"), key=str(tmp_path / "c.pem"))
        with pytest.raises(ConfigError, match="cannot be used for TLS; name PEM files that belong together"):
            door_of(config)
        with pytest.raises(DserError, match=r"none\.pem: cannot be read"):
            door_of(AnnotateConfig("c", certificate="none.pem", key="none.pem"))

    @pytest.mark.parametrize("listen", ["unix:/tmp/a", "8300", "localhost", "localhost:port"])
    def test_is_an_address(self, listen):
        with pytest.raises(DserError, match="HOST:PORT"):
            door_of(AnnotateConfig("c", listen=listen))
