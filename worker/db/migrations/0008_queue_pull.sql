-- Settings of queues that every face shares, retention, limits, and pull consumers: messages leased to a
-- program outside, which ends or returns each by its lease id.
alter table edged.queues
    add column delivery_delay interval not null default '0'
        constraint queues_delivery_delay_range check (delivery_delay between '0' and '1 day'),
    add column message_retention interval not null default '4 days'
        constraint queues_message_retention_range check (message_retention between '1 min' and '14 days'),
    -- Of a pull consumer.
    add column is_pulled boolean not null default false,
    add column visibility_timeout interval not null default '30 s'
        constraint queues_visibility_timeout_range check (visibility_timeout between '1 ms' and '12 hours'),
    add column max_retries integer not null default 3
        constraint queues_max_retries_range check (max_retries between 0 and 100),
    add column retry_delay interval not null default '0'
        constraint queues_retry_delay_range check (retry_delay between '0' and '1 day'),
    add column dead_letter_queue text
        constraint queues_dead_letter_queue_other check (dead_letter_queue <> name),
    add column modified_at timestamptz not null default now();

-- When an undelivered message is deleted; null: when the queue's retention after sent_at is over.
alter table edged.queue_messages add column expires_at timestamptz;

-- Creates the queue if it does not exist, and sets what `settings` names. Returns its id. Keys:
-- delivery_delay_s, message_retention_s, is_pulled, visibility_timeout_ms, max_retries, retry_delay_s,
-- dead_letter_queue, is_paused.
create function edged.queue_configure(queue text, settings jsonb) returns integer language plpgsql as $$
declare
    found_id integer := edged.queue_create(queue);
begin
    update edged.queues q set
        delivery_delay = coalesce((s->>'delivery_delay_s')::bigint * interval '1 s', delivery_delay),
        message_retention = coalesce((s->>'message_retention_s')::bigint * interval '1 s', message_retention),
        is_pulled = coalesce((s->>'is_pulled')::boolean, is_pulled),
        visibility_timeout = coalesce((s->>'visibility_timeout_ms')::bigint * interval '1 ms', visibility_timeout),
        max_retries = coalesce((s->>'max_retries')::integer, max_retries),
        retry_delay = coalesce((s->>'retry_delay_s')::bigint * interval '1 s', retry_delay),
        dead_letter_queue = case when s ? 'dead_letter_queue' then nullif(s->>'dead_letter_queue', '')
                                 else dead_letter_queue end,
        is_paused = coalesce((s->>'is_paused')::boolean, is_paused),
        modified_at = now()
    from (select settings as s) given
    where id = found_id;
    return found_id;
end $$;

-- The same functions with the queue's delivery_delay, with content types and with limits.
drop function edged.queue_send(text, jsonb, interval, text, timestamptz);
drop function edged.queue_send_batch(text, jsonb[], interval, text[], timestamptz);

-- Sends messages to a queue, in the caller's transaction. One element of the result for each body: the
-- message's id, or null if a live message of the queue has the same unique key already. A delay of null is
-- the queue's own.
create function edged.queue_send_batch(queue text, bodies jsonb[], delay interval default null,
    unique_keys text[] default null, sent_at timestamptz default now(), content_type text default 'json')
