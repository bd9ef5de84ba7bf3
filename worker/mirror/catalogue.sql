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
       -- as SQL has them, for what the role is told to do
       quote_ident(current_user) as role, quote_ident(current_database()) as database
from pg_roles r where r.rolname = current_user

-- name: list_columns
-- A row for each column of each table asked for, and one with nulls for a table that has none or
-- does not exist. Types are followed through domains and one level of array.
with recursive wanted as (
    select position, item->>'schema' as nspname, item->>'name' as relname, item->'key' as key
    from json_array_elements($1::json) with ordinality as list(item, position)),
tables as (
    select w.position, w.key, format('%I.%I', w.nspname, w.relname) as sql_name, c.oid, c.relkind, c.relpersistence, c.relreplident, c.relowner
    from wanted w
    left join pg_namespace n on n.nspname = w.nspname
    left join pg_class c on c.relnamespace = n.oid and c.relname = w.relname
         and c.relkind in ('r', 'p', 'v', 'm', 'f')),
columns as (
    select t.position, a.attnum, a.attname, a.atttypid, a.attgenerated <> '' as generated
    from tables t join pg_attribute a on a.attrelid = t.oid
    where a.attnum > 0 and not a.attisdropped),
types(start, type, is_array) as (
    select distinct atttypid, atttypid, false from columns
    union
    select s.start, case t.typtype when 'd' then t.typbasetype else t.typelem end,
           s.is_array or t.typtype <> 'd'
    from types s join pg_type t on t.oid = s.type
    where t.typtype = 'd' or (not s.is_array and t.typelem <> 0 and t.typcategory = 'A')),
resolved as (
    select s.start, s.type, s.is_array,
           t.typtype = 'c' or t.typcategory = 'A' or exists (
               select from pg_cast k
               where k.castsource = t.oid and k.casttarget = 'json'::regtype
                 and k.castmethod = 'f' and t.oid >= 16384) as has_own_json
    from types s join pg_type t on t.oid = s.type
    where t.typtype <> 'd' and (s.is_array or t.typelem = 0 or t.typcategory <> 'A'))
select t.position - 1 as rule, t.sql_name, t.oid, t.relkind, t.relpersistence, t.relreplident,
       coalesce(row_security_active(t.oid), false) as filtered,
       coalesce(has_table_privilege(t.oid, 'select'), false) as readable,
       coalesce(pg_has_role(t.relowner, 'usage'), false) as owned,
       exists (select from pg_index i
               where i.indrelid = t.oid and i.indisunique and i.indisvalid
                 and i.indpred is null and i.indexprs is null
                 and not exists (select from unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) as part(attnum)
                                 join pg_attribute a on a.attrelid = t.oid and a.attnum = part.attnum
                                 where a.attname::text not in (select json_array_elements_text(t.key)))) as unique_key,
       c.attname, c.generated, format_type(c.atttypid, null) as type_name,
       r.type as base_type, r.is_array, r.has_own_json,
       exists (select from pg_index i
               where i.indrelid = t.oid and c.attnum = any (i.indkey)
                 and case t.relreplident when 'd' then i.indisprimary and i.indimmediate
                                         when 'i' then i.indisreplident end) as in_identity
from tables t
left join columns c on c.position = t.position
left join resolved r on r.start = c.atttypid
order by t.position, c.attnum

-- name: inspect_publication
-- A publication of a schema has tables, and none of its own.
select p.puballtables or (
           exists (select from pg_publication_tables t where t.pubname = p.pubname)
           and not exists (select from pg_publication_rel r where r.prpubid = p.oid)) as everything,
       p.pubinsert and p.pubupdate and p.pubdelete and p.pubtruncate and p.pubviaroot as complete,
       coalesce((select json_agg(json_build_object(
                               'oid', r.prrelid::bigint,
                               'filtered', coalesce(to_jsonb(r)->>'prqual',
                                                    to_jsonb(r)->>'prattrs') is not null)
                           order by r.prrelid)
                 from pg_publication_rel r where r.prpubid = p.oid), '[]') as tables
from pg_publication p where p.pubname = $1
