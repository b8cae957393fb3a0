"""An additional material's row as the dialect's JSON."""

from server.catalog.library_models import Material
from server.web.kinescope.shapes import Answer, Id, Moment


class MaterialAnswer(Answer):
    id: Id
    video_id: Id
    title: str
    filename: str
    filetype: str
    size: int
    position: int
    created_at: Moment
    updated_at: Moment
    deleted_at: None = None


def material(row: Material) -> MaterialAnswer:
    return MaterialAnswer(
        id=row.id,
        video_id=row.video_id,
        title=row.title,
        filename=row.filename,
        filetype=row.filetype,
        size=row.size or 0,
        position=row.position,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
