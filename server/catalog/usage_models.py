"""Tables of what projects use."""

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from server.catalog.models import Base


class UsageDay(Base):
    """What a project used on a day, in UTC."""

    __tablename__ = "usage_days"

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)  # 2026-01-31
    delivered_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    encoded_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    live_ms: Mapped[int] = mapped_column(BigInteger, default=0)
