"""A track goes in as it came out, and comes back as the file that Python writes."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from service import PATIENCE_SECONDS, method

import dser_ext
from dser_ext import messages
from dser_ext.formats import TRACK_FORMATS
from dser_ext.formats.track_json import Performance
from dser_ext.transfer import frames_messages, head_message


@pytest.fixture(scope="module")
def track() -> dser_ext.EmotionTrack:
    return dser_ext.recognize(dser_ext.sample_line())


def requests(track, options: dict, count: int | None = None) -> Iterator:
    yield messages.ExportRequest(options=messages.ExportOptions(**options), head=head_message(track))
    for frames in frames_messages(track.concentration[:count]):
        yield messages.ExportRequest(frames=frames)


def export(target: str, messages_: Iterator) -> bytes:
    with grpc.insecure_channel(target) as channel:
        return b"".join(part.data for part in method(channel, "Export")(messages_, timeout=PATIENCE_SECONDS))


@pytest.mark.parametrize("form", TRACK_FORMATS)
def test_every_format_is_written_as_from_python(running_service, track, tmp_path, form):
    asked = {"style": "expressive", "frame_rate_hz": 24, "tolerance": 0.05}
    data = export(running_service.target, requests(track, {"format": form, "presentation": asked}))
    performance = Performance.of(track, dser_ext.emotion.style.style("expressive"), 24.0, 0.05)
    TRACK_FORMATS[form].write(performance, tmp_path / "ours")
    assert data == (tmp_path / "ours").read_bytes()


@pytest.mark.parametrize(
    ("options", "count", "field"),
    [
        ({"format": "../../etc/passwd"}, None, "options.format"),
        ({"format": "json", "presentation": {"frame_rate_hz": 1e9}}, None, "options.presentation.frame_rate_hz"),
        ({"format": "json"}, 10, "frames"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(running_service, track, options, count, field, violations):
    with pytest.raises(grpc.RpcError) as caught:
        export(running_service.target, requests(track, options, count))
    assert [violation.field for violation in violations(caught.value)] == [field]
