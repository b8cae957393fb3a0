"""Plans on disk, beside what is made by them."""

from server.storage.layout import Layout
from server.vod.plan import Plan


def keep(layout: Layout, video_id: str, revision: int, plan: Plan) -> None:
    """In the place of the one before, whole or not at all."""
    path = layout.video_plan(video_id, revision)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_bytes(plan.to_bytes())
    temporary.replace(path)


def read(layout: Layout, video_id: str, revision: int) -> Plan:
    """Raises OSError, ValueError."""
    return Plan.of_bytes(layout.video_plan(video_id, revision).read_bytes())
