-- What is known of mails, whatever application they are of.

-- Addresses to which nothing is sent, in lower case: unsubscribed, refused for good by their server, or named
-- by an operator.
create table edged.mail_suppressions (
    address text primary key constraint mail_suppressions_lower_case check (address = lower(btrim(address))),
    reason  text not null,
    source  text not null constraint mail_suppressions_source_known
            check (source in ('unsubscribe', 'bounce', 'operator')),
    since   timestamptz not null
);

-- The timeline of each mail; its key is what is left of '@' in the Message-ID. Kept for 90 days.
create table edged.mail_events (
    id          bigint generated always as identity primary key,
    key         text not null,
    recipient   text not null,
    at          timestamptz not null,
    event       text not null constraint mail_events_event_known check (event in
                ('queued', 'attempt', 'accepted', 'retry', 'dropped', 'suppressed', 'expired', 'dead')),
    detail      text,
    transport   text,
    provider_id text
);
create index mail_events_by_key on edged.mail_events (key, id);
create index mail_events_by_recipient on edged.mail_events (lower(recipient), id);
create index mail_events_by_time on edged.mail_events (at);

-- Mails that are handed to an idempotent provider together: the request is kept as it was made, so that it
-- can be made again under the same key.
create table edged.mail_groups (
    key        uuid primary key,
    body       text not null,
    keys       text[] not null,
    created_at timestamptz not null
);

-- For statements of applications that end a mail themselves.
create function edged.mail_note(key text, recipient text, event text, detail text, at timestamptz)
returns void language sql as $$
    insert into edged.mail_events (key, recipient, at, event, detail) values ($1, $2, $5, $3, $4)
$$;

-- The suppression of an address, or null. Written so that PostgreSQL expands it in the statement that calls it.
create function edged.mail_suppression(recipient text)
returns text language sql stable as $$
    select reason from edged.mail_suppressions where address = lower(btrim(recipient))
$$;
