-- The last look at notifications before they are sent. What changes anything names the claim of the queue
-- under which the mail is held, so that a worker that lost it changes nothing.

-- name: recheck
-- One row per mail, in the order given: may the user be mailed, is a mail about seats late, and what does
-- the section look like. Verdict: 'send'; 'refused' with the reason; 'closed': recorded as dropped, and the
-- claim on the notification is released, so that the next opening is told; 'dropped': that was recorded before.
-- The message in the queue is ended with both.
-- 'ask': the state is too old, the upstream must be asked; 'unknown'; 'lost': another worker has the mail.
-- $1 keys, $2 claims of the queue, $3 ids of the messages, $4 now, $5 a state older than this is not believed,
-- $6 whether the upstream can be asked, $7 reason for what closed
with letters as materialized (
    select * from unnest($1::text[], $2::bigint[], $3::bigint[])
        with ordinality as l (key, claim, message_id, place)
), looked_at as materialized (
    select l.*, n.class_watch_id, n.notification_type, n.recipient, n.message_id as first_message_id,
           case when n.notification_id is null then 'its record in edged.notifications was removed'
                when p.is_disabled then 'the account is disabled'
                when not p.notifications_enabled then 'notifications are switched off'
                when p.email_bounced then 'the address bounced'
                when p.spam_complained then 'the user complained of spam'
                when w.id is null then 'the watch was removed'
           end as refusal,
           -- An instructor's name does not go stale: only seats are judged again.
           n.notification_type = 'seat_available' and n.valid_until < $4::timestamptz as is_late,
           coalesce(greatest(s.last_checked_at, c.requested_at) >= $5::timestamptz, false) as is_recent,
           edged.open_seats(s.seats_available::integer, s.non_reserved_seats::integer,
               to_jsonb(w) -> 'include_reserved_seats' is not distinct from 'true') as open_seats,
           exists (select from edged.mail_events e where e.key = l.key and e.event = 'dropped') as is_dropped
    from letters l
    left join edged.notifications n on n.notification_id = l.key
    left join public.user_profiles p on p.user_id = n.user_id
    left join public.class_watches w on w.id = n.class_watch_id
    left join public.class_states s on s.class_nbr = n.class_nbr and s.term = n.term
    left join edged.section_checks c on c.class_nbr = n.class_nbr
), judged as materialized (
    select *,
           case when is_dropped then 'dropped'
                when refusal is not null then 'refused'
                when not is_late then 'send'
                when $6::boolean and (not is_recent or open_seats is null) then 'ask'
                when open_seats > 0 then 'send'
                when open_seats = 0 then 'closed'
                else 'unknown'
           end as verdict
    from looked_at
), over as materialized (
    select * from judged
    where case when verdict in ('closed', 'dropped') then edged.queue_holds(claim, message_id) else false end
), ended as (
    delete from edged.queue_messages q using over where q.id = over.message_id
), closed as (
    select * from over where verdict = 'closed'
), noted as materialized (
    select place, edged.mail_note(key, recipient, 'dropped', $7, $4::timestamptz) as note from closed
), claims as materialized (
    -- Not if a later mail of the same watch and type stands for the claim. In the order in which runs
    -- take them.
    select n.class_watch_id, n.notification_type
    from closed d
    join public.notifications_sent n using (class_watch_id, notification_type)
    where not exists (
        select from edged.notifications later
        where later.class_watch_id = d.class_watch_id and later.notification_type = d.notification_type
          and later.message_id > d.first_message_id
          and not exists (select from edged.mail_events e
                          where e.key = later.notification_id and e.event = 'dropped'))
    order by n.class_watch_id, n.notification_type
    for update of n
), released as (
    delete from public.notifications_sent n using claims
    where n.class_watch_id = claims.class_watch_id and n.notification_type = claims.notification_type
)
select case when verdict = 'closed' and noted.place is null then 'lost' else verdict end as verdict, refusal
from judged
left join noted using (place)
order by place

-- name: next_epoch
-- Before the upstream is asked. A run that begins later has a greater one, and its word counts.
select nextval('edged.run_epoch')

-- name: lock_section
-- Waits until no run applies the section. In a transaction before settle_answer, whose snapshot would not
-- hold the claims that such a run makes. $1 class_nbr
select from edged.section_checks where class_nbr = $1 for update

