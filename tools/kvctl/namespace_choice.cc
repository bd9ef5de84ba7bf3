// SPDX-License-Identifier: Apache-2.0
// open_namespace(): which namespace a command works in.
#include <algorithm>
#include <vector>

#include "proto/net/system_namespace.h"
#include "tools/kvctl/context.h"

namespace edged::kvctl {
namespace {

using Namespaces = std::vector<net::KvNamespace>;

const net::KvNamespace* find_id(const Namespaces& namespaces, const std::string& id) {
  const auto found = std::find_if(
      namespaces.begin(), namespaces.end(), [&](const auto& one) { return one.id == id; });
  return found == namespaces.end() ? nullptr : &*found;
}

const net::KvNamespace* find_title(const Namespaces& namespaces, const std::string& title) {
  const auto found = std::find_if(
      namespaces.begin(), namespaces.end(), [&](const auto& one) { return one.title == title; });
  return found == namespaces.end() ? nullptr : &*found;
}

// "KV (0f2a…), default (4b4f…)"
std::string listed(const Namespaces& namespaces) {
  std::string text;
  for (const net::KvNamespace& one : namespaces) {
    if (one.id == net::kSystemNamespaceId) continue;
    text += (text.empty() ? "" : ", ") + one.title + " (" + one.id + ")";
  }
  return text.empty() ? "none" : text;
}

// Under --dev a node has only the preview namespaces.
const net::KvNamespace* find_entry(const Namespaces& namespaces, const config::KvNamespace& kv) {
  const net::KvNamespace* found = find_id(namespaces, kv.id);
  return found != nullptr || kv.preview_id.empty() ? found : find_id(namespaces, kv.preview_id);
}

bool is_id(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
}

Status name_not_found(const Namespaces& namespaces, const std::string& name) {
  const bool id = is_id(name);
  return {Code::kNamespaceNotFound,
          std::string("KV namespace with ") + (id ? "id" : "title") + " \"" + name +
              "\" not found. The node has: " + listed(namespaces) +
              ". To create it: kvctl namespace create " + (id ? "TITLE --id " : "") + name};
}

// The configuration names an id that the node does not have: created under another id, or mistyped.
Status entry_not_found(const Namespaces& namespaces,
                       const config::KvNamespace& kv,
                       const std::string& file) {
  const std::string start = "KV namespace with id \"" + kv.id + "\" not found (binding \"" +
                            kv.binding + "\" in " + file + "). ";
  const net::KvNamespace* titled = find_title(namespaces, kv.binding);
  if (titled != nullptr) {
    return {Code::kNamespaceNotFound,
            start + "The namespace titled \"" + titled->title + "\" has the id \"" + titled->id +
                "\": if that one is meant, write this id in " + file +
                "; otherwise create one with another title: kvctl namespace create TITLE --id " +
                kv.id};
  }
  return {Code::kNamespaceNotFound,
          start + "The node has: " + listed(namespaces) +
              ". To create it: kvctl namespace create " + kv.binding + " --id " + kv.id +
              "; --ns chooses another"};
}

Result<net::KvNamespace> find_named(const Context& context, const Namespaces& namespaces) {
  const net::KvNamespace* found = find_id(namespaces, context.ns);
  if (found == nullptr) found = find_title(namespaces, context.ns);
  if (found != nullptr) return *found;
  const config::KvNamespace* kv = context.settings.find_binding(context.ns);
  if (kv == nullptr) return name_not_found(namespaces, context.ns);
  found = find_entry(namespaces, *kv);
  if (found != nullptr) return *found;
  return entry_not_found(namespaces, *kv, context.settings.file);
}

Result<net::KvNamespace> find_only(Namespaces namespaces) {
  std::erase_if(namespaces,
                [](const net::KvNamespace& one) { return one.id == net::kSystemNamespaceId; });
  if (namespaces.size() == 1) return namespaces.front();
  if (const net::KvNamespace* found = find_title(namespaces, "default")) return *found;
  if (namespaces.empty()) {
    return Status(Code::kNamespaceNotFound,
                  "the node has no namespace. Create one: kvctl namespace create default");
  }
  return Status(Code::kInvalidArgument,
                "the node has several namespaces. Name one with --ns: " + listed(namespaces));
}

}  // namespace

Result<net::KvNamespace> open_namespace(Context& context) {
  const Status connected = connect(context);
  if (!connected.ok()) return connected;
  auto namespaces = context.client->list_namespaces();
  if (!namespaces) return namespaces.error().with_context("could not list namespaces");
  if (!context.ns.empty()) return find_named(context, *namespaces);
  const Settings& settings = context.settings;
  const bool is_unrelated = !context.address.empty() && !settings.named;
  if (!settings.namespace_problem.ok() && !is_unrelated) return settings.namespace_problem;
  if (settings.namespaces.empty()) return find_only(*std::move(namespaces));
  const config::KvNamespace* kv = settings.default_namespace();
  const net::KvNamespace* found = kv == nullptr ? nullptr : find_entry(*namespaces, *kv);
  if (found != nullptr) return *found;
  // A file that lies in the working directory need not belong to the node that --addr names.
  if (is_unrelated) return find_only(*std::move(namespaces));
  if (kv != nullptr) return entry_not_found(*namespaces, *kv, settings.file);
  std::string bindings;
  for (const config::KvNamespace& one : settings.namespaces) {
    bindings += (bindings.empty() ? "" : ", ") + one.binding;
  }
  return Status(Code::kInvalidArgument,
                settings.file + " names several namespaces. Name one with --ns: " + bindings);
}

Result<net::KvNamespace> open_namespace(Context& context, const std::string& name) {
  if (!context.ns.empty() && context.ns != name) {
    return Status(
        Code::kInvalidArgument,
        "--ns names \"" + context.ns + "\" and the argument \"" + name + "\". Leave out --ns");
  }
  context.ns = name;
  return open_namespace(context);
}

}  // namespace edged::kvctl
