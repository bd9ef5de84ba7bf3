-- The check of a database before a worker or a command uses it. Both statements read the catalogue alone.

-- name: inspect_for_use
-- One row: where we are, and what stands in the way of what the caller is about to do. Tables are found by
-- their oid, because a name cannot be looked up in a schema that the role may not use.
-- $1: the uses, an array of 'job', 'mail', 'slot', 'history', 'timeline', 'queue' (DatabaseUse in schema_check.h)
with used (use, schema_name, table_name, column_names, whole, rights) as (values
    -- A right on all columns named here is as good as one on the table, unless the table is read whole.
    ('job', 'auth', 'users', 'id email', false, 'select'),
    ('job', 'public', 'user_profiles',
        'user_id notifications_enabled email_bounced spam_complained is_disabled', false, 'select'),
    ('job', 'public', 'class_watches', 'id user_id term subject catalog_nbr class_nbr created_at', true, 'select'),
    ('job', 'public', 'class_states', 'term subject catalog_nbr class_nbr title instructor_name seats_available '
        'seats_capacity non_reserved_seats location meeting_times last_checked_at last_changed_at', false,
        'select insert update'),
    ('job', 'public', 'notifications_sent', 'class_watch_id notification_type sent_at expires_at', false,
        'select insert update delete'),
    ('job', 'edged', 'cron_runs', '', true, 'select insert update delete'),
    ('job', 'edged', 'section_checks', '', true, 'select insert update delete'),
    ('job', 'edged', 'notifications', '', true, 'select insert update delete'),
    ('job', 'edged', 'mail_events', '', true, 'select delete'),
    ('job', 'edged', 'queue_messages', '', true, 'select'),
    ('job', 'edged', 'queue_dead', '', true, 'select'),
    ('mail', 'public', 'user_profiles',
        'user_id notifications_enabled email_bounced spam_complained is_disabled', false, 'select'),
    ('mail', 'public', 'class_watches', 'id term class_nbr', true, 'select'),
    ('mail', 'public', 'class_states',
        'term class_nbr seats_available non_reserved_seats last_checked_at last_changed_at', false, 'select update'),
    ('mail', 'public', 'notifications_sent', 'class_watch_id notification_type', false, 'select update delete'),
    ('mail', 'edged', 'section_checks', '', true, 'select insert update'),
    ('mail', 'edged', 'notifications', '', true, 'select'),
    ('mail', 'edged', 'mail_suppressions', '', true, 'select insert delete'),
    ('mail', 'edged', 'mail_events', '', true, 'select insert delete'),
    ('mail', 'edged', 'mail_groups', '', true, 'select insert delete'),
    ('slot', 'edged', 'mirror_heartbeats', '', true, 'select insert update'),
    ('history', 'edged', 'cron_runs', '', true, 'select'),
    ('timeline', 'edged', 'notifications', '', true, 'select'),
    ('timeline', 'edged', 'mails', '', true, 'select'),
    ('timeline', 'edged', 'mail_events', '', true, 'select'),
    ('timeline', 'edged', 'mail_suppressions', '', true, 'select'),
    ('timeline', 'auth', 'users', 'id email', false, 'select'),
    ('timeline', 'public', 'user_profiles',
        'user_id notifications_enabled email_bounced spam_complained is_disabled', false, 'select'),
    ('timeline', 'public', 'class_watches', 'id user_id', false, 'select'),
    ('queue', 'edged', 'queues', '', true, 'select insert update'),
    ('queue', 'edged', 'queue_messages', '', true, 'select insert delete'),
    ('queue', 'edged', 'queue_ready', '', true, 'select insert update delete'),
    ('queue', 'edged', 'queue_delayed', '', true, 'select insert update delete'),
    ('queue', 'edged', 'queue_claims', '', true, 'select insert update delete'),
    ('queue', 'edged', 'queue_dead', '', true, 'select insert delete')
), needed as materialized (
    select used.*, c.oid
    from used
    left join pg_namespace n on n.nspname = schema_name
    left join pg_class c on c.relnamespace = n.oid and c.relname = table_name
    where use = any ($1::text[])
), missing_columns as (
    select schema_name || '.' || table_name as table_name, column_name, min(place) as place
    from needed cross join unnest(string_to_array(column_names, ' ')) with ordinality as c (column_name, place)
    where not exists (select from pg_attribute a
                      where a.attrelid = needed.oid and a.attname = column_name
                        and a.attnum > 0 and not a.attisdropped)
    group by 1, 2
), wanted as materialized (
    select distinct schema_name || '.' || table_name as table_name, oid, column_names, whole, one as "right"
    from needed cross join unnest(string_to_array(rights, ' ')) as one
    where oid is not null
    union all
    select 'edged.schema_migrations', c.oid, '', true, 'select'
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'edged' and c.relname = 'schema_migrations'
), missing_rights as (
    select "right" || ' on ' || table_name as what
    from wanted
    where case when whole or "right" = 'delete' then not has_table_privilege(oid, "right")
               else exists (select from unnest(string_to_array(column_names, ' ')) as column_name
                            join pg_attribute a on a.attrelid = oid and a.attname = column_name
                            where not has_column_privilege(oid, a.attnum, "right")) end
    union
    select 'usage on schema ' || nspname from pg_namespace n
    where (nspname = 'edged' or nspname in (select schema_name from needed))
      and not has_schema_privilege(n.oid, 'usage')
    union
    select 'usage on sequence edged.run_epoch'
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'edged' and c.relname = 'run_epoch' and $1::text[] && array['job', 'mail']
      and not has_sequence_privilege(c.oid, 'usage')
), policies as (
    -- Those that PostgreSQL applies to the role for a right that is needed. `is_open`: it takes nothing away.
    -- A policy without an expression gives nothing and takes nothing.
    select w.table_name, w."right", p.polpermissive, not 0 = any (p.polroles) as is_named,
           used_expression = 'true' and (w."right" <> 'update' or checked_expression = 'true') as is_open
    from wanted w
    join pg_policy p on p.polrelid = w.oid
         and p.polcmd in ('*', case w."right" when 'select' then 'r' when 'insert' then 'a'
                                              when 'update' then 'w' else 'd' end)
         and (0 = any (p.polroles)
              or exists (select from unnest(p.polroles) as r (role) where pg_has_role(r.role, 'usage')))
    cross join lateral (select pg_get_expr(p.polqual, p.polrelid) as using_expression,
                               coalesce(pg_get_expr(p.polwithcheck, p.polrelid),
                                        pg_get_expr(p.polqual, p.polrelid)) as checked_expression) as e
    cross join lateral (select case w."right" when 'insert' then checked_expression
                                              else using_expression end as used_expression) as u
    where used_expression is not null
), secured as (
    -- A policy for everybody with a condition was written for the application's users, not for this role;
    -- one that names the role, or a group it belongs to, is its owner's wish.
    select w.table_name, w.oid, w."right",
           not exists (select from policies p
                       where p.table_name = w.table_name and p."right" = w."right" and p.polpermissive
                         and (p.is_open or p.is_named)) as is_hidden,
           not exists (select from policies p
                       where p.table_name = w.table_name and p."right" = w."right" and p.polpermissive and p.is_open)
           or exists (select from policies p
                      where p.table_name = w.table_name and p."right" = w."right"
                        and not p.polpermissive and not p.is_open) as is_restricted
    from wanted w
    where row_security_active(w.oid)
)
select current_database() as database, current_user as role, quote_ident(current_user) as role_sql,
       exists (select from pg_namespace where nspname = 'edged') and exists (
           select from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname = 'edged' and c.relname = 'schema_migrations') as has_history,
       (select string_agg(table_name || '.' || column_name, E'\n' order by table_name, place)
        from missing_columns) as missing_columns,
       (select string_agg(what, E'\n' order by what) from missing_rights) as missing_rights,
       (select string_agg(distinct table_name, E'\n' order by table_name)
        from secured where is_hidden) as hidden_tables,
       (select string_agg(distinct table_name, E'\n' order by table_name)
        from secured where is_restricted and not is_hidden) as restricted_tables,
       -- Of the restricted ones: those that hold rows by PostgreSQL's statistics, which no policy hides.
       (select string_agg(distinct table_name, E'\n' order by table_name)
        from secured join pg_class c using (oid)
        where is_restricted and not is_hidden and "right" = 'select'
          and greatest(c.reltuples, pg_stat_get_live_tuples(oid)) >= 1) as restricted_tables_with_rows

-- name: read_schema_version
select coalesce(max(version), 0) from edged.schema_migrations
