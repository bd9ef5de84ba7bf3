// SPDX-License-Identifier: Apache-2.0
// See json_source.h.
#include "worker/upstream/json_source.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <utility>

#include "worker/upstream/answer_json.h"
#include "worker/upstream/answer_judge.h"
#include "worker/upstream/answer_values.h"

namespace edged::upstream {
namespace {

namespace json = boost::json;

constexpr std::string_view kNumber = "{class_nbr}", kTerm = "{term}";

const json::value* at(const json::value& section, std::string_view pointer) {
  if (pointer.empty()) return nullptr;
  json::error_code error;
  return section.find_pointer(pointer, error);
}

// What all the pointers lead to, joined; nothing if none leads to a text.
std::optional<std::string> text_at(const json::value& section, std::string_view pointers) {
  std::optional<std::string> joined;
  for (const std::string_view pointer : split_pointers(pointers)) {
    const std::optional<std::string> text = to_text(at(section, pointer));
    if (!text) continue;
    if (!joined) joined.emplace();
    if (is_blank(*text)) continue;
    if (!joined->empty()) *joined += ' ';
    *joined += *text;
  }
  return joined;
}

std::optional<std::string> filled_at(const json::value& section, std::string_view pointers) {
  std::optional<std::string> text = text_at(section, pointers);
  if (text && is_blank(*text)) return std::nullopt;
  return text;
}

bool is_wanted(const json::value& section, const JsonFields& fields, const SectionKey& key) {
  if (!fields.class_nbr.empty() && text_at(section, fields.class_nbr) != key.class_nbr) {
    return false;
  }
  return fields.term.empty() || text_at(section, fields.term) == key.term;
}

void fill_in(SectionObservation& seen, const JsonDefaults& defaults) {
  const auto fill = [](std::optional<std::string>& field, const std::optional<std::string>& value) {
    if (!field) field = value;
  };
  fill(seen.subject, defaults.subject);
  fill(seen.catalog_nbr, defaults.catalog_nbr);
  fill(seen.title, defaults.title);
  fill(seen.instructor, defaults.instructor);
  fill(seen.location, defaults.location);
  fill(seen.meeting_times, defaults.meeting_times);
}

// True if any of the fields is in the answer, of use or not.
bool tells_of(const json::value& section, const JsonFields& fields) {
  for (const std::string* pointers : {&fields.subject,
                                      &fields.catalog_nbr,
                                      &fields.title,
                                      &fields.instructor,
                                      &fields.location,
                                      &fields.meeting_times,
                                      &fields.seats_available,
                                      &fields.seats_capacity,
                                      &fields.non_reserved_seats,
                                      &fields.seats_taken,
                                      &fields.status}) {
    for (const std::string_view pointer : split_pointers(*pointers)) {
      if (at(section, pointer) != nullptr) return true;
    }
  }
  return false;
}

// Whether the value that `pointer` leads to, or one of a list there, is one of `words`.
bool is_word_at(const json::value* value, const std::vector<std::string>& words) {
  if (value == nullptr) return false;
  if (const auto* list = value->if_array()) {
    return std::any_of(list->begin(), list->end(), [&words](const json::value& one) {
      return !one.is_array() && is_word_at(&one, words);
    });
  }
  if (const auto* flag = value->if_bool()) return is_one_of(*flag ? "true" : "false", words);
  const std::optional<std::string> text = to_text(value);
  return text && is_one_of(*text, words);
}

// A cancelled section has no seats, whatever the answer says of them; who would teach it is not
// told.
void cancel(SectionObservation& seen) {
  seen.is_cancelled = true;
  seen.seats_available = 0;
  seen.non_reserved_seats.reset();
  seen.instructor.reset();
}

Result<SectionObservation> observe(const json::value& section, const JsonReading& reading) {
  const JsonFields& fields = reading.fields;
  const ZeroWords& zero = reading.values.zero_words;
  if (!tells_of(section, fields))
    return not_understood("it has none of the fields that upstream.fields names");
  SectionObservation seen;
  seen.subject = filled_at(section, fields.subject);
  seen.catalog_nbr = filled_at(section, fields.catalog_nbr);
  seen.title = filled_at(section, fields.title);
  seen.instructor = text_at(section, fields.instructor);
  if (seen.instructor && is_blank(*seen.instructor)) seen.instructor = "";
  seen.location = filled_at(section, fields.location);
  seen.meeting_times = filled_at(section, fields.meeting_times);
  seen.seats_available = to_seats(at(section, fields.seats_available), zero.seats_available);
  seen.seats_capacity = to_seats(at(section, fields.seats_capacity), zero.seats_capacity);
  seen.non_reserved_seats =
      to_seats(at(section, fields.non_reserved_seats), zero.non_reserved_seats);
  const std::optional<std::int64_t> taken =
      to_seats(at(section, fields.seats_taken), zero.seats_taken);
  if (fields.seats_available.empty() && taken && seen.seats_capacity) {
    seen.seats_available = *seen.seats_capacity - *taken;
  }
  // An answer of another shape, or half of one, is no section that lacks an instructor.
  if (seen.seats_available || seen.seats_capacity || seen.non_reserved_seats) {
    fill_in(seen, reading.defaults);
  }
  if (is_word_at(at(section, fields.status), reading.values.cancelled)) cancel(seen);
  return seen;
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += kDigits[byte >> 4];
      encoded += kDigits[byte & 15];
    }
  }
  return encoded;
}

