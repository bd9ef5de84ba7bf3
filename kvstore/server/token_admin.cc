// SPDX-License-Identifier: Apache-2.0
#include "kvstore/server/token_admin.h"

#include <utility>

#include "kvstore/access/token_json.h"
#include "proto/wire/limits.h"

namespace edged::server {
namespace {

// A cursor's TLV.
constexpr std::size_t kCursorBytes = 32;

// Errors: kNamespaceNotFound.
Status replace_titles(const storage::Store& store, access::Grant& grant) {
  for (std::string& one : grant.namespaces) {
    if (access::is_namespace_id(one)) continue;
    const Result<storage::Namespace> found = store.find_namespace(one);
    if (!found) return found.error();
    one = found->id;
  }
  return {};
}

Code answer_create(access::AccessTable& table,
                   const storage::Store& store,
                   const wire::Request& request,
                   const ReplyTo& to,
                   std::string& out) {
  auto grant = access::parse_request(request.value, table.clock().wall_now());
  if (!grant) return append_failure(to, grant.error().with_context("could not create token"), out);
  const Status replaced = replace_titles(store, *grant);
  if (!replaced.ok()) {
    return append_failure(to, replaced.with_context("could not create token"), out);
  }
  const auto made = table.create(*std::move(grant));
  return made ? append_reply(to, {}, access::render_new_token(*made), out)
              : append_failure(to, made.error(), out);
}

Code answer_list(const access::AccessTable& table,
                 const wire::Request& request,
                 const ReplyTo& to,
                 std::string& out) {
  const std::size_t limit = request.fields.limit.value_or(wire::kListLimitMax);
  std::string more;
  const std::string list = access::render_list(table.snapshot()->tokens(),
                                               request.fields.cursor.value_or(""),
                                               limit,
                                               to.body_bytes_max - kCursorBytes,
                                               more);
  wire::Fields fields;
  if (!more.empty()) fields.cursor = more;
  return append_reply(to, fields, list, out);
}

Code answer_revoke(access::AccessTable& table,
                   const wire::Request& request,
                   const ReplyTo& to,
                   std::string& out) {
  const auto id = access::parse_id(request.value);
  if (!id) return append_failure(to, id.error().with_context("could not revoke token"), out);
  const auto revoked = table.revoke(*id);
  return revoked ? append_reply(to, {}, access::render_token(*revoked), out)
                 : append_failure(to, revoked.error(), out);
}

}  // namespace

Code answer_token_operation(access::AccessTable* table,
                            const storage::Store& store,
                            const wire::Request& request,
                            const ReplyTo& to,
                            std::string& out) {
  if (table == nullptr) {
    return append_failure(
        to,
        Status(Code::kUnsupported, "could not manage tokens: this node has no token file"),
        out);
  }
  switch (request.opcode) {
    case wire::Opcode::kTokenCreate:
      return answer_create(*table, store, request, to, out);
    case wire::Opcode::kTokenList:
      return answer_list(*table, request, to, out);
    case wire::Opcode::kTokenRevoke:
      return answer_revoke(*table, request, to, out);
    default:
      return append_failure(to, Status(Code::kInternal, "could not route the operation"), out);
  }
}

}  // namespace edged::server
