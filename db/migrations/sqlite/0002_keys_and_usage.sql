create table api_keys (
  id text primary key not null,
  tenant text not null,
  name text not null,
  prefix text not null,
  hash text not null,
  scopes text not null,
  limits text not null,
  created_at integer not null,
  expires_at integer,
  revoked_at integer,
  last_used_at integer,
  rotated_from text
);
create unique index api_keys_prefix on api_keys (prefix);
create index api_keys_tenant on api_keys (tenant, created_at);

create table rate_windows (
  bucket text not null,
  window_start integer not null,
  taken integer not null,
  expires_at integer not null,
  primary key (bucket, window_start)
);
create index rate_windows_expires on rate_windows (expires_at);

create table usage (
  tenant text not null,
  day text not null,
  jobs integer not null,
  device_seconds real not null,
  primary key (tenant, day)
);
