-- Delivery of edged.mails. Every statement takes the time as a parameter; every change to a row that is
-- being sent names the lease it holds, so a deliverer that lost its lease changes nothing.

-- name: claim_due
-- Late mails come last, and one at a time: the upstream may have to be asked for it, which takes its time,
-- and mails that become due meanwhile go before the next. $1 now, $2 number of rows, $3 end of the lease,
-- $4 false: only late ones; the others are looked for behind all late ones, which may be many
with fresh as materialized (
    select id from edged.mails
    where $4::boolean and status in ('pending', 'sending') and next_attempt_at <= $1::timestamptz
      and (status = 'pending' or lease_until <= $1::timestamptz)
      and valid_until >= $1::timestamptz
    order by next_attempt_at, id
    limit $2::integer
    for update skip locked
), late as materialized (
    select id from edged.mails
    where (select count(*) from fresh) < $2::integer
      and status in ('pending', 'sending') and next_attempt_at <= $1::timestamptz
      and (status = 'pending' or lease_until <= $1::timestamptz)
      and valid_until < $1::timestamptz
    order by next_attempt_at, id
    limit 1
    for update skip locked
), due as (
    select id from fresh union all select id from late
)
update edged.mails m
set status = 'sending', lease_number = m.lease_number + 1, lease_until = $3::timestamptz
from due
where m.id = due.id
returning m.id, m.lease_number, m.notification_id, m.class_watch_id, m.notification_type,
          m.class_nbr, m.term, m.recipient, m.facts::text as facts,
          (extract(epoch from m.created_at) * 1000)::bigint as created_at_ms,
          m.valid_until < $1::timestamptz as is_late

-- name: renew_and_check
-- The last look before sending: is the lease still ours (else no row), may the user be mailed, is the
-- mail late, and what does the section look like. $1 id, $2 lease, $3 now, $4 end of the lease,
-- $5 a state older than this is not believed, $6 attempts that begin with this look. Attempts are counted
-- here and not at the claim: a batch that waits behind a slow transport has not been tried.
with mine as (
    update edged.mails
    set lease_until = $4::timestamptz, attempts = attempts + $6::integer
    where id = $1::bigint and lease_number = $2::bigint and status = 'sending'
    returning user_id, class_watch_id, class_nbr, term, recipient, valid_until, attempts
)
select case when p.is_disabled then 'the account is disabled'
            when not p.notifications_enabled then 'notifications are switched off'
            when p.email_bounced then 'the address bounced'
            when p.spam_complained then 'the user complained of spam'
            when w.id is null then 'the watch was removed'
            else 'the address is suppressed: ' || edged.mail_suppression(mine.recipient)
       end as refusal,
       mine.valid_until < $3::timestamptz as is_late,
       greatest(s.last_checked_at, c.requested_at) >= $5::timestamptz as is_recent,
       mine.attempts, wishes.include_reserved, s.seats_available, s.non_reserved_seats
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

-- name: renew
-- $1 id, $2 lease, $3 end of the lease
update edged.mails set lease_until = $3::timestamptz
where id = $1::bigint and lease_number = $2::bigint and status = 'sending'

-- name: lock_section_of_mail
-- Waits until no run applies the section. In a transaction before settle_closing, whose snapshot would
-- not hold the claims that such a run makes. $1 id of the mail
select from edged.section_checks c
where c.class_nbr = (select m.class_nbr from edged.mails m where m.id = $1::bigint)
for update

-- name: settle_closing
-- The upstream said that the section closed before the mail left. As a run would, and fenced like one by
-- its epoch: what was seen becomes the stored state, the KV copy is not believed any more, and the claims of
-- all watches for which the section filled up are reset, so that a run announces the next opening to each.
-- An opening is left to a run: seats that were 0 stay 0. Without a state of the term there is nothing
-- to correct. Then the mail is dropped and its claim released as by drop_and_release.
-- Returns whether the lease was held; and if so, whether the answer was accepted: else a newer run has settled
-- the section, and nothing changed.
-- $1 id, $2 lease, $3 epoch, $4 when the upstream was asked, $5 seats_available or null,
-- $6 non_reserved_seats or null, $7 reason, $8 now
with mine as materialized (
    select id, class_watch_id, notification_type, class_nbr, term from edged.mails
    where id = $1::bigint and lease_number = $2::bigint and status = 'sending'
    for update
), accepted as (
    insert into edged.section_checks as c (class_nbr, epoch, requested_at)
    select class_nbr, $3::bigint, $4::timestamptz from mine
    on conflict (class_nbr) do update set epoch = excluded.epoch, requested_at = excluded.requested_at
        where c.epoch <= excluded.epoch
    returning class_nbr
), stored as materialized (
    select s.class_nbr, s.term, s.seats_available as old_available, s.non_reserved_seats as old_non_reserved
    from accepted
    join mine using (class_nbr)
    join public.class_states s on s.class_nbr = mine.class_nbr and s.term = mine.term
    for update of s
), judged as (
    select s.*, r.new_available, r.new_non_reserved, r.filled, r.filled_with_reserved
    from stored s
    cross join lateral edged.seat_rule(old_available::integer, old_non_reserved::integer,
        $5::integer, $6::integer, only_closing => true) as r
), updated as (
    update public.class_states s
    set seats_available = j.new_available, non_reserved_seats = j.new_non_reserved,
        last_checked_at = greatest(s.last_checked_at, $4::timestamptz), last_changed_at = $8::timestamptz
    from judged j
    where s.class_nbr = j.class_nbr
      and (j.old_available, j.old_non_reserved) is distinct from (j.new_available, j.new_non_reserved)
), dropped as (
    update edged.mails
    set status = 'dropped', reason = $7, finished_at = $8::timestamptz, lease_until = null
    where id in (select id from mine) and exists (select from accepted)
), released as (
    delete from public.notifications_sent n
    where n.notification_type = 'seat_available' and n.class_watch_id in (
        select w.id
        from judged j
        join public.class_watches w on w.class_nbr = j.class_nbr and w.term = j.term
        where case when to_jsonb(w) -> 'include_reserved_seats' = 'true' then j.filled_with_reserved
                   else j.filled end
        union all
        select d.class_watch_id from mine d
        where exists (select from accepted) and not exists (
            select from edged.mails later
            where later.class_watch_id = d.class_watch_id and later.notification_type = d.notification_type
              and later.id > d.id and later.status <> 'dropped'))
)
select exists (select from accepted) as accepted from mine

-- name: retry
-- $1 id, $2 lease, $3 time of the next attempt
update edged.mails
set status = 'pending', next_attempt_at = $3::timestamptz, lease_until = null
where id = $1::bigint and lease_number = $2::bigint and status = 'sending'

-- name: count_pending_of_run
select count(*) from edged.mails where run_id = $1::bigint and status in ('pending', 'sending')
