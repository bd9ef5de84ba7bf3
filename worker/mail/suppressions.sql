-- Addresses to which nothing is sent.

-- name: suppress
-- $1 address, $2 reason, $3 source, $4 now
insert into edged.mail_suppressions (address, reason, source, since)
values (lower(btrim($1)), $2, $3, $4::timestamptz)
on conflict (address) do nothing

-- name: unsuppress
-- $1 address
delete from edged.mail_suppressions where address = lower(btrim($1))

-- name: list_suppressions
select address, reason, source, (extract(epoch from since) * 1000)::bigint
from edged.mail_suppressions
order by since, address