returns bigint[] language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    q edged.queues;
    ids bigint[];
    wait interval;
    expires timestamptz;
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
    if content_type not in ('json', 'text', 'bytes') then
        raise exception 'queue_send: the content type "%" is not json, text or bytes', content_type
            using errcode = 'invalid_parameter_value';
    end if;
    wait := coalesce(delay, q.delivery_delay);
    if wait < '0' or wait > '30 days' then
        raise exception 'queue_send: the delay must be between 0 and 30 days'
            using errcode = 'invalid_parameter_value';
    end if;
    -- The size as text is measured only of bodies that are large in memory, because that takes time.
    if exists (select from unnest(bodies) as b(body)
               where pg_column_size(b.body) > 32768 and octet_length(b.body::text) > 262144) then
        raise exception 'queue_send: a message is longer than 256 KiB'
            using errcode = 'program_limit_exceeded',
            hint = 'Store the data elsewhere and send where it is.';
    end if;
    if wait > '0' then
        expires := queue_send_batch.sent_at + wait + q.message_retention;
    end if;
    if unique_keys is null then
        with sent as (
            insert into edged.queue_messages (queue_id, body, sent_at, content_type, expires_at)
            select q.id, b.body, queue_send_batch.sent_at, queue_send_batch.content_type, expires
            from unnest(bodies) with ordinality as b(body, n) order by b.n
            returning id
        ), placed as (
            insert into edged.queue_ready (queue_id, message_id, attempts)
            select q.id, sent.id, 0 from sent where wait <= '0' order by sent.id
        ), later as (
            insert into edged.queue_delayed (queue_id, due_at, message_id, attempts)
            select q.id, queue_send_batch.sent_at + wait, sent.id, 0 from sent where wait > '0'
        )
        select array_agg(id order by id) into ids from sent;
    else
        with wanted as materialized (
            -- Ids are taken before, so that each body's is known; keys in order, against deadlocks.
            select nextval(pg_get_serial_sequence('edged.queue_messages', 'id')) as id, b.body, b.key, b.n
            from unnest(bodies, unique_keys) with ordinality as b(body, key, n)
        ), sent as (
            insert into edged.queue_messages (id, queue_id, body, unique_key, sent_at, content_type, expires_at)
                overriding system value
            select w.id, q.id, w.body, w.key, queue_send_batch.sent_at, queue_send_batch.content_type, expires
            from wanted w order by w.key, w.n
            on conflict (queue_id, unique_key) where unique_key is not null do nothing
            returning id
        ), placed as (
            insert into edged.queue_ready (queue_id, message_id, attempts)
            select q.id, sent.id, 0 from sent where wait <= '0' order by sent.id
        ), later as (
            insert into edged.queue_delayed (queue_id, due_at, message_id, attempts)
            select q.id, queue_send_batch.sent_at + wait, sent.id, 0 from sent where wait > '0'
        )
        select array_agg(s.id order by w.n) into ids from wanted w left join sent s using (id);
    end if;
    now_ms := (extract(epoch from clock_timestamp()) * 1000)::bigint;
    select last_value into announced_ms from edged.queue_announced;
    if wait <= '0' and now_ms not between announced_ms and announced_ms + 20 then
        perform setval('edged.queue_announced', now_ms);
        perform pg_notify('edged_queue', '');
    end if;
    return coalesce(ids, '{}');
end $$;

create function edged.queue_send(queue text, body jsonb, delay interval default null,
    unique_key text default null, sent_at timestamptz default now(), content_type text default 'json')
returns bigint language sql as $$
    select (edged.queue_send_batch(queue, array[body], delay,
        case when unique_key is not null then array[unique_key] end, sent_at, content_type))[1]
$$;

-- A lease id: the claim and the message, 16 hexadecimal digits each. It names one delivery of one message:
-- once the message is ended, given back or delivered again, the id changes nothing any more.
create function edged.queue_lease_id(claim bigint, message bigint) returns text language sql immutable as $$
    select encode(int8send(claim) || int8send(message), 'hex')
$$;

-- What is due in a queue that no worker consumes: delayed messages, and those whose lease is over.
create function edged.queue_release(queue integer, at timestamptz) returns void language plpgsql as $$
begin
    with due as (
        delete from edged.queue_delayed d
        using (select n.due_at, n.message_id from edged.queue_delayed n
               where n.queue_id = queue and n.due_at <= at
               order by n.due_at, n.message_id limit 1000 for update skip locked) next
        where d.queue_id = queue and d.due_at = next.due_at and d.message_id = next.message_id
        returning d.message_id, d.attempts, d.due_at
    )
    insert into edged.queue_ready (queue_id, message_id, attempts)
    select queue, message_id, attempts from due order by due_at;
    with expired as materialized (
        select id, message_ids, attempts from edged.queue_claims
        where queue_id = queue and lease_until <= at
        order by id limit 1000 for update skip locked
    ), back as (
        insert into edged.queue_ready (queue_id, message_id, attempts)
        select queue, e.message, e.attempts
        from expired x cross join lateral unnest(x.message_ids, x.attempts) as e(message, attempts)
        where exists (select from edged.queue_messages m where m.id = e.message)  -- not purged meanwhile
        order by x.id
    )
    delete from edged.queue_claims c using expired x where c.id = x.id;
