-- What consumers and commands do with the queues of worker/db/migrations/0004_queue.sql. Leases begin and end
-- by PostgreSQL's clock alone, so that workers whose clocks differ do not take batches from each other. When
-- delayed messages are due is decided by a parameter.

-- name: open_queue
-- $1 name. Creates it if it is missing.
select edged.queue_create($1) as id

-- name: claim
-- $1 queue id, $2 how many, $3 the position behind which to look, $4 consumer, $5 the lease in milliseconds
select * from edged.queue_claim($1::integer, $2::integer, $3::bigint, $4, now() + $5::bigint * interval '1 ms')

-- name: look_back
-- Which transactions are over: what they sent can be seen now.
select pg_snapshot_xmin(s)::text as oldest, pg_snapshot_xmax(s)::text as next from pg_current_snapshot() s

-- name: complete
-- $1 decisions, a JSON array as edged.queue_complete takes it, $2 now. Returns the messages that were changed.
select * from edged.queue_complete($1::jsonb, $2::timestamptz)

-- name: renew
-- $1 claims (array), $2 the lease in milliseconds. Returns those that are still held.
update edged.queue_claims set lease_until = now() + $2::bigint * interval '1 ms' where id = any ($1::bigint[]) returning id

-- name: give_back_expired
-- Consumers that died. $1 how many claims, $2 for how many milliseconds at most their leases are over, or null:
-- before that, a long snapshot may keep the dead rows of all that were claimed
with expired as materialized (
    select id, queue_id, message_ids, attempts from edged.queue_claims
    where lease_until > coalesce(now() - $2::bigint * interval '1 ms', '-infinity') and lease_until <= now()
    order by lease_until limit $1::integer for update skip locked
), back as (
    insert into edged.queue_ready (queue_id, message_id, attempts)
    select x.queue_id, e.message, e.attempts
    from expired x cross join lateral unnest(x.message_ids, x.attempts) as e(message, attempts)
    where exists (select from edged.queue_messages m where m.id = e.message)  -- not purged meanwhile
    order by x.id
), gone as (
    delete from edged.queue_claims c where c.id = any (array(select x.id from expired x))
)
select count(*) as claims from expired

-- name: release_due
-- Delayed messages whose time has come. $1 queue id, $2 now, $3 how many, $4 a time: only those due after it, or
-- null: behind it, a long snapshot may keep the dead rows of all that were delayed. Returns how many, and when the
-- next one is due.
with next as materialized (
    select ctid as place from edged.queue_delayed
    where queue_id = $1::integer and due_at > coalesce($4::timestamptz, '-infinity') and due_at <= $2::timestamptz
    order by due_at, message_id limit $3::integer for update skip locked
), due as (
    delete from edged.queue_delayed d where d.ctid = any (array(select n.place from next n))
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
