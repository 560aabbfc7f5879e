create table nodes (
  id text primary key,
  address text not null,
  status json not null,
  registered_at bigint not null,
  last_seen_at bigint not null,
  failures_in_a_row integer not null,
  resting_until bigint not null
);

create table characters (
  tenant text not null,
  name text not null,
  data json not null,
  created_at bigint not null,
  updated_at bigint not null,
  primary key (tenant, name)
);
