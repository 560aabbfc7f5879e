-- Fair shares are between keys; what came in without one counts for its tenant.
drop index jobs_share;
create index jobs_share on jobs (coalesce(key_id, tenant), priority, share) where status = 'queued';
