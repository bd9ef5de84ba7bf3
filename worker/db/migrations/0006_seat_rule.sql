-- What an observation of a section means: the rule of docs/class-monitor.md, "Truth table". Runs and late
-- mails call these functions. Both are written so that PostgreSQL expands them in the statement that
-- calls them.

-- The seats that count as open: with the reserved ones for a watch that counts these. Negative is none;
-- null: not known.
create function edged.open_seats(available integer, non_reserved integer, with_reserved boolean)
returns integer language sql immutable parallel safe as $$
    select case when with_reserved and available is null then null
                when with_reserved then greatest(0, available)
                when coalesce(non_reserved, available) is null then null
                else greatest(0, coalesce(non_reserved, available)) end
$$;

-- The last known seats and those seen now, null for what is not known. The seen ones are judged each alone,
-- and the last known value stands for one that is missing. If the reserved-seat detail was known and could
-- not be read now, all seats are unknown, unless there are none at all. only_closing: an opening is not
-- taken over, since only a run may announce it; what was 0 stays 0.
--   new_…                     what is stored
--   opened, filled            for watches that do not count reserved seats; …_with_reserved for the others
--   seen_open…                open seats by what was seen alone; null: it does not say
create function edged.seat_rule(old_available integer, old_non_reserved integer,
                                seen_available integer, seen_non_reserved integer,
                                only_closing boolean default false)
returns table (new_available integer, new_non_reserved integer,
               opened boolean, filled boolean, opened_with_reserved boolean, filled_with_reserved boolean,
               seen_open integer, seen_open_with_reserved integer)
rows 1 language sql immutable parallel safe as $$
    select m.available, m.non_reserved,
           coalesce(edged.open_seats(old_available, old_non_reserved, false) = 0
               and edged.open_seats(m.available, m.non_reserved, false) > 0, false),
           coalesce(edged.open_seats(old_available, old_non_reserved, false) > 0
               and edged.open_seats(m.available, m.non_reserved, false) = 0, false),
           coalesce(edged.open_seats(old_available, null, true) = 0
               and edged.open_seats(m.available, null, true) > 0, false),
           coalesce(edged.open_seats(old_available, null, true) > 0
               and edged.open_seats(m.available, null, true) = 0, false),
           case when not m.is_hidden then edged.open_seats(seen_available, seen_non_reserved, false) end,
           case when not m.is_hidden then edged.open_seats(seen_available, null, true) end
    from (select h.is_hidden,
                 case when h.is_hidden then old_available
                      when only_closing and seen_available > 0 and old_available <= 0 then old_available
                      else coalesce(seen_available, old_available, seen_non_reserved)
                 end as available,
                 case when only_closing and seen_non_reserved > 0
                           and coalesce(old_non_reserved, old_available) <= 0 then old_non_reserved
                      when seen_non_reserved is not null then seen_non_reserved
                      when old_non_reserved is not null and seen_available <= 0 then 0
                      else old_non_reserved
                 end as non_reserved
          from (select old_non_reserved is not null and seen_non_reserved is null
                           and coalesce(seen_available > 0, true) as is_hidden) as h) as m
$$;
