-- The sender's own look at letters, and its record of what became of them.

-- name: look_at_letters
-- A row for each letter, in order. $1 keys, $2 recipients
select edged.mail_suppression(l.recipient) as suppression,
       exists (select from edged.mail_events e where e.key = l.key and e.event = 'accepted') as was_accepted
from unnest($1::text[], $2::text[]) with ordinality as l (key, recipient, place)
order by place

-- name: record_events
-- $1 an array of objects, $2 transport, $3 now
with seen as materialized (
    select * from jsonb_to_recordset($1::jsonb)
        as e (key text, recipient text, event text, detail text, provider_id text, bad_address boolean)
), suppressed as (
    insert into edged.mail_suppressions (address, reason, source, since)
    select distinct on (1) lower(btrim(recipient)), coalesce(detail, ''), 'bounce', $3::timestamptz
    from seen where bad_address
    order by 1
    on conflict (address) do nothing
)
insert into edged.mail_events (key, recipient, at, event, detail, transport, provider_id)
select key, recipient, $3::timestamptz, event, detail, $2, provider_id from seen
