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

select edged.queue_create('email');
