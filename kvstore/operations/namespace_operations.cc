// SPDX-License-Identifier: Apache-2.0
// The operations on namespaces.
#include <algorithm>
#include <utility>

#include "kvstore/operations/operations.h"
#include "kvstore/operations/shared.h"

namespace edged::operations {

using storage::Namespace;
using storage::NamespaceNumber;

namespace {

Demand demand_on_node(Kind kind, std::string_view name = {}) {
  Demand demand;
  demand.name = kind_name(kind);
  demand.rule = rule_of(kind);
  demand.key = name;
  return demand;
}

Result<Nothing> result_of(const Status& status) {
  return status.ok() ? Result<Nothing>(Nothing{}) : Result<Nothing>(status);
}

}  // namespace

Result<Namespace> Operations::find_namespace(const Caller& caller,
                                             std::string_view id_or_title) const {
  Caller who = caller;
  const Status allowed = who.authorize(demand_on_node(Kind::kOpen, id_or_title));
  if (!allowed.ok()) return allowed;
  return store_.find_namespace(id_or_title);
}

Result<std::vector<Namespace>> Operations::namespaces(const Caller& caller) const {
  Caller who = caller;
  const Status allowed = who.authorize(demand_on_node(Kind::kNamespaceList));
  if (!allowed.ok()) return allowed;
  std::vector<Namespace> all = store_.list_namespaces();
  std::erase_if(all, [&who](const Namespace& ns) { return !who.sees(ns); });
  return all;
}

void Operations::create_namespace(Caller caller,
                                  std::string title,
                                  std::string id,
                                  Done<Namespace> done) {
  const auto call = std::make_shared<Call<Namespace>>(
      *shared_, Kind::kNamespaceCreate, std::move(caller), std::move(done));
  const Status allowed = call->authorize(demand_on_node(Kind::kNamespaceCreate, id));
  if (!allowed.ok()) return call->answer(allowed);
  call->run(Work::Length::kLong, [this, title = std::move(title), id = std::move(id)] {
    return store_.create_namespace(title, id);
  });
}

template <class Body>
void Operations::change_namespace(
    Caller caller, Kind kind, NamespaceNumber ns, Done<Nothing> done, Body body) {
  const auto call =
      std::make_shared<Call<Nothing>>(*shared_, kind, std::move(caller), std::move(done));
  const Status allowed = call->authorize(demand_of(kind, ns));
  if (!allowed.ok()) return call->answer(allowed);
  call->run(Work::Length::kLong, [body = std::move(body)] { return result_of(body()); });
}

void Operations::rename_namespace(Caller caller,
                                  NamespaceNumber ns,
                                  std::string title,
                                  Done<Nothing> done) {
  change_namespace(
      std::move(caller),
      Kind::kNamespaceRename,
      ns,
      std::move(done),
      [this, ns, title = std::move(title)] { return store_.rename_namespace(ns, title); });
}

void Operations::clear_namespace(Caller caller, NamespaceNumber ns, Done<Nothing> done) {
  change_namespace(std::move(caller), Kind::kNamespaceClear, ns, std::move(done), [this, ns] {
    return store_.clear_namespace(ns);
  });
}

void Operations::delete_namespace(Caller caller, NamespaceNumber ns, Done<Nothing> done) {
  change_namespace(std::move(caller), Kind::kNamespaceDelete, ns, std::move(done), [this, ns] {
    return store_.delete_namespace(ns);
  });
}

}  // namespace edged::operations
