// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/verdict.h"

#include <string_view>

#include "worker/mail/mime.h"

namespace edged::mail {
namespace {

Counter& by_result(MetricsRegistry& registry, const char* result) {
  return registry.counter("edged_mails_total",
                          "Mails taken from the outbox, by what became of them.",
                          {{"result", result}});
}

void replace_all(std::string& text, const std::string& what, std::string_view with) {
  for (std::size_t at = 0; !what.empty() && (at = text.find(what, at)) != text.npos;) {
    text.replace(at, what.size(), with);
    at += with.size();
  }
}

}  // namespace

VerdictCounter::VerdictCounter(MetricsRegistry& registry)
    : sent_(by_result(registry, "sent")),
      dropped_(by_result(registry, "dropped")),
      dead_(by_result(registry, "dead")),
      retried_(by_result(registry, "retried")) {}

void VerdictCounter::count(Verdict::Kind kind, OutboxCounts& counts) {
  switch (kind) {
    case Verdict::Kind::kSend:
      ++counts.sent;
      sent_.add();
      return;
    case Verdict::Kind::kDrop:
    case Verdict::Kind::kDropAndRelease:
    case Verdict::Kind::kDropped:
      ++counts.dropped;
      dropped_.add();
      return;
    case Verdict::Kind::kDead:
      ++counts.dead;
      dead_.add();
      return;
    case Verdict::Kind::kRetry:
      ++counts.retried;
      retried_.add();
      return;
    case Verdict::Kind::kLost:
      ++counts.lost;
      return;
  }
}

std::string without_address(std::string reason, const std::string& recipient) {
  constexpr std::string_view kColumn = "in column \"recipient\" of that row";
  const std::string shown = one_line(recipient, 100);  // as parse_address quotes it
  replace_all(reason, "\"" + shown + "\"", kColumn);
  const Result<Address> address = parse_address(recipient);
  for (const std::string& text : {recipient, shown, address ? address->bare : std::string()}) {
    replace_all(reason, text, "recipient");
  }
  return reason;
}

}  // namespace edged::mail
