-- The types of the columns that the mirror writes, and the unique indexes that its keys may rely on.

-- name: list_types
-- A row for each type of the tables' columns and for all that these are made of: domains' bases, elements of
-- arrays, attributes of composites. $1: the tables.
with recursive wanted as (
    select item->>'schema' as nspname, item->>'name' as relname from json_array_elements($1::json) as list(item)),
tables as (
    select c.oid from wanted w join pg_namespace n on n.nspname = w.nspname
    join pg_class c on c.relnamespace = n.oid and c.relname = w.relname and c.relkind in ('r', 'p')),
-- What row_to_json() takes for an array, int2vector and oidvector included, and point not.
elements(oid, element) as (
    select t.oid, t.typelem from pg_type t
    where t.typelem <> 0 and t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc),
types(oid) as (
    select a.atttypid from tables t join pg_attribute a on a.attrelid = t.oid
    where a.attnum > 0 and not a.attisdropped
    union
    select part.oid
    from types s join pg_type t on t.oid = s.oid
    cross join lateral (
        select t.typbasetype as oid where t.typtype = 'd'
        union all select e.element from elements e where e.oid = t.oid
        union all select a.atttypid from pg_attribute a
                  where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) part)
select t.oid, t.typtype, format_type(t.oid, -1) as sql_name, t.typbasetype as base,
       coalesce(e.element, 0) as element, t.typlen, (select p.typdelim from pg_type p where p.oid = e.element) as delimiter,
       coalesce((select json_agg(json_build_object('name', a.attname, 'type', a.atttypid::bigint) order by a.attnum)
                 from pg_attribute a where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0
                                       and not a.attisdropped), '[]') as attributes,
       coalesce((select json_agg(l.enumlabel) from pg_enum l where l.enumtypid = t.oid), '[]') as labels,
       t.oid >= 16384 and exists (select from pg_cast k where k.castsource = t.oid and k.casttarget = 'json'::regtype
                                                          and k.castmethod = 'f') as cast_to_json
from types s join pg_type t on t.oid = s.oid
left join elements e on e.oid = t.oid

-- name: list_unique_indexes
-- A row for each unique index that is valid for all rows and is
-- on columns, not on expressions. Indexes that are checked with each row come first. $1: the tables.
with wanted as (
    select position - 1 as rule, item->>'schema' as nspname, item->>'name' as relname
    from json_array_elements($1::json) with ordinality as list(item, position)),
tables as (
    select w.rule, c.oid from wanted w join pg_namespace n on n.nspname = w.nspname
    join pg_class c on c.relnamespace = n.oid and c.relname = w.relname and c.relkind in ('r', 'p'))
select t.rule, i.indimmediate as immediate,
       -- the equality of the index, which search_path may not find (strategy 3 of btree)
       (select json_agg(json_build_object('name', a.attname, 'equal', format('operator(%I.%s)', n.nspname, o.oprname))
                        order by k.position)
        from unnest((i.indkey::int2[])[0:i.indnkeyatts - 1], (i.indclass::oid[])[0:i.indnkeyatts - 1])
             with ordinality as k(attnum, class, position)
        join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum
        join pg_opclass c on c.oid = k.class
        join pg_amop p on p.amopfamily = c.opcfamily and p.amoplefttype = c.opcintype
             and p.amoprighttype = c.opcintype and p.amopstrategy = 3
        join pg_operator o on o.oid = p.amopopr
        join pg_namespace n on n.oid = o.oprnamespace) as columns
from tables t join pg_index i on i.indrelid = t.oid
where i.indisunique and i.indisvalid and i.indisready and i.indislive and i.indpred is null and i.indexprs is null
order by t.rule, i.indimmediate desc, i.indisprimary desc, i.indnkeyatts, i.indexrelid

-- name: list_column_types
select w.position - 1 as rule, a.attname, a.atttypid
from json_array_elements($1::json) with ordinality as w(item, position)
join pg_namespace n on n.nspname = w.item->>'schema'
join pg_class c on c.relnamespace = n.oid and c.relname = w.item->>'name' and c.relkind in ('r', 'p')
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
