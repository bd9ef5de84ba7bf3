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
