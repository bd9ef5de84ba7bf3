// SPDX-License-Identifier: Apache-2.0
// Commands about the client itself: who it is, its protocol and database, CLIENT.
#include <algorithm>

#include "kvstore/redis/client_text.h"
#include "kvstore/redis/session.h"
#include "kvstore/redis/text_numbers.h"

namespace edged::redis {
namespace {

constexpr int kFailuresMax = 5;
constexpr std::size_t kNameBytesMax = 256;
constexpr std::string_view kWrongPassword =
    "WRONGPASS invalid username-password pair or user is disabled.";

bool is_plain_name(std::string_view name) {
  return name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}

}  // namespace

bool Session::authenticate(std::string_view password, bool with_user, Reply& reply) {
  if (caller_.show(password).ok()) {
    failures_ = 0;
    return true;
  }
  // As Redis whose user "default" has no password.
  if (caller_.is_open() && with_user) return true;
  if (caller_.is_open()) {
    reply.error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
    return false;
  }
  ending_ = ending_ || ++failures_ >= kFailuresMax;
  reply.error(kWrongPassword);
  return false;
}

void Session::handle_auth(Arguments args, Reply& reply) {
  if (args.size() > 3) return reply.error(kSyntaxError);
  if (authenticate(args.back(), args.size() == 3, reply)) reply.ok();
}

void Session::hello_answer(Reply& reply) {
  reply.map(7);
  reply.bulk("server");
  reply.bulk("redis");
  reply.bulk("version");
  reply.bulk(kRedisVersion);
  reply.bulk("proto");
  reply.integer(protocol_);
  reply.bulk("id");
  reply.integer(static_cast<std::int64_t>(id_));
  reply.bulk("mode");
  reply.bulk("standalone");
  reply.bulk("role");
  reply.bulk("master");
  reply.bulk("modules");
  reply.array(0);
}

void Session::handle_hello(Arguments args, Reply& reply) {
  int protocol = protocol_;
  if (args.size() > 1) {
    const auto wanted = to_integer(args[1]);
    if (!wanted) return reply.error("ERR Protocol version is not an integer or out of range");
    if (*wanted != 2 && *wanted != 3) return reply.error("NOPROTO unsupported protocol version");
    protocol = static_cast<int>(*wanted);
  }
  std::optional<std::string_view> name;
  for (std::size_t i = 2; i < args.size();) {
    if (equals_ignoring_case(args[i], "auth") && i + 2 < args.size()) {
      if (!authenticate(args[i + 2], true, reply)) return;
      i += 3;
    } else if (equals_ignoring_case(args[i], "setname") && i + 1 < args.size()) {
      name = args[i + 1];
      i += 2;
    } else {
      std::string text = "ERR Syntax error in HELLO option '";
      text.append(args[i]).append("'");
      return reply.error(text);
    }
  }
  if (!caller_.is_known()) {
    return reply.error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time");
  }
  if (name && !is_plain_name(*name)) return reply.error(kBadClientName);
  if (name) {
    const std::lock_guard lock(info_->mutex);
    info_->name = *name;
  }
  protocol_ = protocol;
  info_->protocol = protocol;
  Reply answer(reply.out(), protocol_);
  hello_answer(answer);
}

void Session::handle_ping(Arguments args, Reply& reply) {
  if (args.size() > 2) {
    return reply.error("ERR wrong number of arguments for 'ping' command");
  }
  if (protocol_ == 2 && listens()) {
    reply.array(2);
    reply.bulk("pong");
    return reply.bulk(args.size() == 2 ? args[1] : std::string_view());
  }
  if (args.size() == 2) return reply.bulk(args[1]);
  reply.simple("PONG");
}

void Session::handle_echo(Arguments args, Reply& reply) {
  reply.bulk(args[1]);
}

void Session::handle_quit(Arguments /*args*/, Reply& reply) {
  ending_ = true;
  reply.ok();
}

void Session::handle_reset(Arguments /*args*/, Reply& reply) {
  const bool was_open = caller_.is_open();
  if (!was_open) caller_ = operations::Caller(face_.operations.context(operations::Face::kRedis));
  caller_.set_owner(this);
  multi_.reset();
  watched_.clear();
  end_subscriptions();
  stop_tracking();
  protocol_ = 2;
  info_->protocol = 2;
  database_ = 0;
  info_->database = 0;
  {
    const std::lock_guard lock(info_->mutex);
    info_->name.clear();
  }
  reply.simple("RESET");
}

std::optional<std::size_t> Session::database_of(std::string_view number) {
  const auto index = to_integer(number);
  if (!index || *index < 0 || *index >= static_cast<std::int64_t>(kDatabases)) return std::nullopt;
  return static_cast<std::size_t>(*index);
}

void Session::handle_select(Arguments args, Reply& reply) {
  if (!to_integer(args[1])) return reply.error(kNotInteger);
  const auto database = database_of(args[1]);
  if (!database) return reply.error("ERR DB index is out of range");
  database_ = *database;
  info_->database = database_;
  reply.ok();
}

void Session::handle_client(Arguments args, Reply& reply) {
  const std::string_view what = args[1];
  const auto is = [&](std::string_view name, std::size_t words) {
    return equals_ignoring_case(what, name) && args.size() == words;
  };
  if (is("id", 2)) return reply.integer(static_cast<std::int64_t>(id_));
  if (is("getname", 2) || is("setname", 3) || is("setinfo", 4)) {
    return handle_client_name(args, reply);
  }
  if (is("info", 2) || equals_ignoring_case(what, "list") || equals_ignoring_case(what, "kill")) {
    return handle_client_info(args, reply);
  }
  if (equals_ignoring_case(what, "tracking") && args.size() > 2)
    return handle_tracking(args, reply);
  if (is("caching", 3)) return handle_caching(args, reply);
  if (is("trackinginfo", 2) || is("getredir", 2)) return handle_tracking_info(args, reply);
  if (is("no-evict", 3) || is("no-touch", 3)) {
    const bool known = equals_ignoring_case(args[2], "on") || equals_ignoring_case(args[2], "off");
    return known ? reply.ok() : reply.error(kSyntaxError);
  }
  reply.error(kSyntaxError);
}

void Session::handle_client_name(Arguments args, Reply& reply) {
  const std::lock_guard lock(info_->mutex);
  if (args.size() == 2) {
    return info_->name.empty() ? reply.null() : reply.bulk(info_->name);
  }
  if (args.size() == 3) {
    if (!is_plain_name(args[2])) return reply.error(kBadClientName);
    info_->name = args[2];
    return reply.ok();
  }
  const bool name = equals_ignoring_case(args[2], "lib-name");
  if (!name && !equals_ignoring_case(args[2], "lib-ver")) {
    std::string text = "ERR Unrecognized option '";
    text.append(args[2]).append("'");
    return reply.error(text);
  }
  if (!is_plain_name(args[3])) {
    std::string text = "ERR ";
    text.append(name ? "lib-name" : "lib-ver")
        .append(" cannot contain spaces, newlines or special characters.");
    return reply.error(text);
  }
  (name ? info_->library : info_->library_version) = args[3];
  reply.ok();
}

void Session::handle_client_info(Arguments args, Reply& reply) {
  const std::int64_t now_s = to_unix_ms(now()) / 1000;
  if (equals_ignoring_case(args[1], "info")) return reply.text(client_line(*info_, now_s));
  if (equals_ignoring_case(args[1], "list")) {
    ClientFilter filter;
    const std::string failure = read_client_filter(args.subspan(2), filter);
    if (!failure.empty()) return reply.error(failure);
    std::string lines;
    for (const auto& one : face_.clients.all()) {
      if (filter.holds(*one)) lines.append(client_line(*one, now_s));
    }
    return reply.text(lines);
  }
  const bool old_form = args.size() == 3;
  ClientFilter filter;
  if (old_form) {
    filter.address = args[2];
  } else {
    filter.skip_me = true;
    const std::string failure = read_client_filter(args.subspan(2), filter);
    if (!failure.empty() || args.size() == 2) {
      return reply.error(failure.empty() ? std::string(kSyntaxError) : failure);
    }
  }
  std::int64_t killed = 0;
  for (const auto& one : face_.clients.all()) {
    if ((filter.skip_me && one->id == id_) || !filter.holds(*one)) continue;
    ++killed;
    if (one->id == id_) {
      ending_ = true;
    } else {
      one->kill();
    }
  }
  if (!old_form) return reply.integer(killed);
  return killed > 0 ? reply.ok() : reply.error("ERR No such client");
}

}  // namespace edged::redis
