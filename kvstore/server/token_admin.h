// SPDX-License-Identifier: Apache-2.0
// TOKEN_CREATE, TOKEN_LIST and TOKEN_REVOKE: one request in, one response frame out. They read and
// write a file: storage pool only.
#pragma once

#include <string>

#include "kvstore/access/access_table.h"
#include "kvstore/server/reply.h"
#include "kvstore/storage/store.h"

namespace edged::server {

// `table` may be null: a node that keeps no tokens.
// A token's namespaces may be named by title; what is kept is their ids.
Code answer_token_operation(access::AccessTable* table,
                            const storage::Store& store,
                            const wire::Request& request,
                            const ReplyTo& to,
                            std::string& out);

}  // namespace edged::server
