-- Requests to idempotent mail providers are looked up by their mails.
create index mail_groups_by_mail on edged.mail_groups using gin (keys);

-- Whether an application keeps the events of a mail as long as a row of its own: they are not deleted with those
-- of other mails. Another application that does so replaces this function.
create function edged.mail_events_are_kept(mail_key text)
returns boolean language sql stable as $$
    select exists (select from edged.notifications where notification_id = mail_key)
$$;
