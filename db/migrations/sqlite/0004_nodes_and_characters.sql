create table nodes (
  id text primary key not null,
  address text not null,
  status text not null,
  registered_at integer not null,
  last_seen_at integer not null,
  failures_in_a_row integer not null,
  resting_until integer not null
);

create table characters (
  tenant text not null,
  name text not null,
  data text not null,
  created_at integer not null,
  updated_at integer not null,
  primary key (tenant, name)
);
