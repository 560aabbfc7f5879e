create table speech_parts (
  job_id text not null,
  part integer not null,
  content_type text not null,
  start_seconds real not null,
  seconds real not null,
  at integer not null,
  data blob not null,
  primary key (job_id, part)
);
