-- The statements of a class-monitor run. A run of unchanged sections is begin_run and finish_run; what
-- may have changed goes through apply_results in batches. Every statement takes the time as a parameter.

-- name: begin_run
-- Takes over a run whose worker died, or starts the tick's run, and lists the watched sections with the
-- epoch that last settled each. No row: the tick was run already, or another run is under way.
-- A key that has a run starts none: the row names that run, as known. What was taken over may be a run
-- of another key; of_key says so.
-- $1 job, $2 due_at (null: only take over), $3 cause, $4 worker, $5 process, $6 now, $7 lease in seconds,
-- $8 whether a mirror keeps the states: then `position` is one behind all that this statement saw, and
-- the message in the stream brings the mirror there. $9 idempotency key or null. $10 seconds after the last new
-- watch of a term at which the term is taken to be past and its watches are left alone; 0: never.
with known as materialized (
    select id, epoch, status from edged.cron_runs
    where $9::text is not null and job = $1 and idempotency_key = $9::text
), taken_over as (
    update edged.cron_runs
    set epoch = nextval('edged.run_epoch'), attempts = attempts + 1, worker = $4, process = $5,
        lease_until = $6::timestamptz + make_interval(secs => $7::double precision)
    where job = $1 and status = 'running'
      and (lease_until <= $6::timestamptz or (worker = $4 and process <> $5))
      and not exists (select from known where known.status <> 'running')
    returning id, epoch, idempotency_key
), started as (
    insert into edged.cron_runs (job, due_at, cause, status, epoch, worker, process, lease_until, started_at,
        idempotency_key)
    select $1, $2::timestamptz, $3, 'running', nextval('edged.run_epoch'), $4, $5,
           $6::timestamptz + make_interval(secs => $7::double precision), $6::timestamptz, $9::text
    where $2::timestamptz is not null
      and not exists (select from taken_over) and not exists (select from known)
    on conflict do nothing
    returning id, epoch
), run as (
    select id, epoch, true as resumed, false as known,
           $9::text is null or idempotency_key is not distinct from $9::text as of_key
    from taken_over
    union all
    select id, epoch, false, false, true from started
    union all
    select id, epoch, false, true, true from known where not exists (select from taken_over)
), past as materialized (
    select term from public.class_watches
    where $10::double precision > 0
    group by term
    having max(created_at) < $6::timestamptz - make_interval(secs => $10::double precision)
), sections as materialized (
    select distinct on (w.class_nbr, w.term) w.class_nbr, w.term, w.subject, w.catalog_nbr
    from public.class_watches w
    where not exists (select from past where past.term = w.term)
    order by w.class_nbr, w.term
), watched as (
    -- class_nbr is unique over all terms: the newest term is monitored, the others are reported.
    select distinct on (class_nbr) class_nbr, term, subject, catalog_nbr,
           string_agg(term, ', ') over (partition by class_nbr order by term
                                        rows between unbounded preceding and 1 preceding) as ignored_terms
    from sections
    order by class_nbr, term desc
), mirror as materialized (
    select pg_logical_emit_message(true, 'edged', json_build_object(
               'slot', '', 'beat', 0,
               'at', (extract(epoch from clock_timestamp()) * 1000)::bigint)::text)::text as position
    where $8::boolean
)
select run.id as run_id, run.epoch as run_epoch, run.resumed, run.known, run.of_key, watched.*,
       c.epoch as settled_epoch, mirror.position,
       (select string_agg(term, ', ' order by term) from past) as past_terms
from run
left join mirror on not run.known
left join watched on not run.known
left join edged.section_checks c on c.class_nbr = watched.class_nbr
order by watched.class_nbr;

-- name: run_of_key
-- $1 job, $2 idempotency key
select id from edged.cron_runs where job = $1 and idempotency_key = $2;

-- name: renew_lease
-- $1 run id, $2 epoch, $3 now, $4 lease in seconds. No row: the run was taken over.
update edged.cron_runs
set lease_until = $3::timestamptz + make_interval(secs => $4::double precision)
where id = $1::bigint and epoch = $2::bigint and status = 'running'
returning id;

