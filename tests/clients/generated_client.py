"""A round through the API with the package that openapi-python-client made of the server's own document.

python generated_client.py http://127.0.0.1:8080 KEY FILE
"""

import json
import sys
from pathlib import Path

from sluice_client import AuthenticatedClient
from sluice_client.api.videos import (
    get_videos,
    get_videos_video_id,
    post_videos,
    post_videos_video_id_source,
)
from sluice_client.models import Problem, VideoAnswer, VideoCreation, VideoList
from sluice_client.models.post_videos_video_id_source_body import PostVideosVideoIdSourceBody
from sluice_client.types import File


def main(base: str, key: str, file: Path) -> dict[str, object]:
    with AuthenticatedClient(base_url=base, token=key, raise_on_unexpected_status=True) as client:
        made = post_videos.sync(client=client, body=VideoCreation(title="Made by a generated client", tags=["py"]))
        assert isinstance(made, VideoAnswer), made
        with file.open("rb") as payload:
            body = PostVideosVideoIdSourceBody(file=File(payload=payload, file_name="clip.mp4"))
            sent = post_videos_video_id_source.sync(made.video_id, client=client, body=body)
        assert isinstance(sent, VideoAnswer), sent
        page = get_videos.sync(client=client, tags=["py"], page_size=10)
        assert isinstance(page, VideoList), page
        shown = get_videos_video_id.sync(made.video_id, client=client)
        assert isinstance(shown, VideoAnswer), shown
        problem = get_videos_video_id.sync("vi1111111111111111111111", client=client)
        assert isinstance(problem, Problem), problem
    return {
        "title": shown.title,
        "listed": made.video_id in [each.video_id for each in page.data],
        "total": page.pagination.items_total,
        "problem": [problem.status, problem.type_, problem.name],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
