-- The schema "edged": everything edged adds to a database. The application's own tables are read and
-- written, never altered. One migration file is one transaction; tools embed these files in the binary.

-- Fencing: every start of a run takes the next number. A result of a smaller number never overwrites
-- one of a larger.
create sequence edged.run_epoch as bigint;

-- One row per start of a job. The unique tick is what makes a fleet run each tick once; the partial
-- index is what forbids two runs of a job at a time.
create table edged.cron_runs (
    id           bigint generated always as identity primary key,
    job          text not null,
    due_at       timestamptz not null,           -- the tick; for a manual start the moment it was asked for
    cause        text not null constraint cron_runs_cause_known check (cause in ('schedule', 'manual')),
    status       text not null constraint cron_runs_status_known
                 check (status in ('running', 'succeeded', 'failed')),
    epoch        bigint not null,                -- renewed at a take-over; completion names it
    attempts     integer not null default 1,     -- starts of this run, take-overs included
    worker       text not null,                  -- the installation; survives restarts
    process      text not null,                  -- the process; a later one of the same worker may take over at once
    lease_until  timestamptz not null,           -- a running row past it may be taken over by anyone
    started_at   timestamptz not null,
    finished_at  timestamptz,
    summary      jsonb,
    error        text,
    constraint cron_runs_one_per_tick unique (job, due_at)
);
create unique index cron_runs_one_running on edged.cron_runs (job) where status = 'running';

-- Per section: the run that last settled its state, and when that run asked the upstream. A KV entry is
-- fresh only if it carries this epoch.
create table edged.section_checks (
    class_nbr    text primary key,
    epoch        bigint not null,
    requested_at timestamptz not null
);

-- The outbox: written in the statement that claims the notification, delivered by a separate step.
create table edged.mails (
    id                bigint generated always as identity primary key,
    notification_id   text not null constraint mails_once unique,   -- {class_watch_id}.{type}.{epoch}
    run_id            bigint not null,
    class_watch_id    uuid not null,
    user_id           uuid not null,
    notification_type text not null,
    class_nbr         text not null,
    term              text not null,
    recipient         text not null,
    facts             jsonb not null,            -- what the mail says, frozen at the claim
    claimed           boolean not null default true, -- false: recorded only, with the reason why it is not sent
    status            text not null default 'pending' constraint mails_status_known
                      check (status in ('pending', 'sending', 'sent', 'dropped', 'dead')),
    reason            text,                      -- why it was dropped or is dead
    attempts          integer not null default 0,
    lease_number      bigint not null default 0, -- fencing of deliveries: completion names it
    lease_until       timestamptz,
    next_attempt_at   timestamptz not null,
    valid_until       timestamptz not null,
    created_at        timestamptz not null,
    finished_at       timestamptz
);
create index mails_to_deliver on edged.mails (next_attempt_at, id) where status in ('pending', 'sending');
create index mails_by_run on edged.mails (run_id);
