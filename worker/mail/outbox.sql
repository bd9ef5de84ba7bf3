-- Delivery of edged.mails. Every statement takes the time as a parameter; every change to a row that is
-- being sent names the lease it holds, so a deliverer that lost its lease changes nothing.

-- name: claim_due
-- $1 now, $2 number of rows, $3 end of the lease
with due as materialized (
    select id from edged.mails
    where status in ('pending', 'sending') and next_attempt_at <= $1::timestamptz
      and (status = 'pending' or lease_until <= $1::timestamptz)
    order by id
    limit $2::integer
    for update skip locked
)
update edged.mails m
set status = 'sending', lease_number = m.lease_number + 1, lease_until = $3::timestamptz
from due
where m.id = due.id
returning m.id, m.lease_number, m.notification_id, m.class_watch_id, m.notification_type,
          m.class_nbr, m.term, m.recipient, m.facts::text as facts,
          (extract(epoch from m.created_at) * 1000)::bigint as created_at_ms

-- name: renew_and_check
-- The last look before sending: is the lease still ours (else no row), may the user be mailed, is the
-- mail late, and what does the section look like. $1 id, $2 lease, $3 now, $4 end of the lease,
-- $5 a state older than this is not believed, $6 attempts that begin with this look. Attempts are counted
-- here and not at the claim: a batch that waits behind a slow transport has not been tried.
with mine as (
    update edged.mails
    set lease_until = $4::timestamptz, attempts = attempts + $6::integer
    where id = $1::bigint and lease_number = $2::bigint and status = 'sending'
    returning user_id, class_watch_id, class_nbr, term, valid_until, attempts
)
select case when p.is_disabled then 'the account is disabled'
            when not p.notifications_enabled then 'notifications are switched off'
            when p.email_bounced then 'the address bounced'
            when p.spam_complained then 'the user complained of spam'
            when w.id is null then 'the watch was removed'
       end as refusal,
       mine.valid_until < $3::timestamptz as is_late,
       coalesce(case when not wishes.include_reserved then s.non_reserved_seats end, s.seats_available) > 0 as is_open,
       greatest(s.last_checked_at, c.requested_at) >= $5::timestamptz as is_recent,
       mine.attempts, wishes.include_reserved
from mine
left join public.user_profiles p on p.user_id = mine.user_id
left join public.class_watches w on w.id = mine.class_watch_id
cross join lateral (
    select to_jsonb(w) -> 'include_reserved_seats' is not distinct from 'true' as include_reserved) as wishes
left join public.class_states s on s.class_nbr = mine.class_nbr and s.term = mine.term
left join edged.section_checks c on c.class_nbr = mine.class_nbr

-- name: finish
-- $1 id, $2 lease, $3 status, $4 reason, $5 now
update edged.mails
set status = $3, reason = $4, finished_at = $5::timestamptz, lease_until = null
where id = $1::bigint and lease_number = $2::bigint and status = 'sending'

-- name: drop_and_release
-- The section closed before the mail left: the claim goes too, so that the next opening is told. Not if
-- a later mail of the same watch and type stands for the claim. $1 id, $2 lease, $3 reason, $4 now
with dropped as (
    update edged.mails
    set status = 'dropped', reason = $3, finished_at = $4::timestamptz, lease_until = null
    where id = $1::bigint and lease_number = $2::bigint and status = 'sending'
    returning id, class_watch_id, notification_type
), released as (
    delete from public.notifications_sent n
    using dropped d
    where n.class_watch_id = d.class_watch_id and n.notification_type = d.notification_type
      and not exists (
          select from edged.mails later
          where later.class_watch_id = d.class_watch_id and later.notification_type = d.notification_type
            and later.id > d.id and later.status <> 'dropped')
)
select id from dropped

-- name: retry
-- $1 id, $2 lease, $3 time of the next attempt
update edged.mails
set status = 'pending', next_attempt_at = $3::timestamptz, lease_until = null
where id = $1::bigint and lease_number = $2::bigint and status = 'sending'

-- name: count_pending_of_run
select count(*) from edged.mails where run_id = $1::bigint and status in ('pending', 'sending')
