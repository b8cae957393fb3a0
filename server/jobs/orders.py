"""How others order jobs."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from server.catalog.database import Transaction

# jobs.Jobs.enqueue, within the caller's transaction: project, kind, what the job is about, arguments
Enqueue = Callable[[Transaction, str, str, str, Mapping[str, Any]], Awaitable[object]]
