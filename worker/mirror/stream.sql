-- What a session of the mirror asks PostgreSQL.

-- name: find_slot
select slot_name, coalesce(plugin, '') as plugin, slot_type, coalesce(database = current_database(), false) as here, temporary, active,
       coalesce(active_pid, 0) as active_pid, coalesce(wal_status, '') as wal_status,
       coalesce(confirmed_flush_lsn::text, '') as confirmed,
       coalesce(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn()
                                     else pg_current_wal_lsn() end, restart_lsn), 0)::bigint as retained_bytes,
       coalesce(safe_wal_size, -1) as safe_bytes
from pg_replication_slots where slot_name = $1

-- name: server_identity
select system_identifier::text, current_database() from pg_control_system()

-- name: drop_slot
select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1

-- name: read_shape
-- Another text whenever the tables of the rules, or what the publication sends of them, are not
-- what they were, even if they were changed and changed back. $1: the tables, $2: the publication.
with wanted as (
    select position, item->>'schema' as nspname, item->>'name' as relname
    from json_array_elements($1::json) with ordinality as list(item, position)),
tables as (
    select w.position, c.oid, c.relkind, c.relreplident, c.relpersistence
    from wanted w
    left join pg_namespace n on n.nspname = w.nspname
    left join pg_class c on c.relnamespace = n.oid and c.relname = w.relname)
select md5(concat_ws('|',
    (select string_agg(concat_ws(',', t.oid, t.relkind, t.relreplident, t.relpersistence,
         (select string_agg(concat_ws(':', a.attnum, a.attname, a.atttypid, a.attgenerated, a.xmin), ' ' order by a.attnum)
          from pg_attribute a where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped),
         (select string_agg(concat_ws(':', i.indexrelid, i.indkey::text, i.indisprimary, i.indisreplident), ' ' order by i.indexrelid)
          from pg_index i where i.indrelid = t.oid and i.indisunique),
         -- a partition that is attached or detached brings or takes rows without a change of them
         (select string_agg(p.relid::oid::text, ' ' order by p.relid::oid)
          from pg_partition_tree(t.oid) p where t.relkind = 'p')),
         ';' order by t.position) from tables t),
    (select concat_ws(',', p.oid, p.xmin, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate)
     from pg_publication p where p.pubname = $2),
    (select string_agg(concat_ws(':', r.oid, r.xmin, r.prrelid), ' ' order by r.oid)
     from pg_publication_rel r join pg_publication p on p.oid = r.prpubid where p.pubname = $2))) as shape,
    (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms

-- name: last_heartbeat
select beat from edged.mirror_heartbeats where slot = $1

-- name: send_heartbeat
-- One transaction: its commit is behind all that was committed before its time. $1: the slot,
-- $2: the number of this beat. No row and no beat if the one before is not there: then this is not
-- the PostgreSQL that knew it, and must go on not knowing it until the next session asks.
with known as (
    select coalesce(max(beat), 0) as beat from edged.mirror_heartbeats where slot = $1),
stored as (
    insert into edged.mirror_heartbeats (slot, beat, at)
    select $1::text, $2::bigint, clock_timestamp() from known where known.beat >= $2::bigint - 1
    on conflict (slot) do update set beat = excluded.beat, at = excluded.at
    returning at)
select pg_logical_emit_message(true, 'edged',
           json_build_object('slot', $1::text, 'beat', $2::bigint,
                             'at', (extract(epoch from at) * 1000)::bigint)::text),
       (extract(epoch from at) * 1000)::bigint as at_ms
from stored

-- name: emit_heartbeat
-- As above for a slot that nobody will resume.
select pg_logical_emit_message(true, 'edged',
           json_build_object('slot', '', 'beat', 0,
                             'at', (extract(epoch from clock_timestamp()) * 1000)::bigint)::text)

-- name: server_position
select case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end::text

-- name: forget_heartbeats
delete from edged.mirror_heartbeats where slot = $1
