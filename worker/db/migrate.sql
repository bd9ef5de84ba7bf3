-- What `edged migrate` and the check at the worker's start ask the database.

-- name: lock_migrations
select pg_advisory_xact_lock(7598234718012034711)

-- name: inspect_database
select current_database(), current_user,
       exists (select from pg_namespace where nspname = 'edged') as has_schema,
       exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname = 'edged' and c.relname = 'schema_migrations') as has_history

-- name: create_schema
create schema edged

-- name: create_history
create table edged.schema_migrations (
    version    integer primary key,
    name       text not null,
    checksum   text not null,  -- SHA-256 of the file, hexadecimal
    applied_at timestamptz not null default now()
)

-- name: list_applied
select version, name, checksum from edged.schema_migrations order by version

-- name: record_applied
insert into edged.schema_migrations (version, name, checksum) values ($1::integer, $2, $3)

-- name: list_application_tables
select n.nspname || '.' || c.relname
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where (n.nspname, c.relname) in (('auth', 'users'), ('public', 'user_profiles'), ('public', 'class_watches'),
                                 ('public', 'class_states'), ('public', 'notifications_sent'))
order by 1

-- name: list_missing_columns
select used.schema_name || '.' || used.table_name || '.' || column_name
from (values
    ('auth', 'users', 'id email'),
    ('public', 'user_profiles', 'user_id notifications_enabled email_bounced spam_complained is_disabled'),
    ('public', 'class_watches', 'id user_id term subject catalog_nbr class_nbr created_at'),
    ('public', 'class_states', 'id term subject catalog_nbr class_nbr title instructor_name seats_available '
        'seats_capacity non_reserved_seats location meeting_times last_checked_at last_changed_at'),
    ('public', 'notifications_sent', 'id class_watch_id notification_type sent_at expires_at')
) as used (schema_name, table_name, column_names)
cross join unnest(string_to_array(used.column_names, ' ')) with ordinality as columns (column_name, place)
where not exists (
    select from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = used.schema_name and c.relname = used.table_name and a.attname = column_name
      and a.attnum > 0 and not a.attisdropped)
order by used.schema_name, used.table_name, place

-- name: list_missing_rights
-- What the current role may not do and a run needs. A right on all used columns is as good as one on the table, but
-- for class_watches, whose rows are read whole. Tables are found by their oid: a name could not be looked up in a
-- schema that the role may not use.
with used (schema_name, table_name, column_names, rights) as (values
    ('auth', 'users', 'id email', 'select'),
    ('public', 'user_profiles', 'user_id notifications_enabled email_bounced spam_complained is_disabled', 'select'),
    ('public', 'class_watches', '', 'select'),
    ('public', 'class_states', 'term subject catalog_nbr class_nbr title instructor_name seats_available '
        'seats_capacity non_reserved_seats location meeting_times last_checked_at last_changed_at',
        'select insert update'),
    ('public', 'notifications_sent', 'class_watch_id notification_type sent_at expires_at',
        'select insert update delete'),
    ('edged', 'cron_runs', '', 'select insert update delete'),
    ('edged', 'section_checks', '', 'select insert update delete'),
    ('edged', 'mails', '', 'select insert update delete')
), wanted as (
    select schema_name || '.' || table_name as table_name, c.oid, column_names, one as "right"
    from used
    join pg_namespace n on n.nspname = schema_name
    join pg_class c on c.relnamespace = n.oid and c.relname = table_name
    cross join unnest(string_to_array(rights, ' ')) as one
), missing as (
    select "right" || ' on ' || table_name as what
    from wanted
    where case when "right" = 'delete' or column_names = '' then not has_table_privilege(oid, "right")
               else exists (select from unnest(string_to_array(column_names, ' ')) as column_name
                            where not has_column_privilege(oid, column_name, "right")) end
    union all
    select 'usage on schema ' || nspname from pg_namespace
    where nspname in ('auth', 'public', 'edged') and not has_schema_privilege(oid, 'usage')
    union all
    select 'usage on sequence edged.run_epoch'
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'edged' and c.relname = 'run_epoch' and not has_sequence_privilege(c.oid, 'usage')
)
select what, current_user from missing order by what

-- name: list_filtered_tables
-- Tables of which row-level security may hide rows from the current role: it applies, and there is no policy
-- of this role's that lets all rows be seen, or one that takes some away.
select n.nspname || '.' || c.relname, current_user
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where (n.nspname, c.relname) in (('auth', 'users'), ('public', 'user_profiles'), ('public', 'class_watches'),
                                 ('public', 'class_states'), ('public', 'notifications_sent'))
  and row_security_active(c.oid)
  and (not exists (select from pg_policy p
                   where p.polrelid = c.oid and p.polpermissive and p.polcmd in ('*', 'r')
                     and pg_get_expr(p.polqual, p.polrelid) = 'true'
                     and (0 = any (p.polroles)
                          or exists (select from unnest(p.polroles) as r (role) where pg_has_role(r.role, 'usage'))))
       or exists (select from pg_policy p
                  where p.polrelid = c.oid and not p.polpermissive
                    and (0 = any (p.polroles)
                         or exists (select from unnest(p.polroles) as r (role) where pg_has_role(r.role, 'usage')))))
order by 1
