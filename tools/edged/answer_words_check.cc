// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/answer_words_check.h"

#include <string>
#include <vector>

#include "worker/upstream/words.h"

namespace edged::config {

void check_answer_words(const Upstream& from, ReadContext& context) {
  const bool is_json = from.type == "json";
  struct Field {
    const char* name;
    const std::vector<std::string>& words;
    bool is_read;  // whether the answer has the field
  };
  const upstream::ZeroWords& zero = from.zero_words;
  const upstream::JsonFields& fields = from.fields;
  for (const Field& field :
       {Field{"seats_available", zero.seats_available, !is_json || !fields.seats_available.empty()},
        Field{"seats_capacity", zero.seats_capacity, !is_json || !fields.seats_capacity.empty()},
        Field{"seats_taken", zero.seats_taken, is_json && !fields.seats_taken.empty()},
        Field{"non_reserved_seats",
              zero.non_reserved_seats,
              !is_json || !fields.non_reserved_seats.empty()}}) {
    const std::string path = "upstream.zero_words." + std::string(field.name);
    const std::string fault = upstream::check_zero_words(field.words);
    if (!fault.empty()) context.complain(path, fault);
    if (field.words.empty() || field.is_read) continue;
    context.complain(path,
                     is_json
                         ? "needs upstream.fields." + std::string(field.name)
                         : "needs upstream.type \"json\": a scraper's answer has no such field");
  }
  const std::string fault = upstream::check_words(from.cancelled_values);
  if (!fault.empty()) context.complain("upstream.cancelled_values", fault);
  if (!from.cancelled_values.empty() && (!is_json || fields.status.empty())) {
    context.complain("upstream.cancelled_values",
                     is_json ? "needs upstream.fields.status, the pointer to the value"
                             : "needs upstream.type \"json\" and upstream.fields.status");
  }
  if (is_json && !fields.status.empty() && from.cancelled_values.empty()) {
    context.complain("upstream.fields.status",
                     "needs upstream.cancelled_values, the values that mean cancelled");
  }
}

}  // namespace edged::config
