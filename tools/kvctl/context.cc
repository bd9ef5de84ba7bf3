// SPDX-License-Identifier: Apache-2.0
#include "tools/kvctl/context.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "proto/base/units.h"
#include "proto/net/credential.h"
#include "proto/net/system_namespace.h"
#include "tools/edged/config_parse.h"
#include "tools/edged/exit_code.h"

namespace edged::kvctl {
namespace {

// A page of 1,000 values over a slow link.
constexpr std::chrono::milliseconds kCallTimeout{30'000};
constexpr const char* kDefaultSocket = "unix:/var/lib/edged/kv.sock";
constexpr const char* kDefaultTcp = "127.0.0.1:4780";

std::string normalised(const std::string& address) {
  const bool is_path = address.rfind("unix:", 0) != 0 && address.find('/') != std::string::npos;
  return is_path ? "unix:" + address : address;
}

std::vector<std::string> candidates(const Context& context) {
  if (!context.address.empty()) return {normalised(context.address)};
  std::vector<std::string> found;
  config::LoadRequest request;
  request.file = context.config;
  request.file_optional = true;
  request.scope = config::Scope::kNode;
  // The node's place is all that is wanted here; other variables may be unset.
  request.environment = [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::optional<std::string>(value == nullptr ? "" : value);
  };
  const config::Loaded loaded = config::load_config(request);
  if (!loaded.config.file.empty()) {
    found.push_back("unix:" + loaded.config.unix_path());
    for (const std::string& listen : loaded.config.node.listen) found.push_back(listen);
  }
  for (const char* address : {kDefaultSocket, kDefaultTcp}) {
    bool known = false;
    for (const std::string& one : found) known = known || one == address;
    if (!known) found.emplace_back(address);
  }
  return found;
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

Status ping(const std::string& address,
            const Context& context,
            const std::string& token,
            std::unique_ptr<net::BlockingClient>& client) {
  std::error_code ignored;
  if (address.rfind("unix:", 0) == 0 && !std::filesystem::exists(address.substr(5), ignored)) {
    return {Code::kUnavailable, "no such socket"};
  }
  net::ClientOptions options;
  options.address = address;
  options.tls_ca_file = context.tls_ca;
  options.call_timeout = kCallTimeout;
  options.credential = token;
  client = std::make_unique<net::BlockingClient>(options);
  return client->ping();
}

std::string listed(const std::vector<net::KvNamespace>& namespaces) {
  std::string text;
  for (const net::KvNamespace& one : namespaces) {
    text += (text.empty() ? "" : ", ") + one.title + " (" + one.id + ")";
  }
  return text;
}

}  // namespace

Status connect(Context& context) {
  if (context.client) return {};
  const auto token = credential(context);
  if (!token) return token.error();
  std::string tried;
  Code code = Code::kUnavailable;
  for (const std::string& address : candidates(context)) {
    std::unique_ptr<net::BlockingClient> client;
    const Status answer = ping(address, context, *token, client);
    if (answer.ok()) {
      context.client = std::move(client);
      context.connected_to = address;
      return {};
    }
    // A wrong address (usage) or a refusal is told as such only where it was asked for.
    if (!context.address.empty()) code = answer.code();
    tried += (tried.empty() ? "" : "; ") + address + ": " + answer.message();
  }
  return {code, "could not reach a node: tried " + tried};
}

Result<net::KvNamespace> open_namespace(Context& context) {
  const Status connected = connect(context);
  if (!connected.ok()) return connected;
  auto namespaces = context.client->list_namespaces();
  if (!namespaces) return namespaces.error().with_context("could not list namespaces");
  if (!context.ns.empty()) {
    for (const net::KvNamespace& one : *namespaces) {
      if (one.id == context.ns) return one;
    }
    for (const net::KvNamespace& one : *namespaces) {
      if (one.title == context.ns) return one;
    }
    const bool is_id = context.ns.size() == 32 &&
                       context.ns.find_first_not_of("0123456789abcdef") == std::string::npos;
    return Status(Code::kNamespaceNotFound,
                  std::string("KV namespace with ") + (is_id ? "id" : "title") + " \"" +
                      context.ns + "\" not found. Create it: kvctl namespace create " +
                      (is_id ? "TITLE --id " : "") + context.ns);
  }
  std::erase_if(*namespaces,
                [](const net::KvNamespace& one) { return one.id == net::kSystemNamespaceId; });
  if (namespaces->size() == 1) return namespaces->front();
  for (const net::KvNamespace& one : *namespaces) {
    if (one.title == "default") return one;
  }
  if (namespaces->empty()) {
    return Status(Code::kNamespaceNotFound,
                  "the node has no namespace. Create one: kvctl namespace create default");
  }
  return Status(Code::kInvalidArgument,
                "which namespace? Name one with --ns: " + listed(*namespaces));
}

// Of the keys that begin with `key` it is the first.
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

Result<std::optional<std::chrono::milliseconds>> parse_ttl(const std::string& text) {
  if (text.empty()) return std::optional<std::chrono::milliseconds>();
  const auto ttl = parse_duration(text);
  if (!ttl) return ttl.error().with_context("--ttl");
  if (ttl->count() == 0) return Status(Code::kInvalidArgument, "--ttl: must be more than 0");
  return std::optional<std::chrono::milliseconds>(*ttl);
}

int no_such_key(const std::string& key, const net::KvNamespace& ns) {
  return fail({Code::kNotFound, "key \"" + key + "\" not found in namespace \"" + ns.title + "\""},
              "kvctl list --prefix shows what is there");
}

int fail(const Status& status, const std::string& next_step) {
  std::fprintf(stderr, "kvctl: %s\n", status.message().c_str());
  if (!next_step.empty()) {
    std::fprintf(stderr, "  %s\n", next_step.c_str());
  } else if (status.code() == Code::kUnavailable) {
    std::fprintf(stderr, "  start one with `edged node --data DIR`, or name it with --addr\n");
  }
  return exit_code_of(status.code());
}

}  // namespace edged::kvctl
