-- Requests to idempotent providers: stored before they are made.

-- name: find_mail_groups
-- $1 keys of letters, $2 now, $3 age in seconds
select key, body, array_to_json(keys)
from edged.mail_groups
where keys && $1::text[] and created_at > $2::timestamptz - make_interval(secs => $3::double precision)
order by created_at, key

-- name: lock_mail_groups
-- One worker stores at a time. A statement of its own: the next one sees what the one before has committed.
select pg_advisory_xact_lock(hashtextextended('edged.mail_groups', 0))

-- name: store_mail_group
-- $1 body, $2 keys of letters, $3 now, $4 age in seconds of those that count
insert into edged.mail_groups (key, body, keys, created_at)
select gen_random_uuid(), $1, $2::text[], $3::timestamptz
where not exists (select from edged.mail_groups
                  where keys && $2::text[]
                    and created_at > $3::timestamptz - make_interval(secs => $4::double precision))
  and not exists (select from edged.mail_events where key = any ($2::text[]) and event = 'accepted')
returning key

-- name: dissolve_mail_group
-- $1 key
delete from edged.mail_groups where key = $1::uuid

-- name: delete_old_mail_groups
-- $1 now, $2 how many
delete from edged.mail_groups
where key in (
    select g.key from edged.mail_groups g
    where g.created_at < $1::timestamptz - interval '1 day'
       or not exists (
           select from unnest(g.keys) as letter (key)
           where not exists (select from edged.mail_events e
                             where e.key = letter.key
                               and e.event in ('accepted', 'dropped', 'suppressed', 'expired', 'dead')))
    order by g.created_at
    limit $2::integer)
