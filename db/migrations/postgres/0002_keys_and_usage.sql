create table api_keys (
  id text primary key,
  tenant text not null,
  name text not null,
  prefix text not null,
  hash text not null,
  scopes json not null,
  limits json not null,
  created_at bigint not null,
  expires_at bigint,
  revoked_at bigint,
  last_used_at bigint,
  rotated_from text
);
create unique index api_keys_prefix on api_keys (prefix);
create index api_keys_tenant on api_keys (tenant, created_at);

create table rate_windows (
  bucket text not null,
  window_start bigint not null,
  taken integer not null,
  expires_at bigint not null,
  primary key (bucket, window_start)
);
create index rate_windows_expires on rate_windows (expires_at);

create table usage (
  tenant text not null,
  day text not null,
  jobs integer not null,
  device_seconds double precision not null,
  primary key (tenant, day)
);
