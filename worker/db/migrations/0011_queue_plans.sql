-- Claims and completions look up each row that they want. Autovacuum counts the rows that live, which are few,
-- beside all that a long snapshot keeps. The planner then believed that reading a whole index is cheap, and joined
-- by it: each batch walked over all batches since the snapshot. It cannot do so with an array of keys, nor with a
-- lateral subquery that has a limit.
create or replace function edged.queue_claim(queue integer, wanted integer, behind bigint, consumer_name text,
    lease timestamptz)
returns table (claim bigint, "position" bigint, message_id bigint, attempts integer, body text, content_type text,
    sent_at_ms bigint) language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_mergejoin = off as $$
#variable_conflict use_column
begin
    return query
    with next as materialized (
        select n.position from edged.queue_ready n
        where n.queue_id = queue and n.position > behind
          and not exists (select from edged.queues q where q.id = queue and q.is_paused)
        order by n.queue_id, n.position limit wanted for update skip locked
    ), taken as materialized (
        delete from edged.queue_ready r
        where r.queue_id = queue and r.position = any (array(select n.position from next n))
        returning r.position, r.message_id, r.attempts + 1 as attempts
    ), claimed as (
        insert into edged.queue_claims as c (queue_id, consumer, lease_until, message_ids, attempts)
        select queue, consumer_name, lease, array_agg(t.message_id order by t.position),
               array_agg(t.attempts order by t.position)
        from taken t having count(*) > 0
        returning c.id
    )
    select c.id, t.position, t.message_id, t.attempts, m.body::text, m.content_type,
           floor(extract(epoch from m.sent_at) * 1000)::bigint
    from claimed c cross join taken t
    cross join lateral (select * from edged.queue_messages q where q.id = t.message_id limit 1) m
    order by t.position;
end $$;

-- Its results are those of before.
create or replace function edged.queue_complete(decisions jsonb, at timestamptz)
returns table (claim bigint, message bigint) language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_mergejoin = off as $$
#variable_conflict use_column
begin
    return query
    with input as materialized (
        select * from jsonb_to_recordset(decisions) as i(claim bigint, message bigint, what text,
            due_at timestamptz, reason text, dead_queue_id integer, uncounted boolean)
    ), held as materialized (
        select c.id, c.queue_id, c.message_ids, c.attempts from edged.queue_claims c
        where c.id = any (array(select distinct i.claim from input i)) order by c.id for update
    ), entries as materialized (
        select h.id as claim, h.queue_id, e.message, e.attempts, e.n, i.what, i.due_at, i.reason, i.dead_queue_id,
               e.attempts - case when i.uncounted then 1 else 0 end as counted
        from held h cross join lateral unnest(h.message_ids, h.attempts) with ordinality as e(message, attempts, n)
        left join input i on i.claim = h.id and i.message = e.message
    ), ended as (
        delete from edged.queue_messages m
        where m.id = any (array(select e.message from entries e where e.what in ('ack', 'dead')))
        returning m.id, m.body, m.content_type, m.sent_at
    ), died as (
        insert into edged.queue_dead (message_id, queue_id, body, content_type, reason, attempts, sent_at, died_at)
        select d.id, e.queue_id, d.body, d.content_type, e.reason, e.attempts, d.sent_at, at
        from entries e cross join lateral (select * from ended n where n.id = e.message limit 1) d
        where e.what = 'dead' and e.dead_queue_id is null
    ), forwarded as (
        insert into edged.queue_messages (queue_id, body, content_type, sent_at)
        select e.dead_queue_id, d.body, d.content_type, at
        from entries e cross join lateral (select * from ended n where n.id = e.message limit 1) d
        where e.what = 'dead' and e.dead_queue_id is not null
        returning id, queue_id
    ), delayed as (
        insert into edged.queue_delayed (queue_id, due_at, message_id, attempts)
        select queue_id, due_at, message, counted from entries where what = 'retry' and due_at > at
    ), ready as (
        insert into edged.queue_ready (queue_id, message_id, attempts)
        select queue_id, message, counted from entries
        where what = 'retry' and coalesce(due_at, at) <= at
        union all
        select queue_id, id, 0 from forwarded
    ), remaining as materialized (
        select claim, array_agg(message order by n) as message_ids, array_agg(attempts order by n) as attempts
        from entries where what is null group by claim
    ), kept as (
        update edged.queue_claims c
        set message_ids = k.message_ids, attempts = k.attempts
        from remaining k
        where c.id = k.claim and c.id = any (array(select r.claim from remaining r))
    ), gone as (
        delete from edged.queue_claims c
        where c.id = any (array(select h.id from held h except select r.claim from remaining r))
    )
    select e.claim, e.message from entries e where e.what is not null;
end $$;

-- What is due in a queue that no worker consumes: delayed messages, and those whose lease is over.
create or replace function edged.queue_release(queue integer, at timestamptz) returns void language plpgsql as $$
begin
    with next as materialized (
        select n.ctid as place from edged.queue_delayed n
        where n.queue_id = queue and n.due_at <= at
        order by n.due_at, n.message_id limit 1000 for update skip locked
    ), due as (
        delete from edged.queue_delayed d where d.ctid = any (array(select n.place from next n))
        returning d.message_id, d.attempts, d.due_at
    )
    insert into edged.queue_ready (queue_id, message_id, attempts)
    select queue, message_id, attempts from due order by due_at;
    with expired as materialized (
        select id, message_ids, attempts from edged.queue_claims
        where queue_id = queue and lease_until <= at
        order by lease_until limit 1000 for update skip locked
    ), back as (
        insert into edged.queue_ready (queue_id, message_id, attempts)
        select queue, e.message, e.attempts
        from expired x cross join lateral unnest(x.message_ids, x.attempts) as e(message, attempts)
        where exists (select from edged.queue_messages m where m.id = e.message)  -- not purged meanwhile
        order by x.id
    )
    delete from edged.queue_claims c where c.id = any (array(select x.id from expired x));
end $$;
