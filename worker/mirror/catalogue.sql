-- What the mirror asks the catalogue before it relies on a table.

-- name: server_facts
select current_setting('wal_level') as wal_level,
       current_setting('max_replication_slots')::integer as slots_max,
       (select count(*) from pg_replication_slots) as slots,
       current_setting('max_wal_senders')::integer as senders_max,
       current_setting('max_slot_wal_keep_size') as keep_size,
       pg_is_in_recovery() as standby,
       r.rolreplication or r.rolsuper as may_replicate,
       has_database_privilege(current_database(), 'create') as may_create,
       -- null: there is no such table
       (select has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
               and has_table_privilege(c.oid, 'insert') and has_table_privilege(c.oid, 'update')
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'edged' and c.relname = 'mirror_heartbeats') as may_beat,
       -- as SQL has them, for what the role is told to do
       quote_ident(current_user) as role, quote_ident(current_database()) as database
from pg_roles r where r.rolname = current_user

-- name: list_columns
-- A row for each column of each table asked for, and one with nulls for a table that has none or
-- does not exist.
with recursive wanted as (
    select position, item->>'schema' as nspname, item->>'name' as relname
    from json_array_elements($1::json) with ordinality as list(item, position)),
tables as (
    select w.position, format('%I.%I', w.nspname, w.relname) as sql_name, c.oid, c.relkind, c.relpersistence, c.relreplident, c.relowner
    from wanted w
    left join pg_namespace n on n.nspname = w.nspname
    left join pg_class c on c.relnamespace = n.oid and c.relname = w.relname
         and c.relkind in ('r', 'p', 'v', 'm', 'f')),
-- All partitions below a table, and all tables that a partition is below of.
members(position, oid) as (
    select t.position, h.inhrelid from tables t join pg_inherits h on h.inhparent = t.oid where t.relkind = 'p'
    union
    select m.position, h.inhrelid from members m join pg_inherits h on h.inhparent = m.oid),
ancestors(position, oid) as (
    select t.position, h.inhparent from tables t join pg_inherits h on h.inhrelid = t.oid
    union
    select a.position, h.inhparent from ancestors a join pg_inherits h on h.inhrelid = a.oid),
-- The columns by which updates and deletes tell rows apart; null: all of them.
identities as (
    select m.position, c.oid, c.relreplident,
           case when c.relreplident <> 'f' then array(
               select a.attname from pg_index i join pg_attribute a on a.attrelid = c.oid
                    and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
               where i.indrelid = c.oid and i.indisvalid
                     and case c.relreplident when 'd' then i.indisprimary and i.indimmediate
                                             when 'i' then i.indisreplident end) end as names
    from (select position, oid from members union all select position, oid from tables where relkind = 'p') m
    join pg_class c on c.oid = m.oid and c.relkind in ('r', 'p')),
columns as (
    select t.position, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attgenerated <> '' as generated
    from tables t join pg_attribute a on a.attrelid = t.oid
    where a.attnum > 0 and not a.attisdropped),
-- The types of the columns and all that these are made of.
parts(start, type) as (
    select distinct atttypid, atttypid from columns
    union
    select s.start, part.oid
    from parts s join pg_type t on t.oid = s.type
    cross join lateral (
        select t.typbasetype as oid where t.typbasetype <> 0
        union all select t.typelem where t.typelem <> 0
        union all select a.atttypid from pg_attribute a
                  where t.typrelid <> 0 and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
        union all select r.rngsubtype from pg_range r where r.rngtypid = t.oid
        union all select r.rngtypid from pg_range r where r.rngmultitypid = t.oid) part)
