"""What the owner of a video wants done to its pictures: its file is then not to be seen as it is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from server.catalog.models import Video
from server.media import crops
from server.media.crops import Crop
from server.media.facts import PictureFacts
from server.media.orders import Treatment
from server.media.watermarks import Watermark


@dataclass(frozen=True, slots=True)
class Alteration:
    crop: Crop | None = None
    watermark: Watermark | None = None

    @classmethod
    def of_video(cls, video: Video) -> Self:
        return cls.of_columns(video.crop, video.watermark)

    @classmethod
    def of_columns(cls, crop: Mapping[str, Any] | None, watermark: Mapping[str, Any] | None) -> Self:
        """As a video's row has them."""
        mark = {name: value for name, value in (watermark or {}).items() if name != "id"}
        return cls(
            crop=Crop(**crop) if crop is not None else None,
            watermark=Watermark(**mark) if watermark is not None else None,
        )

    def of(self, treatment: Treatment, picture: PictureFacts) -> Treatment:
        """What is done to such pictures anyway, and this. Raises Unreadable where it can't be done to them."""
        area = self.crop.coded(picture) if self.crop else None
        if area is None and self.watermark is None:
            return treatment
        return replace(
            treatment,
            crop=(area.x, area.y, area.width, area.height) if area else None,
            coded=(picture.width, picture.height),
            lines=crops.size(picture, area)[1],
            watermark=self.watermark,
        )


    def check(self, picture: PictureFacts | None) -> None:
        """Raises Unreadable."""
        if picture is not None:
            self.of(Treatment(), picture)


NONE = Alteration()


def size(picture: PictureFacts, treatment: Treatment) -> tuple[int, int]:
    """Of what is shown, upright and in square pixels."""
    return crops.size(picture, crops.Area(*treatment.crop) if treatment.crop else None)
