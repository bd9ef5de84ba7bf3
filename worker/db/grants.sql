-- The rights of a worker's role, given by the owner of the tables (edged migrate --grant-to ROLE). Shown in
-- docs/postgresql.md.
grant usage on schema public, auth, edged to {role};
grant select on auth.users, public.user_profiles, public.class_watches to {role};
grant select, insert, update on public.class_states to {role};
grant select, insert, update, delete on public.notifications_sent to {role};
grant select, insert, update, delete on all tables in schema edged to {role};
grant usage on all sequences in schema edged to {role};
alter default privileges in schema edged grant select, insert, update, delete on tables to {role};
alter default privileges in schema edged grant usage on sequences to {role};
