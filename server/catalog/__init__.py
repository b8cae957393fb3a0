"""Rows: what Sluice knows about projects, videos, live streams, broadcasts, uploads, keys and events.

All SQL is here. One repository module per resource; each function takes a transaction and, where rows belong to
tenants, the `project_id`. A state change writes its event row in the same transaction (`events.record`).
It must not know HTTP, media or files.
"""
