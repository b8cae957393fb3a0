"""What the owner of a video wants done to its pictures: its file is then not to be seen as it is."""

from dataclasses import dataclass, replace
from typing import Self

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
        mark = {name: value for name, value in (video.watermark or {}).items() if name != "id"}
        return cls(
            crop=Crop(**video.crop) if video.crop is not None else None,
            watermark=Watermark(**mark) if video.watermark is not None else None,
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
