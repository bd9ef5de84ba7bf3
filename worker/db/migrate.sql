-- What `edged migrate` asks the database.

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
