"""The settings of a function, read from its environment once, before anything else can go wrong."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from personas.contract.base import HISTORY_DAYS_MAX


class SettingsError(Exception):
    """The environment lacks a setting or holds a wrong one; the message names each."""


class Settings(BaseModel):
    """The settings of every function, from the template. None has a default: a name that looks real hides a mistake."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    personas_table: str = Field(alias="PERSONAS_TABLE", min_length=3, description="Table of everything but locks.")
    idempotency_table: str = Field(alias="IDEMPOTENCY_TABLE", min_length=3, description="Table of Idempotency-Keys.")
    history_table: str = Field(alias="HISTORY_TABLE", min_length=3, description="Table of personas' versions.")
    history_days: int = Field(
        alias="HISTORY_DAYS", ge=0, le=HISTORY_DAYS_MAX, description="Days of a replaced version; 0: no history."
    )
    bucket: str = Field(alias="BUCKET", min_length=3, description="Bucket of exports and views.")
    refresh_queue_url: str = Field(alias="REFRESH_QUEUE_URL", min_length=1, description="Queue of groups to refresh.")
    event_bus: str = Field(alias="EVENT_BUS", description="Event bus that is told of versions, or empty.")
    cors_origins: str = Field(alias="CORS_ORIGINS", description="Origins whose pages may call, joined by commas.")
    stage: str = Field(alias="STAGE", min_length=1, description="Name of the deployment, such as dev.")
    memory_mb: int = Field(alias="AWS_LAMBDA_FUNCTION_MEMORY_SIZE", ge=128, description="The function's memory in MB.")
    jwt_issuer: str = Field(alias="JWT_ISSUER", description="The `iss` that tokens must carry, or empty.")
    jwt_audience: str = Field(alias="JWT_AUDIENCE", description="The `aud` that tokens must carry, or empty.")
    jwt_jwks_url: str = Field(alias="JWT_JWKS_URL", description="Where the issuer publishes its keys, or empty.")

    @model_validator(mode="after")
    def _jwt_whole_or_absent(self) -> Self:
        given = [bool(self.jwt_issuer), bool(self.jwt_audience), bool(self.jwt_jwks_url)]
        if any(given) and not all(given):
            raise ValueError("JWT_ISSUER, JWT_AUDIENCE and JWT_JWKS_URL are given together, or all left empty")
        return self

    @property
    def accepts_tokens(self) -> bool:
        """True if bearer tokens can be verified at all."""
        return bool(self.jwt_issuer)

    @property
    def history(self) -> timedelta:
        """The time for which former versions are kept."""
        return timedelta(days=self.history_days)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings from ``environment``.

        Raises:
            SettingsError: a setting is missing or wrong; the message names all of them.
        """
        try:
            return cls.model_validate(dict(environment))
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc'])) or 'settings'}: {fault['msg']}"
                for fault in error.errors(include_input=False, include_url=False)
            )
            raise SettingsError(f"The function's environment is not complete. {faults}") from None
