alter table characters add column lora_sha256 text;
alter table characters add column voice_sha256 text;

create table assets (
  tenant text not null,
  sha256 text not null,
  kind text not null,
  bytes bigint not null,
  storage_key text not null,
  created_at bigint not null,
  released_at bigint,
  primary key (tenant, sha256)
);

create index assets_released on assets (released_at) where released_at is not null;
