create table webhooks (
  id text primary key not null,
  tenant text not null,
  url text not null,
  sealed_secret text not null,
  style text not null,
  events text not null,
  enabled integer not null,
  created_at integer not null
);
create index webhooks_tenant on webhooks (tenant, created_at);

create table job_webhooks (
  job_id text not null,
  position integer not null,
  webhook_id text,
  url text not null,
  sealed_secret text,
  style text not null,
  events text not null,
  primary key (job_id, position)
);

create table deliveries (
  id text primary key not null,
  tenant text not null,
  job_id text not null,
  position integer not null,
  event text not null,
  event_seq integer not null,
  status text not null,
  attempts integer not null,
  next_at integer not null,
  locked_until integer not null,
  created_at integer not null,
  completed_at integer
);
create index deliveries_due on deliveries (next_at) where status = 'pending';
create index deliveries_job on deliveries (job_id);
create index deliveries_tenant on deliveries (tenant, created_at desc, id desc);

create table delivery_attempts (
  delivery_id text not null,
  attempt integer not null,
  at integer not null,
  status_code integer,
  milliseconds integer not null,
  error text,
  primary key (delivery_id, attempt)
);
