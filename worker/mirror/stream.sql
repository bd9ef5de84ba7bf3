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

-- name: find_blockers
-- The transactions that process $1 waits for. Of other roles' sessions most is null without pg_read_all_stats.
select b.pid, a.usename as role, a.application_name as application, a.datname as database,
       case when a.xact_start is not null then coalesce(a.state, '') end as state,
       extract(epoch from clock_timestamp() - a.xact_start)::bigint as transaction_s,
       extract(epoch from clock_timestamp() - a.query_start)::bigint as statement_s,
       -- its beginning, without texts, which may be anybody's secrets
       left(regexp_replace(regexp_replace(a.query, $re$'([^'\\]|\\.|'')*('|$)$re$, $re$'...'$re$, 'g'), '\s+', ' ', 'g'), 80)
           as statement,
       p.gid as prepared, extract(epoch from clock_timestamp() - p.prepared)::bigint as prepared_s
from (select distinct unnest(pg_blocking_pids($1::integer)) as pid) b
left join pg_stat_activity a on a.pid = b.pid
left join pg_locks l on b.pid = 0 and l.pid = $1::integer and not l.granted and l.locktype = 'transactionid'
left join pg_prepared_xacts p on p.transaction = l.transactionid
order by b.pid

-- name: end_replication
select pg_terminate_backend(pid) from pg_stat_activity where pid = $1::integer and backend_type = 'walsender'

-- name: drop_slot
select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1

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