-- name: settle_answer
-- What the upstream said of the section of a late mail. If the section closed, that is stored as a run would
-- store it, and fenced like one by its epoch: what was seen becomes the stored state, the KV copy is not
-- believed any more, and the claims of all watches for which the section filled up are reset, so that a
-- run announces the next opening to each. An opening is left to a run. Without a state of the term there is
-- nothing to correct. Then the mail is recorded as dropped, its claim released and its message ended, as by recheck.
-- If it is open, or a newer run has settled the section meanwhile, a state that is recent now has the last
-- word. Verdicts as of recheck; no row: another worker has the mail. is_overtaken: a newer run was there.
-- $1 key, $2 claim of the queue, $3 id of the message, $4 epoch, $5 when the upstream was asked,
-- $6 seats_available or null, $7 non_reserved_seats or null, $8 now, $9 a state older than this is not
-- believed, $10 reason for what closed
with letter as materialized (
    select n.notification_id, n.class_watch_id, n.notification_type, n.class_nbr, n.term, n.recipient,
           n.message_id,
           case when p.is_disabled then 'the account is disabled'
                when not p.notifications_enabled then 'notifications are switched off'
                when p.email_bounced then 'the address bounced'
                when p.spam_complained then 'the user complained of spam'
                when w.id is null then 'the watch was removed'
           end as refusal,
           to_jsonb(w) -> 'include_reserved_seats' is not distinct from 'true' as with_reserved
    from edged.notifications n
    left join public.user_profiles p on p.user_id = n.user_id
    left join public.class_watches w on w.id = n.class_watch_id
    where n.notification_id = $1 and edged.queue_holds($2::bigint, $3::bigint)
), known as materialized (
    select l.*,
           case when with_reserved then r.seen_open_with_reserved else r.seen_open end as seen,
           case when coalesce(greatest(s.last_checked_at, c.requested_at) >= $9::timestamptz, false)
                then edged.open_seats(s.seats_available::integer, s.non_reserved_seats::integer, with_reserved)
           end as believed
    from letter l
    left join public.class_states s on s.class_nbr = l.class_nbr and s.term = l.term
    left join edged.section_checks c on c.class_nbr = l.class_nbr
    cross join lateral edged.seat_rule(s.seats_available::integer, s.non_reserved_seats::integer,
        $6::integer, $7::integer) as r
), accepted as (
    insert into edged.section_checks as c (class_nbr, epoch, requested_at)
    select class_nbr, $4::bigint, $5::timestamptz from known where seen = 0
    on conflict (class_nbr) do update set epoch = excluded.epoch, requested_at = excluded.requested_at
        where c.epoch <= excluded.epoch
    returning class_nbr
), stored as materialized (
    select s.class_nbr, s.term, s.seats_available as old_available, s.non_reserved_seats as old_non_reserved
    from accepted
    join letter using (class_nbr)
    join public.class_states s on s.class_nbr = letter.class_nbr and s.term = letter.term
    for update of s
), settled as materialized (
    select s.*, r.new_available, r.new_non_reserved, r.filled, r.filled_with_reserved
    from stored s
    cross join lateral edged.seat_rule(old_available::integer, old_non_reserved::integer,
        $6::integer, $7::integer, only_closing => true) as r
), updated as (
    update public.class_states s
    set seats_available = j.new_available, non_reserved_seats = j.new_non_reserved,
        last_checked_at = greatest(s.last_checked_at, $5::timestamptz), last_changed_at = $8::timestamptz
    from settled j
    where s.class_nbr = j.class_nbr
      and (j.old_available, j.old_non_reserved) is distinct from (j.new_available, j.new_non_reserved)
), judged as materialized (
    select *,
           case when seen is null then 'unknown'
                when exists (select from accepted) then 'closed'
                when refusal is not null then 'refused'
                when coalesce(believed, seen) > 0 then 'send'
                else 'closed'
           end as verdict
    from known
), noted as materialized (
    select edged.mail_note(notification_id, recipient, 'dropped', $10, $8::timestamptz) as note
    from judged where verdict = 'closed'
), ended as (
    delete from edged.queue_messages where id = $3::bigint and exists (select from judged where verdict = 'closed')
), claims as materialized (
    select n.class_watch_id, n.notification_type
    from public.notifications_sent n
    where (n.notification_type = 'seat_available' and n.class_watch_id in (
            select w.id
            from settled j
            join public.class_watches w on w.class_nbr = j.class_nbr and w.term = j.term
            where case when to_jsonb(w) -> 'include_reserved_seats' = 'true' then j.filled_with_reserved
                       else j.filled end))
       or (n.class_watch_id, n.notification_type) in (
            select d.class_watch_id, d.notification_type
            from judged d
            where d.verdict = 'closed' and not exists (
                select from edged.notifications later
                where later.class_watch_id = d.class_watch_id and later.notification_type = d.notification_type
                  and later.message_id > d.message_id
                  and not exists (select from edged.mail_events e
                                  where e.key = later.notification_id and e.event = 'dropped')))
    order by n.class_watch_id, n.notification_type
    for update
), released as (
    delete from public.notifications_sent n using claims
    where n.class_watch_id = claims.class_watch_id and n.notification_type = claims.notification_type
)
select verdict, refusal, seen = 0 and not exists (select from accepted) as is_overtaken,
       (select count(note) from noted) as notes
from judged
