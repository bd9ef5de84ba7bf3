// SPDX-License-Identifier: Apache-2.0
// See push_format.h.
#include "worker/queue_push/push_format.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <unordered_map>

#include "proto/base/numbers.h"
#include "proto/json/write_json.h"

namespace edged::queue {
namespace {

constexpr double kDelaySecondsMax = 86'400;
constexpr const char* kShape =
    "answer with an empty body, or {\"acks\":[{\"id\":\"1\"}],\"retries\":[{\"id\":\"2\","
    "\"delay_seconds\":30}]}";

Status malformed(const std::string& what) {
  std::string text = "the answer is not understood: ";
  text += what;
  text += "; ";
  text += kShape;
  return Status(Code::kCorruption, text);
}

// Of the text "17" or the number 17; nothing if it is neither.
std::optional<std::int64_t> id_of(const boost::json::object& entry) {
  const boost::json::value* id = entry.if_contains("id");
  if (id == nullptr) return std::nullopt;
  if (id->is_int64()) return id->get_int64();
  if (!id->is_string()) return std::nullopt;
  const auto number = parse_int64(std::string_view(id->get_string()));
  if (!number) return std::nullopt;
  return *number;
}

// False: it is there and no number.
bool read_delay(const boost::json::object& entry, PushDecision& decision) {
  const boost::json::value* delay = entry.if_contains("delay_seconds");
  if (delay == nullptr || delay->is_null()) return true;
  if (!delay->is_number()) return false;
  const double seconds = std::clamp(delay->to_number<double>(), 0.0, kDelaySecondsMax);
  decision.delay = std::chrono::milliseconds(std::llround(seconds * 1000));
  return true;
}

class AnswerReader {
 public:
  explicit AnswerReader(const std::vector<PushMessage>& messages) : decisions_(messages.size()) {
    for (std::size_t i = 0; i < messages.size(); ++i) places_[messages[i].id] = i;
  }

  Result<std::vector<PushDecision>> read(const boost::json::object& answer) {
    const boost::json::value* acks = answer.if_contains("acks");
    const boost::json::value* retries = answer.if_contains("retries");
    if (acks != nullptr) {
      for (PushDecision& decision : decisions_) decision.acked = false;
      const Status status = read_list(*acks, "acks", true);
      if (!status.ok()) return status;
    }
    if (retries != nullptr) {
      const Status status = read_list(*retries, "retries", false);
      if (!status.ok()) return status;
    }
    return std::move(decisions_);
  }

 private:
  Status read_list(const boost::json::value& list, const std::string& name, bool acked) {
    if (!list.is_array()) return malformed("\"" + name + "\" is no array");
    for (const boost::json::value& entry : list.get_array()) {
      const auto id = entry.is_object() ? id_of(entry.get_object()) : std::nullopt;
      if (!id) return malformed("an entry of \"" + name + "\" is no object with an id");
      const auto place = places_.find(*id);
      if (place == places_.end()) continue;
      PushDecision decision{acked, {}};
      if (!acked && !read_delay(entry.get_object(), decision)) {
        return malformed("a \"delay_seconds\" is no number");
      }
      decisions_[place->second] = decision;
    }
    return {};
  }

  std::vector<PushDecision> decisions_;
  std::unordered_map<std::int64_t, std::size_t> places_;
};

}  // namespace

std::string make_push_body(std::string_view queue, const std::vector<PushMessage>& messages) {
  std::string out = "{\"queue\":";
  out += write_json_string(queue);
  out += ",\"messages\":[";
  for (const PushMessage& message : messages) {
    if (&message != &messages.front()) out += ',';
    out += "{\"id\":\"";
    out += std::to_string(message.id);
    out += "\",\"attempts\":";
    out += std::to_string(message.attempts);
    out += ",\"timestamp_ms\":";
    out += std::to_string(to_unix_ms(message.sent_at));
    out += ",\"content_type\":";
    out += write_json_string(message.content_type);
    out += ",\"body\":";
    out += message.body;
    out += '}';
  }
  out += "]}";
  return out;
}

Result<std::vector<PushDecision>> parse_push_answer(std::string_view answer,
                                                    const std::vector<PushMessage>& messages) {
  if (answer.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return std::vector<PushDecision>(messages.size());
  }
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(answer, error);
  if (error) return malformed("it is not JSON");
  if (!value.is_object()) return malformed("it is no JSON object");
  return AnswerReader(messages).read(value.get_object());
}

}  // namespace edged::queue
