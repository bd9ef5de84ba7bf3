-- An application's database as it may be before edged comes: the tables that edged uses with columns, functions,
-- triggers, enumerations, row-level security and indexes of the application's own.
create schema auth;
create function auth.uid() returns uuid language sql stable
    as $$ select nullif(current_setting('request.user_id', true), '')::uuid $$;

create table auth.users (
    instance_id uuid,
    id uuid primary key default gen_random_uuid(),
    email varchar(255) unique,
    encrypted_password varchar(255),
    raw_user_meta_data jsonb not null default '{}',
    created_at timestamptz not null default now()
);

create table public.user_profiles (
    user_id uuid primary key references auth.users (id) on delete cascade,
    display_name text,
    is_admin boolean not null default false,
    notifications_enabled boolean not null default true,
    email_bounced boolean not null default false,
    email_bounced_at timestamptz,
    spam_complained boolean not null default false,
    is_disabled boolean not null default false,
    updated_at timestamptz not null default now()
);
create function public.make_profile() returns trigger language plpgsql security definer
    as $$ begin insert into public.user_profiles (user_id) values (new.id) on conflict do nothing; return new; end $$;
create trigger on_user after insert on auth.users for each row execute function public.make_profile();

create table public.class_watches (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references auth.users (id) on delete cascade,
    term varchar(4) not null check (term ~ '^[0-9]{4}$'),
    subject text not null,
    catalog_nbr text not null,
    class_nbr varchar(5) not null,
    note text,
    created_at timestamptz not null default now(),
    unique (user_id, term, class_nbr)
);

create table public.class_states (
    id uuid primary key default gen_random_uuid(),
    term text not null,
    subject text not null,
    catalog_nbr text not null,
    class_nbr text not null unique,
    title text,
    instructor_name text,
    seats_available integer not null default 0,
    seats_capacity integer not null default 0,
    non_reserved_seats integer,
    location text,
    meeting_times text,
    last_checked_at timestamptz not null default now(),
    last_changed_at timestamptz not null default now(),
    is_full boolean generated always as (seats_available <= 0) stored,
    search tsvector
);
create index class_states_open on public.class_states (class_nbr) where seats_available > 0;
create table public.class_state_changes (
    at timestamptz not null default now(), class_nbr text not null, seats_before integer, seats_after integer
);
create function public.keep_change() returns trigger language plpgsql security definer as $$
begin
    if tg_op = 'UPDATE' and new.seats_available is distinct from old.seats_available then
        insert into public.class_state_changes (class_nbr, seats_before, seats_after)
        values (new.class_nbr, old.seats_available, new.seats_available);
    end if;
    new.search := to_tsvector('simple', concat_ws(' ', new.subject, new.catalog_nbr, new.title));
    perform pg_notify('class_states', new.class_nbr);
    return new;
end $$;
create trigger keep_change before insert or update on public.class_states
    for each row execute function public.keep_change();

create table public.notifications_sent (
    id uuid primary key default gen_random_uuid(),
    class_watch_id uuid not null references public.class_watches (id) on delete cascade,
    notification_type text not null check (notification_type in ('seat_available', 'instructor_assigned')),
    sent_at timestamptz not null default now(),
    expires_at timestamptz not null default now() + interval '24 hours',
    unique (class_watch_id, notification_type)
);
-- The application's own way to claim, which goes on working beside edged's.
create function public.try_claim(watch uuid, kind text) returns boolean language sql as $$
    with claimed as (insert into public.notifications_sent (class_watch_id, notification_type) values (watch, kind)
                     on conflict do nothing returning 1)
    select exists (select from claimed) $$;

alter table public.class_watches enable row level security;
create policy own_watches on public.class_watches using (user_id = auth.uid());
alter table public.class_states enable row level security;
create policy everybody_reads on public.class_states for select using (true);
alter table public.user_profiles enable row level security;
create policy own_profile on public.user_profiles using (user_id = auth.uid());
alter table public.notifications_sent enable row level security;
