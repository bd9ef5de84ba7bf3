// SPDX-License-Identifier: Apache-2.0
// The answer's fields on Boost.JSON; see scraper_answer.h.
#include "worker/upstream/scraper_answer.h"

#include <boost/json.hpp>
#include <optional>
#include <string>

#include "worker/upstream/answer_json.h"
#include "worker/upstream/answer_values.h"

namespace edged::upstream {
namespace {

namespace json = boost::json;

std::optional<std::string> text_field(const json::object& data, std::string_view name) {
  const json::value* const field = data.if_contains(name);
  return field == nullptr || !field->is_string() ? std::nullopt : to_text(field);
}

std::optional<std::string> filled_field(const json::object& data, std::string_view name) {
  std::optional<std::string> text = text_field(data, name);
  if (text && is_blank(*text)) return std::nullopt;
  return text;
}

SectionObservation read_data(const json::object& data, const ZeroWords& zero) {
  SectionObservation seen;
  seen.subject = filled_field(data, "subject");
  seen.catalog_nbr = filled_field(data, "catalog_nbr");
  seen.title = filled_field(data, "title");
  seen.instructor = text_field(data, "instructor");
  if (seen.instructor && is_blank(*seen.instructor)) seen.instructor = "";
  seen.location = filled_field(data, "location");
  seen.meeting_times = filled_field(data, "meeting_times");
  seen.seats_available = to_seats(data.if_contains("seats_available"), zero.seats_available);
  seen.seats_capacity = to_seats(data.if_contains("seats_capacity"), zero.seats_capacity);
  seen.non_reserved_seats =
      to_seats(data.if_contains("non_reserved_seats"), zero.non_reserved_seats);
  return seen;
}

}  // namespace

Result<SectionObservation> parse_scraper_answer(std::string_view body, const ZeroWords& zero) {
  const Result<json::value> answer = parse_answer_json(body);
  if (!answer) return answer.error();
  const json::object* const object = answer->if_object();
  if (object == nullptr) return not_understood("it is not a JSON object");
  const json::value* const success = object->if_contains("success");
  if (success == nullptr || !success->is_bool()) {
    return not_understood("it has no \"success\" that is true or false");
  }
  if (!success->get_bool()) {
    return Status(Code::kNotFound,
                  "the upstream has no such section: " + to_reason(object->if_contains("error")));
  }
  const json::value* const data = object->if_contains("data");
  if (data == nullptr || !data->is_object()) return not_understood("it has no object \"data\"");
  return read_data(data->get_object(), zero);
}

}  // namespace edged::upstream
