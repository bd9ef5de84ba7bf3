-- A trigger may carry a key of its caller: whoever brings it again is answered for the same run. The key
-- lives as long as the run's row.
alter table edged.cron_runs add column idempotency_key text
    constraint cron_runs_key_length check (length(idempotency_key) between 1 and 255);
create unique index cron_runs_one_per_key on edged.cron_runs (job, idempotency_key)
    where idempotency_key is not null;

-- Old rows are deleted in the order of their end.
create index cron_runs_by_end on edged.cron_runs (job, finished_at) where finished_at is not null;
create index mails_by_end on edged.mails (finished_at) where finished_at is not null;
