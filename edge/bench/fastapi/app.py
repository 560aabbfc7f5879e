"""The submission endpoint of the edge as one would write it in FastAPI: the same checks, the same rows, as durable.

A key is looked up by its hash, the body is validated, an idempotency key is honoured, the length of the queue is
limited, and the job and its first event are written in one transaction before the answer goes out.
"""

import hashlib
import os
import secrets
import time
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, UniqueConstraint, create_engine, event, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

DATABASE_URL = os.environ["BENCH_DATABASE_URL"]
API_KEY = os.environ["BENCH_API_KEY"]
MAX_QUEUED = 10_000_000

engine = create_engine(DATABASE_URL, pool_size=20)
if engine.dialect.name == "sqlite":

    @event.listens_for(engine, "connect")
    def durable(connection, _):
        for pragma in ("busy_timeout = 30000", "journal_mode = wal", "synchronous = full"):
            connection.execute(f"pragma {pragma}")


class Base(DeclarativeBase):
    pass


class Key(Base):
    __tablename__ = "keys"
    hash: Mapped[str] = mapped_column(String, primary_key=True)
    tenant: Mapped[str]


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(String, primary_key=True)
    tenant: Mapped[str]
    status: Mapped[str]
    priority: Mapped[int]
    idempotency_key: Mapped[str | None]
    fingerprint: Mapped[str]
    spec: Mapped[dict] = mapped_column(JSON)
    created_at: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = (
        UniqueConstraint("tenant", "idempotency_key"),
        Index("jobs_tenant", "tenant", "created_at"),
        Index("jobs_queue", "status", "priority", "created_at"),
    )


class JobEvent(Base):
    __tablename__ = "job_events"
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    at: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[dict] = mapped_column(JSON)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


Base.metadata.create_all(engine)
with Session(engine) as session:
    session.merge(Key(hash=sha256(API_KEY), tenant="bench"))
    session.commit()


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Clip(Strict):
    prompt: str = Field(max_length=4000)
    negative_prompt: str = ""
    characters: list[str] = Field(default_factory=list, max_length=8)
    width: int = Field(256, ge=64, le=2048)
    height: int = Field(256, ge=64, le=2048)
    num_frames: int = Field(16, ge=1, le=256)
    fps: int = Field(8, ge=1, le=60)
    num_inference_steps: int = Field(20, ge=1, le=150)
    guidance_scale: float = Field(4.0, ge=0, le=30)
    seed: int | None = None


class Output(Strict):
    formats: list[Literal["mp4", "gif", "wav", "poster"]] = Field(min_length=1)
    captions: bool = False


class RenderRequest(Strict):
    clip: Clip
    dialogue: str | None = Field(None, max_length=65_536)
    output: Output
    priority: Literal["low", "normal", "high"] = "normal"


def session_of():
    with Session(engine, expire_on_commit=False) as session:
        yield session


Db = Annotated[Session, Depends(session_of)]


def tenant_of(db: Db, authorization: Annotated[str, Header()]) -> str:
    key = db.get(Key, sha256(authorization.removeprefix("Bearer ")))
    if key is None:
        raise HTTPException(401)
    return key.tenant


app = FastAPI()


def shown(job: Job) -> dict:
    self_url = f"/v1/renders/{job.id}"
    return {
        "id": job.id,
        "status": job.status,
        "created_at": job.created_at,
        "spec": job.spec,
        "results": [],
        "links": {"self": self_url, "events": f"{self_url}/events", "cancel": f"{self_url}/cancel"},
    }


@app.post("/v1/renders", status_code=202)
def create(
    body: RenderRequest,
    response: Response,
    db: Db,
    tenant: Annotated[str, Depends(tenant_of)],
    idempotency_key: Annotated[str | None, Header()] = None,
):
    fingerprint = sha256(body.model_dump_json())
    if idempotency_key is not None:
        twin = db.scalar(select(Job).where(Job.tenant == tenant, Job.idempotency_key == idempotency_key))
        if twin is not None:
            if twin.fingerprint != fingerprint:
                raise HTTPException(422, "the key was used for another request")
            response.status_code = 200
            return shown(twin)
    if waiting.over_limit(db):
        raise HTTPException(429, "the queue is full")
    now = time.time_ns() // 1_000_000
    job = Job(
        id=f"job_{now:x}{secrets.token_hex(8)}",
        tenant=tenant,
        status="queued",
        priority=("low", "normal", "high").index(body.priority),
        idempotency_key=idempotency_key,
        fingerprint=fingerprint,
        spec=body.model_dump(),
        created_at=now,
    )
    db.add(job)
    db.flush()
    db.add(JobEvent(job_id=job.id, seq=1, type="queued", at=now, data={"priority": body.priority}))
    db.commit()
    return shown(job)


class Waiting:
    """Counts the queue a few times a second, as the edge does, not at every request."""

    def __init__(self):
        self.count = 0
        self.at = 0.0

    def over_limit(self, db: Session) -> bool:
        if time.monotonic() - self.at > 0.25:
            self.count = db.scalar(select(func.count()).select_from(Job).where(Job.status == "queued")) or 0
            self.at = time.monotonic()
        return self.count >= MAX_QUEUED


waiting = Waiting()
