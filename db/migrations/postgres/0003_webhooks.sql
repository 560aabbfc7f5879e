create table webhooks (
  id text primary key,
  tenant text not null,
  url text not null,
  sealed_secret text not null,
  style text not null,
  events json not null,
  enabled boolean not null,
  created_at bigint not null
);
create index webhooks_tenant on webhooks (tenant, created_at);

create table job_webhooks (
  job_id text not null,
  position integer not null,
  webhook_id text,
  url text not null,
  sealed_secret text,
  style text not null,
  events json not null,
  primary key (job_id, position)
);

create table deliveries (
  id text primary key,
  tenant text not null,
  job_id text not null,
  position integer not null,
  event text not null,
  event_seq integer not null,
  status text not null,
  attempts integer not null,
  next_at bigint not null,
  locked_until bigint not null,
  created_at bigint not null,
  completed_at bigint
);
create index deliveries_due on deliveries (next_at) where status = 'pending';
create index deliveries_job on deliveries (job_id);
create index deliveries_tenant on deliveries (tenant, created_at desc, id desc);

create table delivery_attempts (
  delivery_id text not null,
  attempt integer not null,
  at bigint not null,
  status_code integer,
  milliseconds integer not null,
  error text,
  primary key (delivery_id, attempt)
);