void replace_all(std::string& text, std::string_view what, const std::string& with) {
  for (std::size_t i = text.find(what); i != std::string::npos; i = text.find(what, i)) {
    text.replace(i, what.size(), with);
    i += with.size();
  }
}

}  // namespace

std::string expand_url(std::string_view url, const SectionKey& section) {
  std::string expanded(url);
  replace_all(expanded, kNumber, percent_encoded(section.class_nbr));
  replace_all(expanded, kTerm, percent_encoded(section.term));
  return expanded;
}

Result<SectionObservation> parse_json_answer(std::string_view body,
                                             const JsonReading& reading,
                                             const SectionKey& section) {
  const JsonFields& fields = reading.fields;
  const Result<json::value> parsed = parse_answer_json(body);
  if (!parsed) return parsed.error();
  const json::value& answer = *parsed;
  const Status none(Code::kNotFound, "the upstream's answer has no such section");
  if (fields.list.empty() && !answer.is_array()) {
    if (!answer.is_object()) return not_understood("it is neither a JSON object nor an array");
    if (!is_wanted(answer, fields, section)) return none;
    return observe(answer, reading);
  }
  const json::value* const list = fields.list.empty() ? &answer : at(answer, fields.list);
  if (list == nullptr || !list->is_array()) {
    return not_understood("it has no list at " + fields.list + " (upstream.fields.list)");
  }
  if (fields.class_nbr.empty()) {
    return not_understood(
        "it is a list, and upstream.fields.class_nbr is needed to find the section in it");
  }
  for (const json::value& one : list->get_array()) {
    if (is_wanted(one, fields, section)) return observe(one, reading);
  }
  return none;
}

JsonSource::JsonSource(http::HttpClient& client, JsonOptions options)
    : client_(client), options_(std::move(options)) {}

boost::asio::awaitable<Attempt> JsonSource::attempt(SectionKey section, std::string run_id) {
  http::HttpRequest request;
  request.method = "GET";
  request.url = expand_url(options_.url, section);
  if (has_dot_segment(request.url)) {
    co_return Attempt{
        Outcome::kRejected,
        Status(Code::kInvalidArgument,
               "could not ask for section \"" + section.class_nbr + "\" of term \"" + section.term +
                   "\": they would put /./ or /../ into the path of upstream.url"),
        std::nullopt};
  }
  request.headers = {{"Accept", "application/json"}};
  const std::string token = options_.current_token ? options_.current_token() : options_.token;
  if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
  if (!run_id.empty()) request.headers.emplace_back("X-Edged-Run", std::move(run_id));
  request.timeout = options_.timeout;
  const Result<http::HttpAnswer> answer = co_await client_.perform(std::move(request));
  co_return judge_answer(answer, [&](std::string_view body) {
    return parse_json_answer(body, options_.reading, section);
  });
}

}  // namespace edged::upstream
