-- The application's tables for a new installation (edged migrate --app-schema). Tables that exist are
-- left as they are.
create schema if not exists auth;
create table if not exists auth.users (
    id    uuid primary key default gen_random_uuid(),
    email text not null
);
create table if not exists public.user_profiles (
    user_id               uuid primary key references auth.users (id) on delete cascade,
    notifications_enabled boolean not null default true,
    email_bounced         boolean not null default false,
    spam_complained       boolean not null default false,
    is_disabled           boolean not null default false
);
create table if not exists public.class_watches (
    id          uuid primary key default gen_random_uuid(),
    user_id     uuid not null references auth.users (id) on delete cascade,
    term        text not null,
    subject     text not null,
    catalog_nbr text not null,
    class_nbr   text not null,
    include_reserved_seats boolean not null default false,  -- tell of seats that are reserved for some, too
    created_at  timestamptz not null default now(),
    unique (user_id, term, class_nbr)
);
create index if not exists class_watches_class_nbr on public.class_watches (class_nbr);
create table if not exists public.class_states (
    id                 uuid primary key default gen_random_uuid(),
    term               text not null,
    subject            text not null,
    catalog_nbr        text not null,
    class_nbr          text not null unique,
    title              text,
    instructor_name    text,
    seats_available    integer not null default 0,
    seats_capacity     integer not null default 0,
    non_reserved_seats integer,
    location           text,
    meeting_times      text,
    last_checked_at    timestamptz not null default now(),
    last_changed_at    timestamptz not null default now()
);
create table if not exists public.notifications_sent (
    id                uuid primary key default gen_random_uuid(),
    class_watch_id    uuid not null references public.class_watches (id) on delete cascade,
    notification_type text not null check (notification_type in ('seat_available', 'instructor_assigned')),
    sent_at           timestamptz not null default now(),
    expires_at        timestamptz not null,
    unique (class_watch_id, notification_type)
);
