-- The end of events.

-- name: delete_old_mail_events
-- $1 now, $2 age in seconds, $3 how many, $4 and $5 time and id of the event behind which to go on. A clock that is
-- ahead of PostgreSQL's deletes nothing early. Returns how many were looked at and deleted, and the last of them.
with old as materialized (
    select id, at, key from edged.mail_events
    where at < least($1::timestamptz, now()) - make_interval(secs => $2::double precision)
      and (at, id) > ($4::timestamptz, $5::bigint)
    order by at, id limit $3::integer
), gone as (
    delete from edged.mail_events e using old
    where e.id = old.id and not edged.mail_events_are_kept(old.key)
    returning e.id
)
select (select count(*) from old), (select count(*) from gone), last.at, last.id
from (select at, id from old order by at desc, id desc limit 1) as last