end $$;

-- Leases up to `wanted` messages behind a position. A message whose deliveries all ended without a word,
-- more often than the queue's max_retries allow, becomes dead here.
create function edged.queue_lease(queue integer, wanted integer, behind bigint, visibility interval,
    at timestamptz)
returns table (lease_id text, "position" bigint, id bigint, attempts integer, body text, content_type text,
    sent_at_ms bigint) language plpgsql as $$
#variable_conflict use_column
declare
    settings edged.queues;
    one record;
    spent jsonb;
    found_any boolean := false;
begin
    select * into settings from edged.queues q where q.id = queue;
    for round in 1..10 loop
        spent := '[]';
        for one in select * from edged.queue_claim(queue, wanted, behind, 'pull',
                                                   at + coalesce(visibility, settings.visibility_timeout)) loop
            behind := one.position;
            if one.attempts > settings.max_retries + 1 then
                spent := spent || jsonb_build_object('claim', one.claim, 'message', one.message_id, 'what', 'dead',
                    'reason', (one.attempts - 1) || ' leases ended without an answer', 'dead_queue_id',
                    (select d.id from edged.queues d where d.name = settings.dead_letter_queue));
                continue;
            end if;
            found_any := true;
            lease_id := edged.queue_lease_id(one.claim, one.message_id);
            "position" := one.position;
            id := one.message_id;
            attempts := one.attempts;
            body := one.body;
            content_type := one.content_type;
            sent_at_ms := one.sent_at_ms;
            return next;
        end loop;
        exit when spent = '[]';
        perform edged.queue_complete(spent, at);
        exit when found_any;
    end loop;
end $$;

-- Ends or returns leased messages. `delays_ms`: of the retries, an element for each; null: the queue's
-- retry_delay. One row for each lease id: 'acked', 'retried', 'dead' (it had no attempt left), or 'lost':
-- the id is not of this queue, or the lease is over. An id in both lists is retried.
create function edged.queue_settle(queue integer, acks text[], retries text[], delays_ms bigint[],
    at timestamptz)
returns table (lease_id text, outcome text) language plpgsql as $$
#variable_conflict use_column
declare
    settings edged.queues;
    decisions jsonb;
begin
    select * into settings from edged.queues q where q.id = queue;
    select coalesce(jsonb_agg(jsonb_build_object('claim', d.claim, 'message', d.message, 'lease', d.lease,
        'what', d.what,
        'due_at', at + coalesce(d.delay_ms * interval '1 ms', settings.retry_delay),
        'reason', d.attempts || ' attempts failed',
        'dead_queue_id', (select o.id from edged.queues o where o.name = settings.dead_letter_queue))), '[]')
    into decisions
    from (
        select p.claim, p.message, p.lease, p.delay_ms, k.attempts,
               case when p.what = 'retry' and k.attempts > settings.max_retries then 'dead' else p.what end as what
        from (
            select distinct on (g.lease) g.lease, g.what, g.delay_ms,
                   case when g.lease ~ '^[0-9a-f]{32}$' then ('x' || left(g.lease, 16))::bit(64)::bigint end as claim,
                   case when g.lease ~ '^[0-9a-f]{32}$' then ('x' || right(g.lease, 16))::bit(64)::bigint end as message
            from (select a.lease, 'ack' as what, null::bigint as delay_ms from unnest(acks) as a(lease)
                  union all
                  select r.lease, 'retry', r.delay_ms from unnest(retries, delays_ms) as r(lease, delay_ms)) g
            order by g.lease, g.what desc
        ) p join lateral (
            select c.attempts[array_position(c.message_ids, p.message)] as attempts from edged.queue_claims c
            where c.id = p.claim and c.queue_id = queue and p.message = any (c.message_ids)
        ) k on true
    ) d;
    return query
    with done as (select * from edged.queue_complete(decisions, at)),
    ended as (select d->>'lease' as lease,
                     case d->>'what' when 'ack' then 'acked' when 'retry' then 'retried' else 'dead' end as outcome
              from jsonb_array_elements(decisions) as e(d)
              join done on done.claim = (d->>'claim')::bigint and done.message = (d->>'message')::bigint)
    select g.lease, coalesce(e.outcome, 'lost')
    from (select unnest(acks || retries) as lease group by 1) g left join ended e on e.lease = g.lease;
