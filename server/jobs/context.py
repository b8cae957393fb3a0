"""What a running job is given."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

Result = TypeVar("Result")


class RunStep(Protocol):
    """Runs a step once and keeps its result (JSON) over crashes."""

    async def __call__(self, name: str, work: Callable[[], Awaitable[Any]], /) -> Any: ...


@dataclass(frozen=True, slots=True)
class JobContext:
    """`arguments` are those of the order; `object_id` is what the job is about."""

    job_id: str
    project_id: str
    object_id: str
    run_step: RunStep
    arguments: Mapping[str, Any] = field(default_factory=dict)

    async def step(self, name: str, work: Callable[[], Awaitable[Result]]) -> Result:
        """A part of the job that is not repeated once it is finished; its result must be JSON, and small.

        A crash in the middle repeats it, so what it does must bear that.
        """
        result: Result = await self.run_step(name, work)
        return result