-- name: lock_sections
-- Waits until nobody else applies one of these sections. In a transaction of its own statement, before
-- apply_results: what that one's snapshot does not hold it can neither see nor reset, and a worker
-- whose run was taken over may have a statement under way. $1 observations (JSON array)
select from edged.section_checks c
where c.class_nbr in (select i.class_nbr from jsonb_to_recordset($1::jsonb) as i(class_nbr text))
order by c.class_nbr
for update;

-- name: apply_results
-- Judges a batch of observations against the stored states, by the truth table of docs/class-monitor.md, and
-- writes all that follows in one transaction: changed states, reset and new claims, mails. Each CTE
-- reads the one before it, which is what makes PostgreSQL lock the old rows before it updates them.
-- Returns a row per accepted section; an observation of an older run is not accepted.
-- Nothing is accepted from a worker whose run was taken over.
-- $1 observations (JSON array), $2 run id, $3 epoch, $4 now, $5 placeholders for an unassigned
-- instructor, $6 seconds a claim lasts, $7 seconds a mail is worth sending, $8 what all mails have in common
-- (JSON object: kind, from, url)
with input as (
    select * from jsonb_to_recordset($1::jsonb) as i(
        class_nbr text, term text, watch_subject text, watch_catalog_nbr text,
        subject text, catalog_nbr text, title text, instructor text, location text, meeting_times text,
        seats_available integer, seats_capacity integer, non_reserved_seats integer,
        requested_at timestamptz)
), accepted as (
    insert into edged.section_checks as c (class_nbr, epoch, requested_at)
    select class_nbr, $3::bigint, requested_at from input
    where exists (select from edged.cron_runs r where r.id = $2::bigint and r.epoch = $3::bigint)
    order by class_nbr
    on conflict (class_nbr) do update set epoch = excluded.epoch, requested_at = excluded.requested_at
        where c.epoch <= excluded.epoch
    returning class_nbr
), stored as materialized (
    select s.* from accepted join public.class_states s using (class_nbr) order by s.class_nbr for update of s
), paired as (
    -- A stored state of another term is of another course: the observation is a first sight.
    select i.*, s.term is not null as row_exists, coalesce(s.term = i.term, false) as seen,
           s.subject as old_subject, s.catalog_nbr as old_catalog_nbr, s.title as old_title,
           s.instructor_name as old_instructor, s.location as old_location,
           s.meeting_times as old_meeting_times, s.seats_available as old_available,
           s.seats_capacity as old_capacity, s.non_reserved_seats as old_non_reserved
    from accepted join input i using (class_nbr)
    left join stored s using (class_nbr)
), merged as (
    select p.*, r.*,
           coalesce(subject, case when seen then old_subject end, watch_subject) as new_subject,
           coalesce(catalog_nbr, case when seen then old_catalog_nbr end, watch_catalog_nbr) as new_catalog_nbr,
           coalesce(title, case when seen then old_title end) as new_title,
           coalesce(instructor, case when seen then old_instructor end) as new_instructor,
           coalesce(location, case when seen then old_location end) as new_location,
           coalesce(meeting_times, case when seen then old_meeting_times end) as new_meeting_times,
           coalesce(seats_capacity, case when seen then old_capacity end, 0) as new_capacity
    from paired p
    cross join lateral edged.seat_rule(
        (case when seen then old_available end)::integer, (case when seen then old_non_reserved end)::integer,
        seats_available, non_reserved_seats) as r
), placeholders as (
    select lower(btrim(word)) as word from unnest($5::text[]) as word
), judged as (
    select *,
           new_available is not null
               and (not seen
                    or (old_subject, old_catalog_nbr, old_title, old_instructor, old_location,
                        old_meeting_times, old_available, old_capacity, old_non_reserved)
                       is distinct from
                       (new_subject, new_catalog_nbr, new_title, new_instructor, new_location,
                        new_meeting_times, new_available, new_capacity, new_non_reserved)) as changed,
           coalesce(seen and lower(btrim(old_instructor)) = any (select word from placeholders)
               and not lower(btrim(instructor)) = any (select word from placeholders), false) as assigned
    from merged
), updated as (
    update public.class_states s
    set term = j.term, subject = j.new_subject, catalog_nbr = j.new_catalog_nbr, title = j.new_title,
        instructor_name = j.new_instructor, location = j.new_location, meeting_times = j.new_meeting_times,
        seats_available = j.new_available, seats_capacity = j.new_capacity,
        non_reserved_seats = j.new_non_reserved,
        last_checked_at = j.requested_at, last_changed_at = $4::timestamptz
    from judged j
    where s.class_nbr = j.class_nbr and j.row_exists and j.changed
    returning s.class_nbr
), inserted as (
    -- A row that another run inserted meanwhile stays as it is; the next run compares with it.
    insert into public.class_states (term, subject, catalog_nbr, class_nbr, title, instructor_name,
        seats_available, seats_capacity, non_reserved_seats, location, meeting_times,
        last_checked_at, last_changed_at)
    select term, new_subject, new_catalog_nbr, class_nbr, new_title, new_instructor,
           new_available, new_capacity, new_non_reserved, new_location, new_meeting_times,
           requested_at, $4::timestamptz
    from judged where not row_exists and changed
    on conflict (class_nbr) do nothing
    returning class_nbr
), reset as (
    -- A section that filled up may be announced again.
    delete from public.notifications_sent n
    using judged j, public.class_watches w
    where w.class_nbr = j.class_nbr and w.term = j.term
      -- include_reserved_seats is a column that an application may have.
      and case when to_jsonb(w) -> 'include_reserved_seats' = 'true' then j.filled_with_reserved
               else j.filled end
      and n.class_watch_id = w.id and n.notification_type = 'seat_available'
    returning j.class_nbr, n.class_watch_id
), events as (
    -- reserved_too: for the watches that count reserved seats, for those that do not; null: for both.
    select class_nbr, 'seat_available' as type, false as reserved_too
    from judged where opened
    union all
    select class_nbr, 'seat_available', true from judged where opened_with_reserved
    union all
    select class_nbr, 'instructor_assigned', null from judged where assigned
), wanted as (
    select j.*, e.type, e.reserved_too, w.id as watch_id, w.user_id, coalesce(u.email::text, '') as email,
           case when btrim(coalesce(u.email::text, ''), E' \t\r\n') = '' then 'the user has no address'
                when p.is_disabled then 'the account is disabled'
                when not coalesce(p.notifications_enabled, true) then 'notifications are switched off'
                when p.email_bounced then 'the address bounced'
                when p.spam_complained then 'the user complained of spam'
           end as refusal
    from events e
    join judged j using (class_nbr)
    join public.class_watches w on w.class_nbr = j.class_nbr and w.term = j.term
         and (e.reserved_too is null
              or e.reserved_too = (to_jsonb(w) -> 'include_reserved_seats' is not distinct from 'true'))
    left join auth.users u on u.id = w.user_id
    left join public.user_profiles p on p.user_id = w.user_id
), claimed as (
    -- An expired claim does not block a new one.
    insert into public.notifications_sent as n (class_watch_id, notification_type, sent_at, expires_at)
    select watch_id, type, $4::timestamptz, $4::timestamptz + make_interval(secs => $6::double precision)
    from wanted where refusal is null order by watch_id, type
    on conflict (class_watch_id, notification_type)
        do update set sent_at = excluded.sent_at, expires_at = excluded.expires_at
        where n.expires_at <= $4::timestamptz
    returning n.class_watch_id, n.notification_type
), letters as materialized (
    -- What the mail says, frozen now.
    select w.watch_id, w.type, (row_number() over (order by w.watch_id, w.type))::integer as place,
           $8::jsonb || jsonb_build_object('to', w.email, 'key', w.watch_id || '.' || w.type || '.' || $3::bigint,
               'valid_until', to_char(($4::timestamptz + make_interval(secs => $7::double precision))
                                      at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
               'data', jsonb_strip_nulls(jsonb_build_object(
                   'type', w.type, 'class_nbr', w.class_nbr, 'term', w.term,
                   'subject', w.new_subject, 'catalog_nbr', w.new_catalog_nbr, 'title', w.new_title,
                   'instructor', w.new_instructor, 'location', w.new_location,
                   'meeting_times', w.new_meeting_times, 'seats_available', w.new_available,
                   'seats_capacity', nullif(w.new_capacity, 0), 'non_reserved_seats', w.new_non_reserved,
                   'include_reserved_seats', nullif(w.reserved_too, false),
                   'checked_at', to_char(w.requested_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))))
               as body
    from wanted w
    join claimed c on c.class_watch_id = w.watch_id and c.notification_type = w.type
), sent as materialized (
    select edged.queue_send_batch('email', array_agg(body order by place),
               unique_keys => array_agg(body ->> 'key' order by place), sent_at => $4::timestamptz) as message_ids
    from letters having count(*) > 0
), notified as (
    insert into edged.notifications (notification_id, run_id, class_watch_id, user_id, notification_type, class_nbr,
        term, recipient, message_id, reason, valid_until, created_at)
    select w.watch_id || '.' || w.type || '.' || $3::bigint, $2::bigint, w.watch_id, w.user_id, w.type,
           w.class_nbr, w.term, w.email, s.message_ids[l.place],
           case when l.place is null then coalesce(w.refusal, 'already notified, the claim is still valid') end,
           $4::timestamptz + make_interval(secs => $7::double precision), $4::timestamptz
    from wanted w
    left join letters l on l.watch_id = w.watch_id and l.type = w.type
    left join sent s on true
    on conflict (notification_id) do nothing
    returning class_nbr, class_watch_id, notification_type, message_id is not null as claimed
), claims as (
    select class_nbr, jsonb_agg(class_watch_id || ':' || notification_type) as claims
    from notified where claimed group by class_nbr
), resets as (
    select class_nbr, jsonb_agg(class_watch_id || ':seat_available') as resets from reset group by class_nbr
), opened_reserved as (
    select distinct class_nbr from wanted where reserved_too
)
select j.class_nbr, j.term, j.new_subject, j.new_catalog_nbr, j.new_title, j.new_instructor, j.new_location,
       j.new_meeting_times, j.new_available, j.new_capacity, j.new_non_reserved,
       -- Whether PostgreSQL now holds exactly this state.
       (j.new_available is not null and (j.row_exists or i.class_nbr is not null)) as stored,
       (j.changed and (j.row_exists or i.class_nbr is not null)) as changed,
       (j.opened or o.class_nbr is not null) as opened,
       j.assigned, c.claims, r.resets
from judged j
left join inserted i on i.class_nbr = j.class_nbr
left join opened_reserved o on o.class_nbr = j.class_nbr
left join claims c on c.class_nbr = j.class_nbr
left join resets r on r.class_nbr = j.class_nbr
order by j.class_nbr;

-- name: finish_run
-- Settles the sections whose observation equals their fresh KV state, if no other run settled them since
-- they were listed, brings last_checked_at up to date and closes the run. One row per section that
-- another run settled meanwhile, and one with a null class_nbr that says whether the run was still ours.
-- $1 confirmed sections [{class_nbr, settled_epoch, requested_at}], $2 all checked sections
-- [{class_nbr, requested_at}] or null to leave last_checked_at alone, $3 run id, $4 epoch, $5 now,
-- $6 status, $7 summary (JSON object), $8 error or null
with confirmed as (
    select * from jsonb_to_recordset($1::jsonb) as i(class_nbr text, settled_epoch bigint, requested_at timestamptz)
), locked as materialized (
    select c.class_nbr from edged.section_checks c join confirmed i using (class_nbr)
    order by c.class_nbr for update of c
), ours as (
    select from edged.cron_runs where id = $3::bigint and epoch = $4::bigint
), settled as (
    update edged.section_checks c
    set epoch = $4::bigint, requested_at = i.requested_at
    from locked l join confirmed i using (class_nbr)
    where c.class_nbr = l.class_nbr and c.epoch = i.settled_epoch and exists (select from ours)
    returning c.class_nbr
), touched as (
    update public.class_states s
    set last_checked_at = i.requested_at
    from jsonb_to_recordset($2::jsonb) as i(class_nbr text, requested_at timestamptz)
    where s.class_nbr = i.class_nbr and (s.last_checked_at is null or s.last_checked_at < i.requested_at)
      and exists (select from ours)
), closed as (
    update edged.cron_runs
    set status = $6, finished_at = $5::timestamptz, error = $8,
        summary = $7::jsonb || jsonb_build_object('notifications',
            (select count(message_id) from edged.notifications n where n.run_id = $3::bigint))
    where id = $3::bigint and epoch = $4::bigint and status in ('running', $6)
    returning summary
)
select null as class_nbr, (select summary from closed)::text as summary
union all
select i.class_nbr, null from confirmed i where i.class_nbr not in (select class_nbr from settled);

-- name: run_record
-- $1 run id
select id, cause, status, attempts, summary::text as summary, error,
       floor(extract(epoch from due_at) * 1000)::bigint as due_at_ms,
       floor(extract(epoch from started_at) * 1000)::bigint as started_at_ms,
       floor(extract(epoch from finished_at) * 1000)::bigint as finished_at_ms
from edged.cron_runs where id = $1::bigint;

-- name: newest_runs
-- $1 job, $2 how many. The newest first.
select id, cause, status, attempts, summary::text as summary, error,
       floor(extract(epoch from due_at) * 1000)::bigint as due_at_ms,
       floor(extract(epoch from started_at) * 1000)::bigint as started_at_ms,
       floor(extract(epoch from finished_at) * 1000)::bigint as finished_at_ms
from edged.cron_runs where job = $1 order by id desc limit $2::integer;

-- name: last_tick
-- $1 job, $2 now. The latest tick up to now that has a run; a tick of the future was run by a clock that
-- was wrong. No row: none.
select floor(extract(epoch from due_at) * 1000)::bigint as due_at_ms
from edged.cron_runs
where job = $1 and due_at <= $2::timestamptz and cause = 'schedule'
order by due_at desc limit 1;

-- name: mails_waiting
-- How many mails of a run are in the queue. $1 run id
select count(*) as waiting
from edged.notifications n join edged.queue_messages q on q.id = n.message_id
where n.run_id = $1::bigint;

-- name: dead_mails
-- Mails of a run that will never be sent. $1 run id
select n.notification_id, n.class_nbr, d.reason
from edged.notifications n join edged.queue_dead d on d.message_id = n.message_id
where n.run_id = $1::bigint
order by d.message_id;

-- name: delete_old_notifications
-- Deletes notifications that are over, and what is known of their mails. Neither one whose mail may still be
-- sent, nor one of a run that is under way: finish_run counts those, and a repeated apply_results must find
-- them. A clock that is ahead of PostgreSQL's deletes nothing early. $1 now, $2 age in seconds,
-- $3 number of rows
with old as materialized (
    select n.notification_id, n.message_id from edged.notifications n
    where n.created_at < least($1::timestamptz, now()) - make_interval(secs => $2::double precision)
      and not exists (select from edged.queue_messages q where q.id = n.message_id)
      and not exists (select from edged.mail_events e
                      where e.key = n.notification_id
                        and e.at >= least($1::timestamptz, now()) - make_interval(secs => $2::double precision))
      and not exists (select from edged.cron_runs r where r.id = n.run_id and r.status = 'running')
    order by n.created_at
    limit $3::integer
    for update of n skip locked
), events as (
    delete from edged.mail_events e using old where e.key = old.notification_id
), deleted as (
    delete from edged.notifications n using old where n.notification_id = old.notification_id returning 1
)
select count(*) from deleted;

-- name: delete_old_runs
-- Deletes runs that are over, but neither the newest nor that of the latest tick, which says what was
-- missed. $1 now, $2 age in seconds, $3 number of rows, $4 job
with old as materialized (
    select r.id from edged.cron_runs r
    where r.job = $4
      and r.finished_at < least($1::timestamptz, now()) - make_interval(secs => $2::double precision)
      and r.status <> 'running'
      and r.id is distinct from
          (select n.id from edged.cron_runs n where n.job = $4 order by n.id desc limit 1)
      and r.id is distinct from
          (select n.id from edged.cron_runs n
           where n.job = $4 and n.cause = 'schedule' and n.due_at <= least($1::timestamptz, now())
           order by n.due_at desc limit 1)
    order by r.finished_at
    limit $3::integer
    for update of r skip locked
), deleted as (
    delete from edged.cron_runs r using old where r.id = old.id returning 1
)
select count(*) from deleted;
