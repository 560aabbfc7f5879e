"""The submission endpoint of the edge as one would write it in FastAPI with SQLAlchemy.

It works on the very tables of the edge, indexes and all. A key is looked up, the body is validated, an idempotency
key is honoured, the length of the queue is limited, the job takes its turn among those of other tenants, and job,
first event and idempotency key are written in one transaction before the answer goes out. What the edge does beside
that is left out: rate limits, notifications, traces, metrics.
"""

import hashlib
import hmac
import json
import os
import random
import re
import secrets
import time
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Header, HTTPException, Response
from models import ApiKey, Idempotency, Job, JobEvent, QueueClock, Webhook
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import create_engine, event, func, select
from sqlalchemy.orm import Session

MAX_QUEUED = 10_000_000
DAY_MS = 86_400_000
CHARACTERS = {"temo": 0.7, "felfel": 0.7}

engine = create_engine(os.environ["BENCH_DATABASE_URL"], pool_size=20)
if engine.dialect.name == "sqlite":

    @event.listens_for(engine, "connect")
    def durable(connection, _):
        for pragma in ("busy_timeout = 30000", "journal_mode = wal", "synchronous = full"):
            connection.execute(f"pragma {pragma}")


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
    captions: bool = True


class RenderRequest(Strict):
    pack: str = ""
    clip: Clip
    dialogue: str | None = Field(None, max_length=65_536)
    output: Output
    priority: Literal["low", "normal", "high"] = "normal"
    queue_ttl_seconds: float = Field(86_400, ge=10, le=604_800)
    execution_timeout_seconds: float = Field(3_600, ge=1, le=604_800)
    retention_seconds: float = Field(604_800, ge=60, le=315_360_000)


LINE = re.compile(r"\[S(\d+)\]\s*(?:(\w+):\s*)?([^\[]+)")


def lines_of(dialogue: str) -> list[dict]:
    lines = [
        {"speaker": int(number), "character": (name or "").lower(), "text": text.strip()}
        for number, name, text in LINE.findall(dialogue)
    ]
    for line in lines:
        if line["character"] and line["character"] not in CHARACTERS:
            raise HTTPException(422, f"dialogue: there is no character {line['character']}")
    return lines


def spec_of(body: RenderRequest) -> dict:
    unknown = [name for name in body.clip.characters if name not in CHARACTERS]
    if unknown:
        raise HTTPException(422, f"clip.characters: there is no character {unknown[0]}")
    clip = body.clip.model_dump()
    clip["characters"] = [{"name": name, "weight": CHARACTERS[name]} for name in body.clip.characters]
    if clip["seed"] is None:
        clip["seed"] = random.randint(0, 1_000_000)
    speech = {"lines": lines_of(body.dialogue), "seed": clip["seed"]} if body.dialogue else None
    return {"pack": body.pack, "clip": clip, "speech": speech, "output": body.output.model_dump()}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def session_of():
    with Session(engine, expire_on_commit=False) as session:
        yield session


Db = Annotated[Session, Depends(session_of)]


def key_of(db: Db, authorization: Annotated[str, Header()]) -> ApiKey:
    token = authorization.removeprefix("Bearer ")
    prefix = token.split("_")[1] if token.count("_") == 2 else ""
    key = db.scalar(select(ApiKey).where(ApiKey.prefix == prefix))
    if key is None or not hmac.compare_digest(key.hash, sha256(token)):
        raise HTTPException(401)
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now_ms()):
        raise HTTPException(401)
    return key


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


def twin_of(db: Session, tenant: str, idempotency_key: str, fingerprint: str) -> Job | None:
    known = db.get(Idempotency, (tenant, idempotency_key))
    if known is None or known.expires_at <= now_ms():
        return None
    if known.fingerprint != fingerprint:
        raise HTTPException(422, "the key was used for another request")
    return db.get(Job, known.job_id)


def next_share(db: Session, tenant: str, priority: int) -> int:
    """Start-time fair queueing: a tenant with a thousand waiting jobs and one with its first take turns."""
    lane = (Job.status == "queued", Job.tenant == tenant, Job.priority == priority)
    last = db.scalar(select(Job.share).where(*lane).order_by(Job.share.desc()).limit(1))
    clock = db.scalar(select(QueueClock.share).where(QueueClock.priority == priority))
    return max(last or 0, clock or 0) + 1


@app.post("/v1/renders", status_code=202)
def create(
    body: RenderRequest,
    response: Response,
    db: Db,
    key: Annotated[ApiKey, Depends(key_of)],
    idempotency_key: Annotated[str | None, Header()] = None,
):
    fingerprint = sha256(json.dumps(body.model_dump(), sort_keys=True))
    if idempotency_key is not None:
        twin = twin_of(db, key.tenant, idempotency_key, fingerprint)
        if twin is not None:
            response.status_code = 200
            return shown(twin)
    if waiting.over_limit(db):
        raise HTTPException(429, "the queue is full")
    now = now_ms()
    priority = ("low", "normal", "high").index(body.priority)
    hooks = db.scalars(select(Webhook).where(Webhook.tenant == key.tenant, Webhook.enabled)).all()
    clip = body.clip
    job = Job(
        id=f"job_{now:x}{secrets.token_hex(8)}",
        tenant=key.tenant,
        key_id=key.id,
        priority=priority,
        share=next_share(db, key.tenant, priority),
        pack=body.pack,
        spec=spec_of(body),
        fingerprint=fingerprint,
        webhooks=len(hooks),
        work=clip.width * clip.height * clip.num_frames * clip.num_inference_steps,
        available_at=now,
        created_at=now,
        queued_at=now,
        queue_ttl_ms=round(body.queue_ttl_seconds * 1000),
        queue_deadline=now + round(body.queue_ttl_seconds * 1000),
        execution_timeout_ms=round(body.execution_timeout_seconds * 1000),
        results_ttl_ms=round(body.retention_seconds * 1000),
    )
    db.add(job)
    db.add(JobEvent(job_id=job.id, seq=1, type="queued", at=now, data={"priority": body.priority}))
    if idempotency_key is not None:
        db.add(
            Idempotency(
                tenant=key.tenant,
                key=idempotency_key,
                fingerprint=fingerprint,
                job_id=job.id,
                expires_at=now + DAY_MS,
            )
        )
    db.commit()
    return shown(job)


class Waiting:
    """Counts the queue every five seconds while there is room, as the edge does, not at every request."""

    def __init__(self):
        self.count = 0
        self.at = 0.0

    def over_limit(self, db: Session) -> bool:
        if time.monotonic() - self.at > 5:
            self.at = time.monotonic()
            self.count = db.scalar(select(func.count()).select_from(Job).where(Job.status == "queued")) or 0
        return self.count >= MAX_QUEUED


waiting = Waiting()
