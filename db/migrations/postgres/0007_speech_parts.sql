create table speech_parts (
  job_id text not null,
  part integer not null,
  content_type text not null,
  start_seconds double precision not null,
  seconds double precision not null,
  at bigint not null,
  data bytea not null,
  primary key (job_id, part)
);
