-- Durable named queues. A message's body is written once (queue_messages) and deleted at its end. What
-- moves is narrow: a row of queue_ready while it waits, of queue_delayed until it is due, and an entry of
-- queue_claims, one row a batch, while a consumer has it. The consumers' statements are in
-- worker/queue/queue.sql; producers call edged.queue_send.
create table edged.queues (
    id         integer generated always as identity primary key,
    name       text not null constraint queues_name unique
               constraint queues_name_fits check (name ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$'),
    is_paused  boolean not null default false,
    created_at timestamptz not null default now()
);
create table edged.queue_messages (
    id           bigint generated always as identity primary key,
    queue_id     integer not null,
    body         jsonb not null,
    content_type text not null default 'json',
    unique_key   text,
    sent_at      timestamptz not null
);
create unique index queue_messages_unique_key on edged.queue_messages (queue_id, unique_key)
    where unique_key is not null;
-- Positions grow; a claim looks only behind the positions that it has emptied, so it never walks over the
-- dead rows that a long snapshot keeps.
create sequence edged.queue_positions as bigint;
-- When consumers were last notified, in milliseconds since 1970. PostgreSQL commits transactions that
-- notify one after the other, so only one in 20 ms does; who was notified looks again 25 ms later. Kept in
-- a sequence, because that leaves no dead rows.
create sequence edged.queue_announced as bigint minvalue 0 start 0;
create table edged.queue_ready (
    queue_id   integer not null,
    position   bigint not null default nextval('edged.queue_positions'),
    message_id bigint not null,
    attempts   integer not null,
    primary key (queue_id, position)
);
create table edged.queue_delayed (
    queue_id   integer not null,
    due_at     timestamptz not null,
    message_id bigint not null,
    attempts   integer not null,
    primary key (queue_id, due_at, message_id)
);
create table edged.queue_claims (
    id          bigint generated always as identity primary key,
    queue_id    integer not null,
    consumer    text not null,
    lease_until timestamptz not null,
    message_ids bigint[] not null,
    attempts    integer[] not null
);
create table edged.queue_dead (
    message_id bigint primary key,
    queue_id   integer not null references edged.queues (id) on delete cascade,
    body       jsonb not null,
    content_type text not null,
    reason     text not null,
    attempts   integer not null,
    sent_at    timestamptz not null,
    died_at    timestamptz not null
);
create index queue_dead_by_queue on edged.queue_dead (queue_id, died_at);

-- Creates the queue if it does not exist. Returns its id.
create function edged.queue_create(queue text) returns integer language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
declare
    found_id integer;
begin
    select id into found_id from edged.queues where name = queue;
    if found_id is null then
        insert into edged.queues (name) values (queue)
        on conflict (name) do update set name = excluded.name returning id into found_id;
    end if;
    return found_id;
end $$;

-- Sends messages to a queue, in the caller's transaction. One element of the result for each body: the
-- message's id, or null if a live message of the queue has the same unique key already.
create function edged.queue_send_batch(queue text, bodies jsonb[], delay interval default '0',
    unique_keys text[] default null, sent_at timestamptz default now())
returns bigint[] language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    q edged.queues;
    ids bigint[];
    now_ms bigint;
    announced_ms bigint;
begin
    select * into q from edged.queues where name = queue;
    if q.id is null then
        raise exception 'queue "%" does not exist', queue using errcode = 'undefined_object',
            hint = 'Create it with "edged queue create NAME", or name it in the configuration''s "queues".';
    end if;
    if unique_keys is not null and cardinality(unique_keys) <> cardinality(bodies) then
        raise exception 'queue_send_batch: % bodies, but % unique keys', cardinality(bodies),
            cardinality(unique_keys) using errcode = 'invalid_parameter_value';
    end if;
    if delay < '0' or delay > '30 days' then
        raise exception 'queue_send: the delay must be between 0 and 30 days'
            using errcode = 'invalid_parameter_value';
    end if;
    if unique_keys is null then
        with sent as (
            insert into edged.queue_messages (queue_id, body, sent_at)
            select q.id, b.body, queue_send_batch.sent_at
            from unnest(bodies) with ordinality as b(body, n) order by b.n
            returning id
        ), placed as (
            insert into edged.queue_ready (queue_id, message_id, attempts)
            select q.id, sent.id, 0 from sent where delay <= '0' order by sent.id
        ), later as (
            insert into edged.queue_delayed (queue_id, due_at, message_id, attempts)
            select q.id, queue_send_batch.sent_at + delay, sent.id, 0 from sent where delay > '0'
        )
        select array_agg(id order by id) into ids from sent;
    else
        with wanted as materialized (
            -- Ids are taken before, so that each body's is known; keys in order, against deadlocks.
            select nextval(pg_get_serial_sequence('edged.queue_messages', 'id')) as id, b.body, b.key, b.n
            from unnest(bodies, unique_keys) with ordinality as b(body, key, n)
        ), sent as (
            insert into edged.queue_messages (id, queue_id, body, unique_key, sent_at) overriding system value
            select w.id, q.id, w.body, w.key, queue_send_batch.sent_at from wanted w order by w.key, w.n
            on conflict (queue_id, unique_key) where unique_key is not null do nothing
            returning id
        ), placed as (
            insert into edged.queue_ready (queue_id, message_id, attempts)
            select q.id, sent.id, 0 from sent where delay <= '0' order by sent.id
        ), later as (
            insert into edged.queue_delayed (queue_id, due_at, message_id, attempts)
            select q.id, queue_send_batch.sent_at + delay, sent.id, 0 from sent where delay > '0'
        )
        select array_agg(s.id order by w.n) into ids from wanted w left join sent s using (id);
    end if;
    now_ms := (extract(epoch from clock_timestamp()) * 1000)::bigint;
    select last_value into announced_ms from edged.queue_announced;
    if delay <= '0' and now_ms not between announced_ms and announced_ms + 20 then
        perform setval('edged.queue_announced', now_ms);
        perform pg_notify('edged_queue', '');
    end if;
    return coalesce(ids, '{}');
end $$;

create function edged.queue_send(queue text, body jsonb, delay interval default '0',
    unique_key text default null, sent_at timestamptz default now())
returns bigint language sql as $$
    select (edged.queue_send_batch(queue, array[body], delay,
        case when unique_key is not null then array[unique_key] end, sent_at))[1]
$$;

-- Whether a claim still holds the message. Until the caller's transaction ends, nobody can take the claim
-- over or end it.
create function edged.queue_holds(claim bigint, message bigint) returns boolean language sql as $$
    select exists (select from edged.queue_claims c
                   where c.id = claim and message = any (c.message_ids) for share)
$$;

-- The statements that run all the time are functions with the planner's choices pinned: without
-- statistics, or with old ones, it would read and sort a whole backlog for each batch.

-- Takes the next messages behind a position for a consumer: one row of queue_claims holds them all. A
-- paused queue has none.
create function edged.queue_claim(queue integer, wanted integer, behind bigint, consumer_name text,
    lease timestamptz)
returns table (claim bigint, "position" bigint, message_id bigint, attempts integer, body text, content_type text,
    sent_at_ms bigint) language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
begin
    return query
    with taken as materialized (
        delete from edged.queue_ready r
        using (select n.position from edged.queue_ready n
               where n.queue_id = queue and n.position > behind
                 and not exists (select from edged.queues q where q.id = queue and q.is_paused)
               order by n.queue_id, n.position limit wanted for update skip locked) next
        where r.queue_id = queue and r.position = next.position
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
    from claimed c cross join taken t join edged.queue_messages m on m.id = t.message_id
    order by t.position;
end $$;

-- Ends or hands back messages of claims. A message that its claim does not hold any more is left alone, so
-- a consumer that lost its claim changes nothing. Returns the messages that were changed.
-- decisions: JSON array of {claim, message, what: "ack" | "retry" | "dead", due_at, reason, dead_queue_id,
-- uncounted}. due_at and uncounted (the attempt does not count) are of retries, reason of dead ones;
-- a dead one with dead_queue_id is sent to that queue.
create function edged.queue_complete(decisions jsonb, at timestamptz)
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
        select d.id, e.queue_id, d.body, d.content_type, e.reason, e.attempts, d.sent_at, at
        from ended d join entries e on e.message = d.id
        where e.what = 'dead' and e.dead_queue_id is null
    ), forwarded as (
        insert into edged.queue_messages (queue_id, body, content_type, sent_at)
        select e.dead_queue_id, d.body, d.content_type, at
        from ended d join entries e on e.message = d.id
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
    select e.claim, e.message from entries e where e.what is not null;
end $$;

select edged.queue_create('email');
