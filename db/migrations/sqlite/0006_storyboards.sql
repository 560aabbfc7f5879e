create table storyboard_shots (
  board_id text not null,
  position integer not null,
  job_id text not null unique,
  primary key (board_id, position)
);
create index jobs_storyboards on jobs (tenant, created_at desc, id desc) where dialect = 'storyboard';
