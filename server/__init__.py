"""Sluice: a self-hosted video API in one process.

Modules are layered; `tests/meta/test_layers.py` holds the table of who may import whom.
"""
