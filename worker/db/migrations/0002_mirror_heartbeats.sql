-- The heartbeats that mirrors of this database have sent, one row a replication slot. A database
-- that was restored from a backup has older ones than its mirrors have seen: so they notice.
create table edged.mirror_heartbeats (
    slot text primary key,
    beat bigint not null,       -- counts up while the slot lives
    at   timestamptz not null   -- PostgreSQL's clock, when it was sent
);
