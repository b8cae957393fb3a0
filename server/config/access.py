"""`[auth]`, `[sandbox]`: who may do what, and how much of it."""

from pydantic import Field, SecretStr

from server.config.section import LONGEST_DAYS, Section


class AuthConfig(Section):
    owner_key: SecretStr | None = Field(
        None, description="API key of the owner; without it one is made at the first start and printed once."
    )
    token_secret: SecretStr | None = Field(
        None, description="Secret that signs playback tokens; without it one is made and kept in the catalogue."
    )
    audit_days: float = Field(365, gt=0, le=LONGEST_DAYS, description="Days that the audit log is kept.")
    failures_per_minute: int = Field(
        60, ge=1, description="Wrong credentials taken from one address; then only known keys are listened to there."
    )


class SandboxConfig(Section):
    keep_hours: float = Field(
        24.0, gt=0, le=24 * LONGEST_DAYS, description="Hours after which videos of sandbox projects are deleted."
    )
    max_length_s: float = Field(30.0, gt=0, description="Longest video taken in a sandbox project, seconds.")
    max_bytes: int = Field(209_715_200, ge=1, description="Largest upload taken in a sandbox project, bytes.")
    max_live_s: float = Field(
        1800.0, ge=10, description="Seconds after which a broadcast of a sandbox project is ended."
    )
