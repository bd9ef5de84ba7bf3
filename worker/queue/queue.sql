-- What consumers and commands do with the queues of worker/db/migrations/0004_queue.sql. Every statement
-- takes the time as a parameter.

-- name: open_queue
-- $1 name. Creates it if it is missing.
select edged.queue_create($1) as id

-- name: claim
-- Takes the next messages for a consumer: one row of queue_claims holds them all. A paused queue has none.
-- $1 queue id, $2 how many, $3 the position behind which to look, $4 consumer, $5 end of the lease
with taken as materialized (
    delete from edged.queue_ready r
    using (select position from edged.queue_ready
           where queue_id = $1::integer and position > $3::bigint
             and not exists (select from edged.queues where id = $1::integer and is_paused)
           order by position limit $2::integer for update skip locked) next
    where r.queue_id = $1::integer and r.position = next.position
    returning r.position, r.message_id, r.attempts + 1 as attempts
), claimed as (
    insert into edged.queue_claims (queue_id, consumer, lease_until, message_ids, attempts)
    select $1::integer, $4, $5::timestamptz, array_agg(message_id order by position),
           array_agg(attempts order by position)
    from taken having count(*) > 0
    returning id
)
select c.id as claim, t.position, t.message_id, t.attempts, m.body::text as body, m.content_type,
       floor(extract(epoch from m.sent_at) * 1000)::bigint as sent_at_ms
from claimed c cross join taken t join edged.queue_messages m on m.id = t.message_id
order by t.position

-- name: look_back
-- Which transactions are over: what they sent can be seen now.
select pg_snapshot_xmin(s)::text as oldest, pg_snapshot_xmax(s)::text as next from pg_current_snapshot() s

-- name: complete
-- Ends or hands back messages of claims. A message that its claim does not hold any more is left alone, so
-- a consumer that lost its claim changes nothing. Returns the messages that were changed.
-- $1 JSON array of {claim, message, what: "ack" | "retry" | "dead", due_at, reason, dead_queue_id,
-- uncounted}, $2 now. due_at and uncounted (the attempt does not count) are of retries, reason of dead ones;
-- a dead one with dead_queue_id is sent to that queue.
with input as materialized (
    select * from jsonb_to_recordset($1::jsonb) as i(claim bigint, message bigint, what text,
        due_at timestamptz, reason text, dead_queue_id integer, uncounted boolean)
), held as materialized (
    select c.id, c.queue_id, c.message_ids, c.attempts from edged.queue_claims c
    where c.id in (select claim from input) order by c.id for update
), entries as materialized (
    select h.id as claim, h.queue_id, e.message, e.attempts, e.n, i.what, i.due_at, i.reason, i.dead_queue_id,
           e.attempts - case when i.uncounted then 1 else 0 end as counted
    from held h cross join lateral unnest(h.message_ids, h.attempts) with ordinality as e(message, attempts, n)
    left join input i on i.claim = h.id and i.message = e.message
), ended as (
    delete from edged.queue_messages m using entries e
    where m.id = e.message and e.what in ('ack', 'dead')
    returning m.id, m.body, m.content_type, m.sent_at
), died as (
    insert into edged.queue_dead (message_id, queue_id, body, content_type, reason, attempts, sent_at, died_at)
    select d.id, e.queue_id, d.body, d.content_type, e.reason, e.attempts, d.sent_at, $2::timestamptz
    from ended d join entries e on e.message = d.id
    where e.what = 'dead' and e.dead_queue_id is null
), forwarded as (
    insert into edged.queue_messages (queue_id, body, content_type, sent_at)
    select e.dead_queue_id, d.body, d.content_type, $2::timestamptz
    from ended d join entries e on e.message = d.id
    where e.what = 'dead' and e.dead_queue_id is not null
    returning id, queue_id
), delayed as (
    insert into edged.queue_delayed (queue_id, due_at, message_id, attempts)
    select queue_id, due_at, message, counted from entries where what = 'retry' and due_at > $2::timestamptz
), ready as (
    insert into edged.queue_ready (queue_id, message_id, attempts)
    select queue_id, message, counted from entries
    where what = 'retry' and coalesce(due_at, $2::timestamptz) <= $2::timestamptz
    union all
    select queue_id, id, 0 from forwarded
), kept as (
    update edged.queue_claims c
    set message_ids = k.message_ids, attempts = k.attempts
    from (select claim, array_agg(message order by n) as message_ids, array_agg(attempts order by n) as attempts
          from entries where what is null group by claim) k
    where c.id = k.claim
), gone as (
    delete from edged.queue_claims c
    where c.id in (select id from held)
      and not exists (select from entries e where e.claim = c.id and e.what is null)
)
select claim, message from entries where what is not null

-- name: renew
-- $1 claims (array), $2 end of the lease. Returns those that are still held.
update edged.queue_claims set lease_until = $2::timestamptz where id = any ($1::bigint[]) returning id

-- name: give_back_expired
-- Consumers that died. $1 now, $2 how many claims
with expired as materialized (
    select id, queue_id, message_ids, attempts from edged.queue_claims
    where lease_until <= $1::timestamptz
    order by id limit $2::integer for update skip locked
), back as (
    insert into edged.queue_ready (queue_id, message_id, attempts)
    select x.queue_id, e.message, e.attempts
    from expired x cross join lateral unnest(x.message_ids, x.attempts) as e(message, attempts)
    where exists (select from edged.queue_messages m where m.id = e.message)  -- not purged meanwhile
    order by x.id
), gone as (
    delete from edged.queue_claims c using expired x where c.id = x.id
)
select count(*) as claims from expired

-- name: release_due
-- Delayed messages whose time has come. $1 queue id, $2 now, $3 how many. Returns how many, and when the
-- next one is due.
with due as (
    delete from edged.queue_delayed d
    using (select due_at, message_id from edged.queue_delayed
           where queue_id = $1::integer and due_at <= $2::timestamptz
           order by due_at, message_id limit $3::integer for update skip locked) next
    where d.queue_id = $1::integer and d.due_at = next.due_at and d.message_id = next.message_id
    returning d.message_id, d.attempts, d.due_at
), placed as (
    insert into edged.queue_ready (queue_id, message_id, attempts)
    select $1::integer, message_id, attempts from due order by due_at
)
select (select count(*) from due) as released,
       (select floor(extract(epoch from min(due_at)) * 1000)::bigint from edged.queue_delayed
        where queue_id = $1::integer and due_at > $2::timestamptz) as next_due_ms

-- name: delete_old_dead
-- $1 now, $2 age in seconds, $3 how many
delete from edged.queue_dead
where message_id in (select message_id from edged.queue_dead
                     where died_at < least($1::timestamptz, now()) - make_interval(secs => $2::double precision)
                     order by died_at limit $3::integer)
