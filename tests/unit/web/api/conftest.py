"""Fixtures of the REST tests."""

from tests.unit.web.api.live_control import desk  # noqa: F401
