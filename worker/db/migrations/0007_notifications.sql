-- Notifications leave through queue `email`. edged.notifications records what was found out and claimed; the mail
-- itself, as frozen at the claim, is the body of the queue message; what became of it stands in edged.mail_events.
-- Rows of the old table edged.mails are moved. Its name stays, for a view of both.
lock table edged.mails in access exclusive mode;
alter table edged.mails rename to old_mails;

create table edged.notifications (
    notification_id   text primary key,     -- {class_watch_id}.{type}.{epoch}; also the key of its mail
    run_id            bigint not null,
    class_watch_id    uuid not null,
    user_id           uuid not null,
    notification_type text not null,
    class_nbr         text not null,
    term              text not null,
    recipient         text not null,
    message_id        bigint,               -- of its mail in queue `email`; null: not claimed, there is no mail
    reason            text,                 -- why it was not claimed
    valid_until       timestamptz not null,
    created_at        timestamptz not null,
    constraint notifications_claimed_or_not check ((message_id is null) = (reason is not null))
);
create index notifications_by_run on edged.notifications (run_id);
create index notifications_by_watch on edged.notifications (class_watch_id, message_id);
create index notifications_by_section on edged.notifications (class_nbr, created_at);
create index notifications_by_recipient on edged.notifications (lower(recipient), created_at);
create index notifications_by_time on edged.notifications (created_at);

-- Every claimed mail gets the id of a queue message, in the order of the old ids.
alter table edged.old_mails add column message_id bigint;
update edged.old_mails m set message_id = numbered.message_id
from (select id, nextval(pg_get_serial_sequence('edged.queue_messages', 'id')) as message_id
      from (select id from edged.old_mails where claimed order by id) as ordered) as numbered
where m.id = numbered.id;

insert into edged.notifications
select notification_id, run_id, class_watch_id, user_id, notification_type, class_nbr, term, recipient, message_id,
       case when not claimed then coalesce(reason, '') end, valid_until, created_at
from edged.old_mails;

insert into edged.queue_messages (id, queue_id, body, unique_key, sent_at) overriding system value
select message_id, edged.queue_create('email'),
       jsonb_build_object(
           'kind', 'class-monitor', 'to', recipient, 'key', notification_id,
           'valid_until', to_char(valid_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'data', facts || jsonb_build_object('type', notification_type, 'class_nbr', class_nbr, 'term', term)),
       notification_id, created_at
from edged.old_mails where status in ('pending', 'sending') and claimed;

-- One that a worker was sending when it stopped waits for the end of its lease.
insert into edged.queue_delayed (queue_id, due_at, message_id, attempts)
select edged.queue_create('email'), greatest(next_attempt_at, lease_until), message_id, attempts
from edged.old_mails where status in ('pending', 'sending') and claimed
order by id;

insert into edged.mail_events (key, recipient, at, event, detail)
select notification_id, recipient, coalesce(finished_at, created_at),
       case status when 'sent' then 'accepted' else status end, reason
from edged.old_mails where status in ('sent', 'dropped', 'dead') and claimed
order by id;

drop table edged.old_mails;

-- What became of each notification, for people and their queries.
create view edged.mails as
select n.notification_id, n.run_id, n.class_watch_id, n.user_id, n.notification_type, n.class_nbr, n.term,
       n.recipient, n.message_id is not null as claimed,
       case when n.message_id is null then 'dropped'
            when e.event = 'accepted' then 'sent'
            when e.event in ('dropped', 'suppressed', 'expired') then 'dropped'
            when q.id is not null then 'pending'
            when e.event = 'dead' or d.message_id is not null then 'dead'
            else 'dropped' end as status,
       coalesce(n.reason, e.detail, d.reason,
                case when q.id is null and e.event is null then 'its message was removed from the queue' end) as reason,
       (select count(*) from edged.mail_events a
        where a.key = n.notification_id and a.event in ('retry', 'accepted', 'dead')) as attempts,
       n.message_id, n.valid_until, n.created_at,
       case when n.message_id is null then n.created_at when q.id is null then coalesce(e.at, d.died_at) end
           as finished_at
from edged.notifications n
left join edged.queue_messages q on q.id = n.message_id
left join edged.queue_dead d on d.message_id = n.message_id
left join lateral (select event, detail, at from edged.mail_events
                   where key = n.notification_id order by id desc limit 1) e on true;
