-- Consumers look each second for leases that are over. Without this index they walk over the dead rows of
-- all batches since the oldest snapshot: 20,000 pages for 120,000 batches.
create index queue_claims_by_lease on edged.queue_claims (lease_until);
