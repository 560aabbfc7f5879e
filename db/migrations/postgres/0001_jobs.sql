create table jobs (
  id text primary key,
  alias text,
  tenant text not null,
  key_id text,
  status text not null,
  priority integer not null,
  share bigint not null,
  pack text not null,
  spec json not null,
  fingerprint text not null,
  dialect text not null,
  extras json not null,
  sealed text,
  webhooks integer not null,
  work double precision not null,
  attempt integer not null,
  fence bigint not null,
  node_deaths integer not null,
  lease_expiries integer not null,
  failures integer not null,
  edge_id text,
  node_id text,
  lease_expires_at bigint,
  available_at bigint not null,
  stage text not null,
  progress double precision not null,
  step integer not null,
  steps integer not null,
  event_seq integer not null,
  cancel_requested_at bigint,
  warnings json not null,
  error_code text,
  error_message text,
  receipt json,
  checkpoint json,
  device_seconds double precision not null,
  created_at bigint not null,
  queued_at bigint not null,
  started_at bigint,
  completed_at bigint,
  queue_ttl_ms bigint,
  queue_deadline bigint,
  execution_timeout_ms bigint,
  run_deadline bigint,
  results_ttl_ms bigint,
  results_expire_at bigint
);
create index jobs_dispatch on jobs (status, priority desc, share, id, work) where status = 'queued';
create index jobs_share on jobs (tenant, priority, share) where status = 'queued';
create index jobs_created on jobs (created_at desc, id desc);
create index jobs_tenant on jobs (tenant, created_at desc, id desc);
create index jobs_tenant_status on jobs (tenant, status, created_at desc, id desc);
create index jobs_leased on jobs (lease_expires_at) where status in ('running', 'committing');
create index jobs_queue_deadline on jobs (status, queue_deadline) where status = 'queued' and queue_deadline is not null;
create index jobs_results_expire on jobs (results_expire_at) where results_expire_at is not null;
create index jobs_completed on jobs (completed_at desc) where completed_at is not null;

create table job_events (
  job_id text not null,
  seq integer not null,
  type text not null,
  at bigint not null,
  data json not null,
  primary key (job_id, seq)
);

create table results (
  job_id text not null,
  name text not null,
  content_type text not null,
  bytes bigint not null,
  sha256 text not null,
  storage_key text not null,
  width integer not null,
  height integer not null,
  seconds double precision not null,
  primary key (job_id, name)
);

create table previews (
  job_id text primary key,
  content_type text not null,
  step integer not null,
  at bigint not null,
  data bytea not null
);

create table idempotency (
  tenant text not null,
  key text not null,
  fingerprint text not null,
  job_id text not null,
  expires_at bigint not null,
  primary key (tenant, key)
);
create index idempotency_expires on idempotency (expires_at);
create index idempotency_job on idempotency (job_id);

create table queue_clock (
  priority integer primary key,
  share bigint not null
);

insert into queue_clock (priority, share) values (0, 0), (1, 0), (2, 0);
