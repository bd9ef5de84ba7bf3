// SPDX-License-Identifier: Apache-2.0
// What kvctl takes from the configuration of edged and from EDGED_DATA, EDGED_UNIX and
// EDGED_LISTEN, which an `edged node` in the same environment would use: where the node is, and
// which namespace is meant when --ns is not given. Everything else in the file may be wrong or
// incomplete. Blocks on disk.
#pragma once

#include <string>
#include <vector>

#include "proto/base/status.h"
#include "tools/edged/config.h"

namespace edged::kvctl {

struct Settings {
  std::string file;                    // empty: there is no configuration
  bool named = false;                  // by -c or EDGED_CONFIG, not found by itself
  std::vector<std::string> addresses;  // of the node, the unix socket first
  std::vector<config::KvNamespace> namespaces;
  std::string mirror_namespace;  // the binding in mirror.namespace; empty: none
  // What is wrong with the keys above, for commands that need them; ok: nothing.
  Status address_problem, namespace_problem;

  // The entry that is meant without --ns: the only one, else that of mirror.namespace, else the
  // binding "KV". Null: none, or several and no way to choose.
  const config::KvNamespace* default_namespace() const;
  // Null: no entry has this binding.
  const config::KvNamespace* find_binding(const std::string& binding) const;
};

// `file` as -c names it; empty: ./edged.jsonc, then /etc/edged/edged.jsonc. A ./edged.jsonc that
// others decide on is ignored, with a warning on stderr. Errors: kInvalidArgument if the file
// cannot be read or is not JSONC.
Result<Settings> read_settings(const std::string& file);

}  // namespace edged::kvctl
