"""The tables about programs of others that act for people: which there are, and what they were allowed."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server import clock, ids
from server.catalog.models import Base

_ID = String(40)


class OAuthApp(Base):
    """A program that may ask people to let it act for them (RFC 6749, section 2)."""

    __tablename__ = "oauth_apps"
    __table_args__ = (Index(None, "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("app_"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(Text)
    redirect_uris: Mapped[list[Any]]
    scopes: Mapped[list[Any]]  # the most it may ask for
    confidential: Mapped[bool] = mapped_column(Boolean)  # it has a secret
    secret_hash: Mapped[str | None] = mapped_column(String(64))
    epoch: Mapped[int] = mapped_column(Integer, default=0)  # of access tokens: the next begins when it may have less
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class OAuthGrant(Base):
    """What the holder of an API key has allowed a program. It begins with a code, which is good once."""

    __tablename__ = "oauth_grants"
    __table_args__ = (Index(None, "project_id", "created_at"), Index(None, "app_id"), Index(None, "expires_at"))

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("grant_"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))  # of the key
    app_id: Mapped[str] = mapped_column(ForeignKey("oauth_apps.id", ondelete="CASCADE"))
    key_id: Mapped[str] = mapped_column(_ID)
    generation: Mapped[str] = mapped_column(String(16))  # of the key's secret: another one has to allow it anew
    scopes: Mapped[list[Any]]
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    code_challenge: Mapped[str] = mapped_column(String(128))
    redirect_uri: Mapped[str] = mapped_column(Text)
    code_expires_at: Mapped[datetime]
    # which of its refresh tokens is good; 0: the code has not been exchanged yet
    refresh_number: Mapped[int] = mapped_column(Integer, default=0)
    expires_at: Mapped[datetime]  # when the code, or the refresh token, is good no more
    used_at: Mapped[datetime | None]  # when a token was had the last time
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
