// SPDX-License-Identifier: Apache-2.0
// CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR, and the invalidations that come of them.
#include <algorithm>

#include "kvstore/redis/change_watcher.h"
#include "kvstore/redis/session.h"
#include "kvstore/redis/text_numbers.h"
#include "kvstore/redis/tracking.h"

namespace edged::redis {
namespace {

constexpr std::size_t kPrefixesMax = 100;

// No prefix begins with another one.
bool overlap(const std::vector<std::string>& prefixes) {
  for (std::size_t i = 0; i < prefixes.size(); ++i) {
    for (std::size_t k = 0; k < prefixes.size(); ++k) {
      if (i != k && prefixes[i].starts_with(prefixes[k])) return true;
    }
  }
  return false;
}

}  // namespace

// Empty: understood. Otherwise the error's text.
std::string Session::read_tracking(Arguments options, TrackingState& state) {
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string_view option = options[i];
    const bool has_value = i + 1 < options.size();
    if (equals_ignoring_case(option, "bcast")) {
      state.broadcast = true;
    } else if (equals_ignoring_case(option, "optin")) {
      state.opt_in = true;
    } else if (equals_ignoring_case(option, "optout")) {
      state.opt_out = true;
    } else if (equals_ignoring_case(option, "noloop")) {
      state.no_loop = true;
    } else if (equals_ignoring_case(option, "prefix") && has_value) {
      state.prefixes.emplace_back(options[++i]);
    } else if (equals_ignoring_case(option, "redirect") && has_value) {
      const auto id = to_integer(options[++i]);
      if (!id || *id < 0) return "ERR Invalid client ID";
      state.redirect = static_cast<std::uint64_t>(*id);
    } else {
      return std::string(kSyntaxError);
    }
  }
  if (!state.prefixes.empty() && !state.broadcast) {
    return "ERR PREFIX option requires BCAST mode to be enabled";
  }
  if (state.broadcast && (state.opt_in || state.opt_out)) {
    return "ERR OPTIN and OPTOUT are not compatible with BCAST";
  }
  if (state.opt_in && state.opt_out) {
    return "ERR You can't use both OPTIN and OPTOUT";
  }
  if (state.prefixes.size() > kPrefixesMax) return "ERR at most 100 prefixes are allowed";
  if (overlap(state.prefixes)) return "ERR Prefixes for a single client must not overlap";
  return {};
}

void Session::handle_tracking(Arguments args, Reply& reply) {
  if (equals_ignoring_case(args[2], "off") && args.size() == 3) {
    stop_tracking();
    return reply.ok();
  }
  TrackingState state;
  const std::string failure = equals_ignoring_case(args[2], "on")
                                  ? read_tracking(args.subspan(3), state)
                                  : std::string(kSyntaxError);
  if (!failure.empty()) return reply.error(failure);
  if (state.broadcast && state.prefixes.empty()) state.prefixes.emplace_back();
  for (const std::string& prefix : state.prefixes) {
    const Status allowed = face_.operations.judge(caller_, operations::Kind::kWatch, ns(), prefix);
    if (!allowed.ok()) return reply.error(error_text(allowed));
  }
  std::shared_ptr<Inbox> inbox;
  if (state.redirect != 0) {
    inbox = face_.clients.inbox_of(state.redirect);
    if (!inbox) return reply.error("ERR The client ID you want redirect to does not exist");
  } else {
    if (protocol_ == 2) {
      return reply.error(
          "ERR Client tracking can be enabled only in RESP3 mode or when a redirection is active");
    }
    inbox = inbox_;
  }
  stop_tracking();
  tracking_ = std::move(state);
  tracking_->on = true;
  face_.tracking.start(id_, std::move(inbox), tracking_->prefixes);
  answer_when_watching([this] { stop_tracking(); });
}

void Session::stop_tracking() {
  if (!tracking_) return;
  tracking_.reset();
  face_.tracking.stop(id_);
}

// Whether the keys that the command reads are registered. CLIENT CACHING says so for the next
// command only.
bool Session::tracks_reads() {
  if (!tracking_ || tracking_->broadcast) return false;
  if (tracking_->opt_in) return tracking_->caching == TrackingState::Caching::kYes;
  return tracking_->caching != TrackingState::Caching::kNo;
}

void Session::keep_read(storage::NamespaceNumber in, std::string_view key) {
  if (in != 0) face_.tracking.keep(id_, in, key);
}

void Session::keep_expiry(storage::NamespaceNumber in,
                          std::string_view key,
                          const storage::Entry& entry) {
  if (entry.expires_at) face_.tracking.expires(in, key, *entry.expires_at);
}

void Session::handle_caching(Arguments args, Reply& reply) {
  const bool yes = equals_ignoring_case(args[2], "yes");
  if (!yes && !equals_ignoring_case(args[2], "no")) return reply.error(kSyntaxError);
  if (!tracking_ || (!tracking_->opt_in && !tracking_->opt_out)) {
    return reply.error(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
        "OPTOUT mode enabled");
  }
  if (yes && !tracking_->opt_in) {
    return reply.error(
        "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
  }
  if (!yes && !tracking_->opt_out) {
    return reply.error(
        "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  }
  tracking_->caching = yes ? TrackingState::Caching::kYes : TrackingState::Caching::kNo;
  caching_set_ = true;
  reply.ok();
}

void Session::handle_tracking_info(Arguments args, Reply& reply) {
  if (equals_ignoring_case(args[1], "getredir")) {
    if (!tracking_) return reply.integer(-1);
    return reply.integer(static_cast<std::int64_t>(tracking_->redirect));
  }
  std::vector<std::string_view> flags;
  if (!tracking_) {
    flags.push_back("off");
  } else {
    flags.push_back("on");
    if (tracking_->broadcast) flags.push_back("bcast");
    if (tracking_->opt_in) flags.push_back("optin");
    if (tracking_->opt_out) flags.push_back("optout");
    if (tracking_->no_loop) flags.push_back("noloop");
  }
  reply.map(3);
  reply.bulk("flags");
  reply.set(flags.size());
  for (const std::string_view flag : flags) reply.bulk(flag);
  reply.bulk("redirect");
  reply.integer(tracking_ ? static_cast<std::int64_t>(tracking_->redirect) : -1);
  reply.bulk("prefixes");
  reply.array(tracking_ ? tracking_->prefixes.size() : 0);
  if (!tracking_) return;
  for (const std::string& prefix : tracking_->prefixes) reply.bulk(prefix);
}

// To a client of version 2 only if it listens to the channel of invalidations.
void Session::push_invalidation(const Message& message, Reply& reply) {
  constexpr std::string_view kChannel = "__redis__:invalidate";
  const bool all = message.kind == Message::Kind::kInvalidateAll;
  if (protocol_ == 3) {
    reply.push(2);
    reply.bulk("invalidate");
  } else if (channels_.contains(std::string(kChannel))) {
    reply.push(3);
    reply.bulk("message");
    reply.bulk(kChannel);
  } else {
    return;
  }
  if (all) return reply.null_array();
  reply.array(1);
  reply.bulk(message.payload);
}

}  // namespace edged::redis