end $$;

-- The same by name, for programs that consume in SQL. They need the rights of a worker on these tables.
create function edged.queue_pull(queue text, batch_size integer default 10, visibility_timeout interval default null)
returns table (lease_id text, id bigint, attempts integer, body jsonb, content_type text, sent_at timestamptz)
language plpgsql as $$
#variable_conflict use_column
declare
    found_id integer := (select q.id from edged.queues q where q.name = queue);
begin
    if found_id is null then
        raise exception 'queue "%" does not exist', queue using errcode = 'undefined_object';
    end if;
    if batch_size not between 1 and 100 or not coalesce(visibility_timeout between '1 ms' and '12 hours', true) then
        raise exception 'queue_pull: the batch size must be 1 to 100, the time-out 1 ms to 12 hours'
            using errcode = 'invalid_parameter_value';
    end if;
    perform edged.queue_release(found_id, clock_timestamp());
    return query
    select l.lease_id, l.id, l.attempts, l.body::jsonb, l.content_type, to_timestamp(l.sent_at_ms / 1000.0)
    from edged.queue_lease(found_id, batch_size, 0, visibility_timeout, clock_timestamp()) l;
end $$;

-- How many messages were ended; a lease that was lost counts not.
create function edged.queue_ack(queue text, lease_ids text[]) returns bigint language sql as $$
    select count(*) from edged.queue_settle((select id from edged.queues where name = queue), lease_ids, '{}', '{}',
        clock_timestamp()) where outcome = 'acked'
$$;

-- How many messages will come again, or had no attempt left. A delay of null is the queue's own.
create function edged.queue_retry(queue text, lease_ids text[], delay interval default null) returns bigint
language sql as $$
    select count(*) from edged.queue_settle((select id from edged.queues where name = queue), '{}', lease_ids,
        (select array_agg((extract(epoch from delay) * 1000)::bigint) from unnest(lease_ids)), clock_timestamp())
    where outcome <> 'lost'
$$;

-- Deletes messages that nobody took in their time, among the next `wanted` behind a message id; what
-- consumers have in their hands stays. last_id: the last one looked at. is_end: none behind it can be old.
create function edged.queue_delete_expired(behind bigint, wanted integer, at timestamptz)
returns table (deleted bigint, last_id bigint, is_end boolean) language sql as $$
    with seen as materialized (
        select m.id, m.queue_id, m.sent_at, coalesce(m.expires_at, m.sent_at + q.message_retention) <= at as is_old
        from edged.queue_messages m left join edged.queues q on q.id = m.queue_id
        where m.id > behind order by m.id limit wanted
    ), ready as (
        delete from edged.queue_ready r using seen s
        where s.is_old and r.queue_id = s.queue_id and r.message_id = s.id returning r.message_id
    ), delayed as (
        delete from edged.queue_delayed d using seen s
        where s.is_old and d.queue_id = s.queue_id and d.message_id = s.id returning d.message_id
    ), gone as (
        delete from edged.queue_messages m
        using (select message_id from ready union all select message_id from delayed) g
        where m.id = g.message_id returning 1
    )
    select (select count(*) from gone), max(s.id),
           count(*) < wanted or max(s.sent_at) > at - (select min(message_retention) from edged.queues)
    from seen s
$$;
