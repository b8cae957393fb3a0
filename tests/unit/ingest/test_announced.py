"""What encoders say of themselves."""

from typing import Any

import pytest

from server.ingest.announced import announced
from server.ingest.on_air import Facts

OBS = {"encoder": "obs-output module (libobs version 30)", "framerate": 30.0, "videodatarate": 2500.0,
       "audiodatarate": 160.0}  # fmt: skip


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (OBS, Facts("obs-output module (libobs version 30)", "127.0.0.1", 30.0, 2_660_000.0)),
        ({}, Facts("FMLE/3.0", "127.0.0.1")),
        ({"audiodatarate": 128.0}, Facts("FMLE/3.0", "127.0.0.1")),
        ({"framerate": "30", "videodatarate": True, "encoder": 7}, Facts("FMLE/3.0", "127.0.0.1")),
        ({"framerate": float("nan"), "videodatarate": -1.0}, Facts("FMLE/3.0", "127.0.0.1")),
        ({"framerate": 1e9, "videodatarate": float("inf"), "encoder": "x" * 200}, Facts("x" * 80, "127.0.0.1")),
    ],
)
def test_announced(properties: dict[str, Any], expected: Facts) -> None:
    assert announced(properties, "FMLE/3.0", "127.0.0.1") == expected
