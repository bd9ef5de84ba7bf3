-- What `edged queue` asks for and does. Rows are JSON objects, as the command prints them.

-- name: find_queue
-- $1 name
select id, is_paused from edged.queues where name = $1

-- name: list_queues
-- $1 name, or null for all, $2 now
select json_build_object(
    'name', q.name, 'paused', q.is_paused,
    'delivery_delay_seconds', extract(epoch from q.delivery_delay)::bigint,
    'retention_seconds', extract(epoch from q.message_retention)::bigint,
    'ready', (select count(*) from edged.queue_ready r where r.queue_id = q.id),
    'delayed', (select count(*) from edged.queue_delayed d where d.queue_id = q.id),
    'leased', (select coalesce(sum(cardinality(c.message_ids)), 0) from edged.queue_claims c where c.queue_id = q.id),
    'dead', (select count(*) from edged.queue_dead d where d.queue_id = q.id),
    'oldest_seconds', (select greatest(0, floor(extract(epoch from $2::timestamptz - m.sent_at)))::bigint
                       from edged.queue_ready r join edged.queue_messages m on m.id = r.message_id
                       where r.queue_id = q.id order by r.position limit 1))::text as row
from edged.queues q
where $1::text is null or q.name = $1
order by q.name

-- name: peek
-- What waits first, then what is delayed, then what consumers have. $1 queue id, $2 how many
select json_build_object('id', m.id::text, 'state', w.state, 'attempts', w.attempts, 'sent_at', m.sent_at,
    'due_at', w.due_at, 'consumer', w.consumer, 'unique_key', m.unique_key, 'content_type', m.content_type,
    'body', m.body)::text as row
from (
    (select 1 as place, 'ready' as state, row_number() over (order by position) as n, message_id, attempts,
            null::timestamptz as due_at, null as consumer
     from edged.queue_ready where queue_id = $1::integer order by position limit $2::integer)
    union all
    (select 2, 'delayed', row_number() over (order by due_at), message_id, attempts, due_at, null
     from edged.queue_delayed where queue_id = $1::integer order by due_at limit $2::integer)
    union all
    (select 3, 'leased', row_number() over (order by c.id, e.n), e.message, e.attempts, c.lease_until, c.consumer
     from edged.queue_claims c
     cross join lateral unnest(c.message_ids, c.attempts) with ordinality as e(message, attempts, n)
     where c.queue_id = $1::integer limit $2::integer)
) w join edged.queue_messages m on m.id = w.message_id
order by w.place, w.n limit $2::integer

-- name: send
-- $1 queue, $2 body, $3 delay in milliseconds or null, $4 unique key or null, $5 content type
select edged.queue_send($1, $2::jsonb, $3::bigint * interval '1 ms', $4, content_type => $5)::text as id

-- name: set_paused
-- $1 name, $2 whether
update edged.queues set is_paused = $2::boolean where name = $1

-- name: purge
-- Deletes what waits and what is delayed; what consumers have stays. $1 queue id
with ready as (
    delete from edged.queue_ready where queue_id = $1::integer returning message_id
), delayed as (
    delete from edged.queue_delayed where queue_id = $1::integer returning message_id
), gone as (
    delete from edged.queue_messages
    where id in (select message_id from ready union all select message_id from delayed) returning 1
)
select count(*) as messages from gone

-- name: purge_dead
-- $1 queue id
with gone as (delete from edged.queue_dead where queue_id = $1::integer returning 1)
select count(*) as messages from gone

-- name: list_dead
-- The newest first. $1 queue id, $2 how many
select json_build_object('id', message_id::text, 'reason', reason, 'attempts', attempts, 'sent_at', sent_at,
    'died_at', died_at, 'content_type', content_type, 'body', body)::text as row
from edged.queue_dead where queue_id = $1::integer
order by died_at desc, message_id desc limit $2::integer

-- name: replay
-- Dead messages come back as new ones. $1 queue id, $2 ids (array), or null for all, $3 now
with gone as (
    delete from edged.queue_dead
    where queue_id = $1::integer and ($2::bigint[] is null or message_id = any ($2::bigint[]))
    returning queue_id, message_id, body, content_type
), back as (
    insert into edged.queue_messages (queue_id, body, content_type, sent_at)
    select queue_id, body, content_type, $3::timestamptz from gone order by message_id
    returning id, queue_id
), ready as (
    insert into edged.queue_ready (queue_id, message_id, attempts) select queue_id, id, 0 from back order by id
)
select count(*) as messages from back
