// SPDX-License-Identifier: Apache-2.0
// What every command of kvctl shares: the connection to a node, which is searched for unless it is
// named, the namespace it works in, and how failures are reported. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "proto/base/status.h"
#include "proto/net/blocking_client.h"
#include "tools/kvctl/settings.h"

namespace edged::kvctl {

struct Context {
  std::string address;     // --addr; empty: search
  std::string config;      // -c; empty: ./edged.jsonc, then /etc/edged/edged.jsonc
  std::string token_file;  // --token-file; empty: the environment's EDGED_TOKEN
  std::string tls_ca;      // --tls-ca; empty: the system's authorities
  std::string ns;          // --ns: id, title or binding; empty: see open_namespace()
  bool json = false;
  Settings settings;                            // after connect()
  std::unique_ptr<net::BlockingClient> client;  // after connect()
  std::string connected_to;
};

// Connects once. Errors: kUnavailable, naming every address that was tried; where a peer was
// reached and refused, or is no node, the code and the words of find_reason() and of the node;
// kInvalidArgument (the address, the configuration, the token's file).
Status connect(Context& context);

// Connects, and picks the namespace: --ns, else what the configuration means
// (Settings::default_namespace), else the only one, else the one titled "default". Errors: those of
// connect(); kNamespaceNotFound; kInvalidArgument if several could be meant.
Result<net::KvNamespace> open_namespace(Context& context);

// The same for a command whose argument names the namespace: --ns may not name another one.
Result<net::KvNamespace> open_namespace(Context& context, const std::string& name);

// A key's facts without its value. Errors: kNotFound; what a list answers.
Result<net::KvListItem> find_facts(Context& context,
                                   const net::KvNamespace& ns,
                                   const std::string& key);

// A key as messages show it: as printable() does, a long one cut.
std::string shown(const std::string& key);

// fail() for a key that is not there.
int no_such_key(const std::string& key, const net::KvNamespace& ns);

// One line on stderr, "kvctl: …", and what to do next if anything can be done. The exit code.
int fail(const Status& status, const std::string& next_step = {});

}  // namespace edged::kvctl
