-- What the mirror watches besides the rows. One statement, run with each heartbeat.

-- name: read_shape
-- Everything besides the rows that decides what the node must hold, as JSON: a digest for each thing
-- that can change, so that a difference can be named. A digest differs even after a change that was
-- taken back, because it has the catalogue rows' xmin. $1: the tables, $2: the publication.
with recursive wanted as (
    select position, item->>'schema' as nspname, item->>'name' as relname
    from json_array_elements($1::json) with ordinality as list(item, position)),
tables as (
    select w.position, w.nspname, w.relname, c.oid, c.relkind, c.relreplident, c.relpersistence
    from wanted w
    left join pg_namespace n on n.nspname = w.nspname
    left join pg_class c on c.relnamespace = n.oid and c.relname = w.relname),
-- The types of the columns and all that these are made of: domains' bases, elements, attributes, ranges' bounds.
types(position, oid) as (
    select distinct t.position, a.atttypid
    from tables t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    union
    select s.position, part.oid
    from types s join pg_type t on t.oid = s.oid
    cross join lateral (
        select t.typbasetype as oid where t.typbasetype <> 0
        union all select t.typelem where t.typelem <> 0
        union all select a.atttypid from pg_attribute a
                  where t.typrelid <> 0 and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
        union all select r.rngsubtype from pg_range r where r.rngtypid = t.oid
        union all select r.rngtypid from pg_range r where r.rngmultitypid = t.oid) part),
-- All partitions below a table. pg_partition_tree() would wait for whoever has one locked.
members(position, oid) as (
    select t.position, h.inhrelid from tables t join pg_inherits h on h.inhparent = t.oid where t.relkind = 'p'
    union
    select m.position, h.inhrelid from members m join pg_inherits h on h.inhparent = m.oid),
ancestors(oid) as (
    select h.inhparent from tables t join pg_inherits h on h.inhrelid = t.oid
    union
    select h.inhparent from ancestors a join pg_inherits h on h.inhrelid = a.oid)
select json_build_object(
    'tables', (select json_agg(json_build_object(
        'name', t.nspname || '.' || t.relname,
        'definition', md5(concat_ws('|', t.oid, t.relkind, t.relreplident, t.relpersistence,
            (select string_agg(concat_ws(':', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attgenerated, a.xmin),
                               ' ' order by a.attnum)
             from pg_attribute a where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped),
            (select string_agg(concat_ws(':', i.indexrelid, i.indkey, i.indisprimary, i.indisreplident), ' ' order by i.indexrelid)
             from pg_index i where i.indrelid = t.oid and i.indisunique),
            (select string_agg(h.inhrelid::text, ' ' order by h.inhrelid) from pg_inherits h
             where h.inhparent = t.oid and t.relkind <> 'p'))),
        -- Labels of enums, attributes of composites, output functions and casts to json: what a value prints may
        -- change without the row. Built-in types stay as they are.
        'types', md5((select string_agg(concat_ws(':', y.oid, y.typoutput, y.typdelim, y.typcategory,
                (select p.xmin from pg_proc p where p.oid = y.typoutput),
                (select string_agg(concat_ws(',', e.oid, e.xmin, e.enumlabel), ' ' order by e.oid)
                 from pg_enum e where e.enumtypid = y.oid),
                (select string_agg(concat_ws(',', a.attnum, a.attname, a.atttypid, a.atttypmod, a.xmin), ' ' order by a.attnum)
                 from pg_attribute a
                 where y.typrelid <> 0 and a.attrelid = y.typrelid and a.attnum > 0 and not a.attisdropped),
                (select concat_ws(',', k.oid, k.xmin) from pg_cast k
                 where k.castsource = y.oid and k.casttarget = 'json'::regtype)),
             '|' order by y.oid)
             from types s join pg_type y on y.oid = s.oid where s.position = t.position and y.oid >= 16384)),
        'partitions', md5((select string_agg(concat_ws(':', c.oid, c.relkind, c.relpersistence, c.relreplident, h.inhparent, h.xmin,
                (select string_agg(concat_ws(',', i.indexrelid, i.indkey, i.indisprimary, i.indisreplident), ' ' order by i.indexrelid)
                 from pg_index i where i.indrelid = c.oid and (i.indisprimary or i.indisreplident))),
             '|' order by c.oid)
             from members m join pg_class c on c.oid = m.oid
             left join pg_inherits h on h.inhrelid = c.oid where m.position = t.position)),
        -- TRUNCATE of one partition is not in the stream of its root; it gives the partition another file.
        'files', md5((select string_agg(concat_ws(':', c.oid, c.relfilenode), ' ' order by c.oid)
             from members m join pg_class c on c.oid = m.oid where m.position = t.position)))
        order by t.position) from tables t),
    'publication', json_build_object(
        'definition', (select md5(concat_ws(',', p.oid, p.xmin, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot))
                       from pg_publication p where p.pubname = $2),
        -- Other tables of it are other mirrors' business.
        'tables', (select md5(string_agg(concat_ws(':', r.oid, r.xmin, r.prrelid), ' ' order by r.oid))
                   from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
                   where p.pubname = $2 and r.prrelid in (
                       select t.oid from tables t union select a.oid from ancestors a)))
    )::text as shape,
    (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms
