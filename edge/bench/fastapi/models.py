"""The tables that a submission touches, as the edge's migrations have made them."""

from sqlalchemy import JSON, BigInteger, ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {int: BigInteger, dict: JSON, list: JSON, str: String}


class ApiKey(Base):
    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    prefix: Mapped[str]
    hash: Mapped[str]
    expires_at: Mapped[int | None]
    revoked_at: Mapped[int | None]


class Webhook(Base):
    __tablename__ = "webhooks"
    id: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    url: Mapped[str]
    enabled: Mapped[bool]


class QueueClock(Base):
    __tablename__ = "queue_clock"
    priority: Mapped[int] = mapped_column(primary_key=True)
    share: Mapped[int]


class Idempotency(Base):
    __tablename__ = "idempotency"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    expires_at: Mapped[int]


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(primary_key=True)
    alias: Mapped[str | None]
    tenant: Mapped[str]
    key_id: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="queued")
    priority: Mapped[int]
    share: Mapped[int]
    pack: Mapped[str]
    spec: Mapped[dict]
    fingerprint: Mapped[str]
    dialect: Mapped[str] = mapped_column(default="v1")
    extras: Mapped[dict] = mapped_column(default=dict)
    sealed: Mapped[str | None]
    webhooks: Mapped[int] = mapped_column(default=0)
    work: Mapped[float]
    attempt: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    node_deaths: Mapped[int] = mapped_column(default=0)
    lease_expiries: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    edge_id: Mapped[str | None]
    node_id: Mapped[str | None]
    lease_expires_at: Mapped[int | None]
    available_at: Mapped[int]
    stage: Mapped[str] = mapped_column(default="")
    progress: Mapped[float] = mapped_column(default=0)
    step: Mapped[int] = mapped_column(default=0)
    steps: Mapped[int] = mapped_column(default=0)
    event_seq: Mapped[int] = mapped_column(default=1)
    cancel_requested_at: Mapped[int | None]
    warnings: Mapped[list] = mapped_column(default=list)
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    receipt: Mapped[dict | None] = mapped_column(JSON(none_as_null=True))
    checkpoint: Mapped[dict | None] = mapped_column(JSON(none_as_null=True))
    device_seconds: Mapped[float] = mapped_column(default=0)
    created_at: Mapped[int]
    queued_at: Mapped[int]
    started_at: Mapped[int | None]
    completed_at: Mapped[int | None]
    queue_ttl_ms: Mapped[int | None]
    queue_deadline: Mapped[int | None]
    execution_timeout_ms: Mapped[int | None]
    run_deadline: Mapped[int | None]
    results_ttl_ms: Mapped[int | None]
    results_expire_at: Mapped[int | None]


class JobEvent(Base):
    __tablename__ = "job_events"
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    at: Mapped[int]
    data: Mapped[dict]
