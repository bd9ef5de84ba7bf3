-- What became of notifications, for `edged notifications`.

-- name: find_notifications
-- The newest notifications, and of an address also mails that no run wrote, each with its events as a JSON
-- array. Exactly one of the first three is not null. $1 address, $2 class_watch_id, $3 class_nbr, $4 how many
with found as materialized (
    (select notification_id as key, created_at as at from edged.notifications
     where lower(recipient) = lower(btrim($1::text)) order by created_at desc limit $4::integer)
    union all
    (select notification_id, created_at from edged.notifications
     where class_watch_id = $2::uuid order by created_at desc limit $4::integer)
    union all
    (select notification_id, created_at from edged.notifications
     where class_nbr = $3::text order by created_at desc limit $4::integer)
    union all
    (select key, min(at) from edged.mail_events e
     where lower(recipient) = lower(btrim($1::text))
       and not exists (select from edged.notifications n where n.notification_id = e.key)
     group by key order by 2 desc limit $4::integer)
), newest as (
    select key, at from found order by at desc, key limit $4::integer
)
select f.key, m.notification_type, m.class_nbr, m.term, m.class_watch_id::text as watch,
       coalesce(m.recipient, (select e.recipient from edged.mail_events e where e.key = f.key limit 1)) as recipient,
       m.run_id, m.message_id, m.claimed, m.status, m.reason,
       floor(extract(epoch from m.created_at) * 1000)::bigint as created_at_ms,
       floor(extract(epoch from m.valid_until) * 1000)::bigint as valid_until_ms,
       (select coalesce(json_agg(json_build_object('at', floor(extract(epoch from e.at) * 1000)::bigint,
                   'event', e.event, 'detail', e.detail, 'transport', e.transport, 'provider_id', e.provider_id)
                   order by e.id), '[]')::text
        from edged.mail_events e where e.key = f.key) as events
from newest f
left join edged.mails m on m.notification_id = f.key
order by f.at desc, f.key;

-- name: about_address
-- What keeps mails from an address now. $1 address
select edged.mail_suppression($1) as suppression,
       (select count(*) from auth.users u where lower(u.email::text) = lower(btrim($1))) as users,
       (select count(*) from auth.users u join public.class_watches w on w.user_id = u.id
        where lower(u.email::text) = lower(btrim($1))) as watches,
       (select string_agg(why, ', ')
        from auth.users u join public.user_profiles p on p.user_id = u.id
        cross join lateral (values (p.is_disabled, 'the account is disabled'),
                                   (not p.notifications_enabled, 'notifications are switched off'),
                                   (p.email_bounced, 'the address bounced'),
                                   (p.spam_complained, 'the user complained of spam')) as v(applies, why)
        where lower(u.email::text) = lower(btrim($1)) and v.applies) as profile
