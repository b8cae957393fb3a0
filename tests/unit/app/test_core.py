"""Which codec ladders are made in, where the build lacks an encoder or a driver fails."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, cast

import pytest

from server.app import core
from server.config import Config, VodConfig
from server.media.child import ChildFailed, Children
from server.media.codings import CODINGS
from server.media.transcoding import usable_encoder

Codec = Literal["h264", "hevc", "av1"]


class Tries:
    """Children that try encoders; one that is not named here works."""

    def __init__(self, **faults: str | ChildFailed) -> None:
        self.faults = faults
        self.tried: list[str] = []

    async def run(self, module: str, arguments: Mapping[str, Any], *_: object, on_line: Any) -> None:
        self.tried.append(arguments["encoder"])
        fault = self.faults.get(arguments["encoder"])
        if isinstance(fault, ChildFailed):
            raise fault
        on_line({"event": "tried", "fault": fault})


def wanting(codec: Codec) -> Config:
    return Config(vod=VodConfig(codec=codec))  # type: ignore[call-arg]


LACKING = "libsvtav1: libav was built without it"


@pytest.mark.parametrize(
    ("wanted", "faults", "codec", "tried"),
    [
        ("h264", {}, "h264", []),
        ("av1", {}, "av1", ["libsvtav1"]),
        ("hevc", {}, "hevc", ["libx265"]),
        ("av1", {"libsvtav1": LACKING}, "h264", ["libsvtav1"]),
        ("hevc", {"libsvtav1": LACKING}, "hevc", ["libx265"]),
        ("hevc", {"libx265": ChildFailed("crashed", "signal 11")}, "h264", ["libx265"]),
    ],
)
async def test_h264_takes_the_place_of_a_codec_that_can_t_be_encoded(
    wanted: Codec,
    faults: dict[str, str | ChildFailed],
    codec: str,
    tried: list[str],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    children = Tries(**faults)
    assert await core.usable_codec(wanting(wanted), cast(Children, children)) == codec
    assert children.tried == tried
    said = caplog.text + capsys.readouterr().out  # the log goes where another test may have sent it
    assert (f"h264 takes the place of {wanted}" in said) is (codec != wanted)
    assert (LACKING in said) is (codec != wanted and faults == {"libsvtav1": LACKING})


async def test_what_libav_was_built_without_is_found_out_by_a_real_child(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = {**CODINGS, "av1": replace(CODINGS["av1"], encoder="libnosuchav1")}
    monkeypatch.setattr(core, "CODINGS", lacking)
    async with Children(1) as children:
        assert await core.usable_codec(wanting("av1"), children) == "h264"
        assert await usable_encoder(children, "libnosuchav1") == (
            "libx264", ["libnosuchav1: libav was built without it"],
        )  # fmt: skip
        assert await core.usable_codec(wanting("hevc"), children) == "hevc"
