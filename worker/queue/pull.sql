-- What programs outside do with queues: their settings, and leases of single messages. The functions are
-- those of worker/db/migrations/0008_queue_pull.sql.

-- name: describe
-- $1 id or null, $2 name or null; both null: all queues
select id, name, is_paused, is_pulled, extract(epoch from delivery_delay)::bigint as delivery_delay_s,
       extract(epoch from message_retention)::bigint as message_retention_s,
       (extract(epoch from visibility_timeout) * 1000)::bigint as visibility_timeout_ms, max_retries,
       extract(epoch from retry_delay)::bigint as retry_delay_s, dead_letter_queue,
       floor(extract(epoch from created_at) * 1000)::bigint as created_ms,
       floor(extract(epoch from modified_at) * 1000)::bigint as modified_ms
from edged.queues
where ($1::integer is null or id = $1::integer) and ($2::text is null or name = $2::text)
order by name

-- name: configure
-- $1 name, $2 settings as edged.queue_configure takes them
select edged.queue_configure($1, $2::jsonb) as id

-- name: create_new
-- $1 name. No row: there is such a queue already.
insert into edged.queues (name) values ($1) on conflict (name) do nothing returning id

-- name: remove
-- With all its messages. $1 id
with ready as (
    delete from edged.queue_ready where queue_id = $1::integer
), delayed as (
    delete from edged.queue_delayed where queue_id = $1::integer
), claims as (
    delete from edged.queue_claims where queue_id = $1::integer
), messages as (
    delete from edged.queue_messages where queue_id = $1::integer
)
delete from edged.queues where id = $1::integer

-- name: backlog
-- What is not acknowledged yet. Counting ends at $2 messages that wait. Bytes and the oldest are those of the
-- first 50 messages of each kind; bytes are of their bodies as text, projected on all messages. $1 id
with first as materialized (
    (select message_id from edged.queue_ready where queue_id = $1::integer order by queue_id, position limit 50)
    union all
    (select message_id from edged.queue_delayed where queue_id = $1::integer order by queue_id, due_at limit 50)
    union all
    (select unnest(message_ids) from edged.queue_claims where queue_id = $1::integer limit 50)
), measured as materialized (
    select count(*) as messages, sum(octet_length(m.body::text)) as bytes, min(m.sent_at) as oldest
    from first f join edged.queue_messages m on m.id = f.message_id
), counted as materialized (
    select (select count(*) from (select from edged.queue_ready where queue_id = $1::integer limit $2::integer) r)
         + (select count(*) from (select from edged.queue_delayed where queue_id = $1::integer limit $2::integer) d)
         + (select coalesce(sum(cardinality(message_ids)), 0) from edged.queue_claims where queue_id = $1::integer)
           as messages
)
select c.messages, coalesce(round(m.bytes::numeric * greatest(c.messages, m.messages) / nullif(m.messages, 0)), 0),
       floor(extract(epoch from m.oldest) * 1000)::bigint as oldest_ms
from counted c cross join measured m

-- name: notify
-- Wakes consumers.
select pg_notify('edged_queue', '')

-- name: look_at
-- Messages that could be pulled now, in the order of their delivery. $1 queue id, $2 how many, $3 now
select m.id, w.attempts, m.body::text, m.content_type, floor(extract(epoch from m.sent_at) * 1000)::bigint
from (
    (select 1 as place, row_number() over (order by position) as n, message_id, attempts
     from edged.queue_ready where queue_id = $1::integer order by position limit $2::integer)
    union all
    (select 2, row_number() over (order by due_at, message_id), message_id, attempts
     from edged.queue_delayed where queue_id = $1::integer and due_at <= $3::timestamptz
     order by due_at, message_id limit $2::integer)
) w join edged.queue_messages m on m.id = w.message_id
order by w.place, w.n limit $2::integer

-- name: purge_some
-- Deletes messages that wait or are delayed; what consumers have stays. $1 queue id, $2 message ids (array).
-- Returns the ids of those that were deleted.
with ready as (
    delete from edged.queue_ready where queue_id = $1::integer and message_id = any ($2::bigint[]) returning message_id
), delayed as (
    delete from edged.queue_delayed where queue_id = $1::integer and message_id = any ($2::bigint[])
    returning message_id
)
delete from edged.queue_messages
where id in (select message_id from ready union all select message_id from delayed) returning id

-- name: lease
-- $1 queue id, $2 how many, $3 the position behind which to look, $4 for how many milliseconds
select lease_id, position, id, attempts, body, content_type, sent_at_ms
from edged.queue_lease($1::integer, $2::integer, $3::bigint, $4::bigint * interval '1 ms', now())

-- name: settle
-- $1 queue id, $2 lease ids to acknowledge, $3 lease ids to retry, $4 their delays in milliseconds, $5 now
select lease_id, outcome
from edged.queue_settle($1::integer, $2::text[], $3::text[], $4::bigint[], $5::timestamptz)

-- name: delete_expired
-- A worker whose clock is ahead must not delete what PostgreSQL's clock keeps.
-- $1 the message id behind which to look, $2 how many to look at, $3 now
select deleted, coalesce(last_id, $1::bigint) as last_id, is_end
from edged.queue_delete_expired($1::bigint, $2::integer, least($3::timestamptz, now()))

-- name: send_some
-- $1 queue, $2 bodies (a JSON array), $3 delay in milliseconds or null, $4 content type, $5 now
select edged.queue_send_batch($1, array(select e.body from jsonb_array_elements($2::jsonb) with ordinality as e(body, n)
                                        order by e.n),
                              $3::bigint * interval '1 ms', null, $5::timestamptz, $4)
