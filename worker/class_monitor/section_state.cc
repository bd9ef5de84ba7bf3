// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/section_state.h"

#include <algorithm>
#include <boost/json.hpp>
#include <limits>
#include <utility>

#include "proto/json/write_json.h"

namespace edged::class_monitor {
namespace {

namespace json = boost::json;

constexpr std::int64_t kSeatsMax = std::numeric_limits<std::int32_t>::max();

void normalize_seats(std::optional<std::int64_t>& seats) {
  if (!seats) return;
  if (*seats > kSeatsMax) {
    seats.reset();
  } else {
    seats = std::max<std::int64_t>(0, *seats);
  }
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == text.npos;
}

// Removes NULs, which PostgreSQL's text cannot hold.
void drop_nul(std::optional<std::string>& text) {
  if (text) std::erase(*text, '\0');
}

void overlay(std::optional<std::string>& known, const std::optional<std::string>& seen) {
  if (seen) known = seen;
}

json::value text_or_null(const std::optional<std::string>& text) {
  if (!text) return nullptr;
  return json::value(*text);
}

std::optional<std::string> optional_string(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->as_string());
}

std::optional<std::int64_t> optional_integer(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  return value->as_int64();
}

}  // namespace

upstream::SectionObservation normalize(upstream::SectionObservation observation) {
  normalize_seats(observation.seats_available);
  normalize_seats(observation.seats_capacity);
  normalize_seats(observation.non_reserved_seats);
  for (auto* text : {&observation.subject,
                     &observation.catalog_nbr,
                     &observation.title,
                     &observation.instructor,
                     &observation.location,
                     &observation.meeting_times}) {
    drop_nul(*text);
  }
  if (observation.instructor && is_blank(*observation.instructor)) observation.instructor = "Staff";
  return observation;
}

SectionState merge(const SectionState& known, const upstream::SectionObservation& observation) {
  SectionState state = known;
  if (observation.subject) state.subject = *observation.subject;
  if (observation.catalog_nbr) state.catalog_nbr = *observation.catalog_nbr;
  overlay(state.title, observation.title);
  overlay(state.instructor, observation.instructor);
  overlay(state.location, observation.location);
  overlay(state.meeting_times, observation.meeting_times);
  state.seats_capacity = observation.seats_capacity.value_or(known.seats_capacity);

  const bool detail_lost = known.non_reserved_seats && !observation.non_reserved_seats;
  if (detail_lost && observation.seats_available != 0) return state;  // the seats are unknown
  state.seats_available = observation.seats_available.value_or(known.seats_available);
  if (detail_lost) {
    state.non_reserved_seats = 0;
  } else if (observation.non_reserved_seats) {
    state.non_reserved_seats = observation.non_reserved_seats;
  }
  return state;
}

std::string encode_state(const SectionState& state, std::int64_t epoch) {
  json::object object;
  object["class_nbr"] = state.class_nbr;
  object["term"] = state.term;
  object["subject"] = state.subject;
  object["catalog_nbr"] = state.catalog_nbr;
  object["title"] = text_or_null(state.title);
  object["instructor_name"] = text_or_null(state.instructor);
  object["location"] = text_or_null(state.location);
  object["meeting_times"] = text_or_null(state.meeting_times);
  object["seats_available"] = state.seats_available;
  object["seats_capacity"] = state.seats_capacity;
  object["non_reserved_seats"] =
      state.non_reserved_seats ? json::value(*state.non_reserved_seats) : json::value(nullptr);
  object["epoch"] = epoch;
  return write_json(object);
}

namespace {

Result<SectionState> read_state(const json::object& object) {
  const auto class_nbr = optional_string(object, "class_nbr");
  const auto term = optional_string(object, "term");
  const auto available = optional_integer(object, "seats_available");
  const auto capacity = optional_integer(object, "seats_capacity");
  if (!class_nbr || !term || !available || !capacity) {
    return Status(Code::kCorruption, "state lacks class_nbr, term or seats");
  }
  SectionState state;
  state.class_nbr = *class_nbr;
  state.term = *term;
  state.subject = optional_string(object, "subject").value_or("");
  state.catalog_nbr = optional_string(object, "catalog_nbr").value_or("");
  state.title = optional_string(object, "title");
  state.instructor = optional_string(object, "instructor_name");
  state.location = optional_string(object, "location");
  state.meeting_times = optional_string(object, "meeting_times");
  state.seats_available = *available;
  state.seats_capacity = *capacity;
  state.non_reserved_seats = optional_integer(object, "non_reserved_seats");
  return state;
}

Result<json::object> parse_object(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error || !value.is_object()) return Status(Code::kCorruption, "state is not a JSON object");
  return std::move(value.as_object());
}

}  // namespace

Result<StoredState> decode_state(std::string_view text) {
  const Result<json::object> object = parse_object(text);
  if (!object) return object.error();
  const auto epoch = optional_integer(*object, "epoch");
  if (!epoch) return Status(Code::kCorruption, "state lacks its epoch");
  Result<SectionState> state = read_state(*object);
  if (!state) return state.error();
  return StoredState{*std::move(state), *epoch};
}

Result<SectionState> decode_row(std::string_view text) {
  const Result<json::object> object = parse_object(text);
  if (!object) return object.error();
  return read_state(*object);
}

}  // namespace edged::class_monitor
