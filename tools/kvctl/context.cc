// SPDX-License-Identifier: Apache-2.0
#include "tools/kvctl/context.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "proto/base/printable.h"
#include "proto/net/credential.h"
#include "proto/net/tls.h"
#include "tools/edged/config_addresses.h"
#include "tools/edged/exit_code.h"
#include "tools/kvctl/peer_probe.h"

namespace edged::kvctl {
namespace {

// A page of 1,000 values over a slow link.
constexpr std::chrono::milliseconds kCallTimeout{30'000};
constexpr const char* kDefaultSocket = "unix:/var/lib/edged/kv.sock";
constexpr const char* kDefaultTcp = "127.0.0.1:4780";
constexpr std::string_view kUnix = "unix:";
constexpr const char* kNoNode = "could not reach a node";

std::string normalised(const std::string& address) {
  const bool is_path = !address.starts_with(kUnix) && address.find('/') != std::string::npos;
  return is_path ? std::string(kUnix) + address : address;
}

// The resolver would take a service's name or a number above 65535 for a port.
Status check_address(const std::string& address) {
  const bool good = address.starts_with(kUnix)
                        ? address.size() > kUnix.size()
                        : config::is_host_port(net::split_transport(address).host_port);
  if (good) return {};
  return {Code::kInvalidArgument,
          "the address \"" + address + "\" is none of unix:PATH, HOST:PORT and tls:HOST:PORT"};
}

// Never a flag's value: other users see command lines. Empty: none.
Result<std::string> credential(const Context& context) {
  if (context.token_file.empty()) {
    const char* token = std::getenv("EDGED_TOKEN");
    return std::string(token == nullptr ? "" : token);
  }
  auto token = net::read_credential_file(context.token_file);
  return token ? token : token.error().with_context("--token-file");
}

// Connects and asks for a sign of life. A failure says why, as well as can be found out.
Status ping(const std::string& address,
            const Context& context,
            const std::string& token,
            std::unique_ptr<net::BlockingClient>& client) {
  const Status checked = check_address(address);
  if (!checked.ok()) return checked;
  net::ClientOptions options;
  options.address = address;
  options.tls_ca_file = context.tls_ca;
  options.call_timeout = kCallTimeout;
  options.credential = token;
  client = std::make_unique<net::BlockingClient>(options);
  Status answer = client->ping();
  if (answer.ok() || exit_code_of(answer.code()) == kExitDenied) return answer;
  return find_reason(address).value_or(answer);
}

// Whether a peer was met: then no other address is tried in its place.
bool was_reached(const Status& status) {
  return status.code() != Code::kUnavailable && status.code() != Code::kInvalidArgument;
}

struct Failure {
  std::string address;
  Status status;
};

// With one address its own reason; else all of them, under the code of the first peer that was met.
Status explain(const std::vector<Failure>& failures) {
  const auto met = std::find_if(
      failures.begin(), failures.end(), [](const Failure& one) { return was_reached(one.status); });
  if (met != failures.end()) {
    return {met->status.code(),
            "could not use the node at \"" + met->address + "\": " + met->status.message()};
  }
  if (failures.size() == 1) {
    return {failures.front().status.code(),
            kNoNode + (" at \"" + failures.front().address) +
                "\": " + failures.front().status.message()};
  }
  std::string tried;
  for (const Failure& one : failures) {
    tried += (tried.empty() ? "" : "; ") + one.address + ": " + one.status.message();
  }
  return {Code::kUnavailable, kNoNode + (": tried " + tried)};
}

// Tries the addresses in order until one answers. True: the search is over.
bool try_addresses(Context& context,
                   const std::vector<std::string>& addresses,
                   const std::string& token,
                   std::vector<Failure>& failures) {
  for (const std::string& address : addresses) {
    std::unique_ptr<net::BlockingClient> client;
    const Status answer = ping(address, context, token, client);
    if (answer.ok()) {
      context.client = std::move(client);
      context.connected_to = address;
      return true;
    }
    failures.push_back({address, answer});
  }
  return std::any_of(
      failures.begin(), failures.end(), [](const Failure& one) { return was_reached(one.status); });
}

}  // namespace

Status connect(Context& context) {
  if (context.client) return {};
  const auto token = credential(context);
  if (!token) return token.error();
  auto settings = read_settings(context.config);
  if (settings) {
    context.settings = *std::move(settings);
  } else if (!context.config.empty() || context.address.empty()) {
    return settings.error();  // with --addr a file that was found by itself is not needed
  }
  std::vector<Failure> failures;
  if (context.address.empty() && !context.settings.address_problem.ok()) {
    return context.settings.address_problem;
  }
  if (!context.address.empty()) {
    try_addresses(context, {normalised(context.address)}, *token, failures);
  } else if (!try_addresses(context, context.settings.addresses, *token, failures)) {
    std::vector<std::string> defaults{kDefaultSocket, kDefaultTcp};
    std::erase_if(defaults, [&](const std::string& address) {
      const auto& known = context.settings.addresses;
      return std::find(known.begin(), known.end(), address) != known.end();
    });
    try_addresses(context, defaults, *token, failures);
  }
  return context.client ? Status() : explain(failures);
}

// A list by prefix begins with the key itself, if it exists.
Result<net::KvListItem> find_facts(Context& context,
                                   const net::KvNamespace& ns,
                                   const std::string& key) {
  if (key.empty()) return Status(Code::kInvalidArgument, "the key is empty");
  net::KvListRequest request;
  request.prefix = key;
  request.limit = 1;
  request.ask_cached = true;
  do {
    auto page = context.client->list(ns.id, request);
    if (!page) return page.error();
    if (!page->items.empty() && page->items.front().key == key) {
      net::KvListItem& found = page->items.front();
      found.entry.fresh_as_of = page->fresh_as_of;
      found.entry.position = page->position;
      return found;
    }
    if (!page->items.empty()) break;
    request.cursor = page->cursor;  // a page may be empty although there is more
  } while (!request.cursor.empty());
  return Status(Code::kNotFound, "no such key");
}

std::string shown(const std::string& key) {
  constexpr std::size_t kShownBytesMax = 80;
  const std::string text = printable(key);
  if (text.size() <= kShownBytesMax) return text;
  std::string cut = text.substr(0, kShownBytesMax);
  cut.resize(cut.size() - unfinished_bytes(cut));
  return cut + "… (" + std::to_string(key.size()) + " bytes)";
}

int no_such_key(const std::string& key, const net::KvNamespace& ns) {
  return fail(
      {Code::kNotFound, "key \"" + shown(key) + "\" not found in namespace \"" + ns.title + "\""},
      "it was never written, it was deleted or it has expired. \"kvctl list --prefix\" shows "
      "which keys exist; --ns chooses another namespace");
}

int fail(const Status& status, const std::string& next_step) {
  std::fprintf(stderr, "kvctl: %s\n", printable(status.message()).c_str());
  std::string next = next_step;
  if (next.empty() && status.code() == Code::kUnavailable &&
      status.message().starts_with(kNoNode)) {
    next =
        "start one with \"edged node --data DIR\", or name the address of a running one with "
        "--addr";
  } else if (next.empty() && status.code() == Code::kVersionMismatch) {
    next = "nothing was changed. \"kvctl inspect\" shows the version that the entry has now";
  } else if (next.empty() && status.code() == Code::kStale) {
    next = "\"kvctl mirror status\" shows which keys are mirrored and how far the mirror is behind";
  } else if (next.empty() && status.code() == Code::kUnauthenticated) {
    next =
        "set EDGED_TOKEN, or --token-file FILE, to a token of this node. Root or the node's user "
        "makes one with \"kvctl token create NAME --scope read,write\" over its unix socket";
  } else if (next.empty() && status.code() == Code::kDenied &&
             status.message().find("token") != std::string::npos) {
    next = "use another token, or make one with more rights: kvctl token create NAME --scope …";
  }
  if (!next.empty()) std::fprintf(stderr, "  %s\n", next.c_str());
  return exit_code_of(status.code());
}

}  // namespace edged::kvctl