select t.position - 1 as rule, t.sql_name, t.oid, t.relkind, t.relpersistence, t.relreplident,
       coalesce(row_security_active(t.oid), false) as filtered,
       coalesce(has_table_privilege(t.oid, 'select'), false) as readable,
       coalesce(pg_has_role(t.relowner, 'usage'), false) as owned,
       (select format('%I.%I', n.nspname, k.relname)
        from pg_inherits h join pg_class k on k.oid = h.inhrelid join pg_namespace n on n.oid = k.relnamespace
        where h.inhparent = t.oid and t.relkind = 'r' order by h.inhseqno, k.oid limit 1) as child,
       (select format('%I.%I', n.nspname, k.relname)
        from members m join pg_class k on k.oid = m.oid join pg_namespace n on n.oid = k.relnamespace
        where m.position = t.position and (k.relkind = 'f' or k.relpersistence <> 'p') order by k.oid limit 1) as unlogged_partition,
       (select format('%I.%I', n.nspname, k.relname)
        from identities d join identities root on root.position = d.position and root.oid = t.oid
        join pg_class k on k.oid = d.oid join pg_namespace n on n.oid = k.relnamespace
        where d.position = t.position and k.relkind = 'r' and d.names is not null
          and (root.names is null or not root.names <@ d.names) order by k.oid limit 1) as other_identity,
       (select u.sql_name from tables u join ancestors a on a.oid = u.oid
        where a.position = t.position order by u.position limit 1) as mirrored_ancestor,
       c.attname, c.atttypid, c.atttypmod, c.generated, format_type(c.atttypid, null) as type_name,
       -- What such a value prints depends on the session or on other objects' names, which no change of a row tells.
       (select format_type(p.type, null) from parts p
        where p.start = c.atttypid and p.type in (
            'money'::regtype, 'regproc'::regtype, 'regprocedure'::regtype, 'regoper'::regtype, 'regoperator'::regtype,
            'regclass'::regtype, 'regtype'::regtype, 'regrole'::regtype, 'regnamespace'::regtype, 'regconfig'::regtype,
            'regdictionary'::regtype, 'regcollation'::regtype, 'aclitem'::regtype) limit 1) as unsteady_type,
       exists (select from pg_index i
               where i.indrelid = t.oid and c.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                 and i.indisvalid and case t.relreplident when 'd' then i.indisprimary and i.indimmediate
                                         when 'i' then i.indisreplident end) as in_identity
from tables t
left join columns c on c.position = t.position
order by t.position, c.attnum

-- name: inspect_publication
-- No row: there is none. $1: its name, $2: the oids of the tables that it must send, as a JSON array.
-- A publication of a schema has tables, and none of its own.
with wanted as (
    select value::oid as oid from json_array_elements_text($2::json))
select p.puballtables or (
           exists (select from pg_publication_tables t where t.pubname = p.pubname)
           and not exists (select from pg_publication_rel r where r.prpubid = p.oid)) as everything,
       p.pubinsert and p.pubupdate and p.pubdelete and p.pubtruncate as all_changes,
       p.pubviaroot as via_root,
       pg_has_role(p.pubowner, 'usage') as owned,
       coalesce((select json_agg(w.oid::bigint) from wanted w
                 where not exists (select from pg_publication_rel r where r.prpubid = p.oid and r.prrelid = w.oid)),
                '[]') as missing,
       -- with a condition for rows or a list of columns
       coalesce((select json_agg(w.oid::bigint) from wanted w
                 join pg_publication_rel r on r.prpubid = p.oid and r.prrelid = w.oid
                 where coalesce(to_jsonb(r)->>'prqual', to_jsonb(r)->>'prattrs') is not null), '[]') as filtered,
       -- A partition whose changes are sent as those of the partitioned table: that is in the publication too, or its
       -- schema is.
       (select format('%I.%I', n.nspname, c.relname) from wanted w
        join pg_class c on c.oid = w.oid and c.relispartition join pg_namespace n on n.oid = c.relnamespace
        where p.pubviaroot
          and (exists (select from pg_partition_ancestors(w.oid) a
                       join pg_publication_rel r on r.prpubid = p.oid and r.prrelid = a.relid
                       where a.relid <> w.oid)
               or exists (select from pg_publication_rel r where r.prpubid = p.oid and r.prrelid = w.oid)
                  and not exists (select from pg_publication_tables t
                                  where t.pubname = p.pubname and t.schemaname = n.nspname and t.tablename = c.relname))
        limit 1) as swallowed
from pg_publication p where p.pubname = $1
