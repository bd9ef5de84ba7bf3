// SPDX-License-Identifier: Apache-2.0
// The answer's fields on Boost.JSON; see scraper_answer.h.
#include "worker/upstream/scraper_answer.h"

#include <boost/json.hpp>
#include <optional>
#include <string>

#include "worker/upstream/answer_values.h"

namespace edged::upstream {
namespace {

namespace json = boost::json;

constexpr std::size_t kErrorBytesMax = 200;

std::optional<std::int64_t> number_field(const json::object& data, std::string_view name) {
  return to_seats(data.if_contains(name));
}

std::optional<std::string> text_field(const json::object& data, std::string_view name) {
  const json::value* const field = data.if_contains(name);
  return field == nullptr || !field->is_string() ? std::nullopt : to_text(field);
}

std::optional<std::string> filled_field(const json::object& data, std::string_view name) {
  std::optional<std::string> text = text_field(data, name);
  if (text && is_blank(*text)) return std::nullopt;
  return text;
}

SectionObservation read_data(const json::object& data) {
  SectionObservation seen;
  seen.subject = filled_field(data, "subject");
  seen.catalog_nbr = filled_field(data, "catalog_nbr");
  seen.title = filled_field(data, "title");
  seen.instructor = text_field(data, "instructor");
  if (seen.instructor && is_blank(*seen.instructor)) seen.instructor = "";
  seen.location = filled_field(data, "location");
  seen.meeting_times = filled_field(data, "meeting_times");
  seen.seats_available = number_field(data, "seats_available");
  seen.seats_capacity = number_field(data, "seats_capacity");
  seen.non_reserved_seats = number_field(data, "non_reserved_seats");
  return seen;
}

// The upstream's words on one line of a log.
std::string reason_of(const json::object& answer) {
  const std::optional<std::string> error = filled_field(answer, "error");
  if (!error) return "no reason given";
  std::string words = error->substr(0, kErrorBytesMax);
  for (char& c : words) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return words;
}

}  // namespace

Result<SectionObservation> parse_scraper_answer(std::string_view body) {
  json::error_code error;
  const json::value answer = json::parse(body, error);
  if (error) return not_understood("not JSON: " + error.message());
  const json::object* const object = answer.if_object();
  if (object == nullptr) return not_understood("not a JSON object");
  const json::value* const success = object->if_contains("success");
  if (success == nullptr || !success->is_bool()) return not_understood("no \"success\"");
  if (!success->get_bool()) {
    return Status(Code::kNotFound, "the upstream has no such section: " + reason_of(*object));
  }
  const json::value* const data = object->if_contains("data");
  if (data == nullptr || !data->is_object()) return not_understood("no \"data\" object");
  return read_data(data->get_object());
}

}  // namespace edged::upstream
