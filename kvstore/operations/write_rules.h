// SPDX-License-Identifier: Apache-2.0
// What a write of any face is judged and counted by. Internal to this folder; pure but for the
// caller.
#pragma once

#include <cstddef>
#include <vector>

#include "kvstore/operations/caller.h"
#include "kvstore/storage/store.h"
#include "proto/base/status.h"

namespace edged::operations {

// The operation that metrics count a write as.
Kind kind_of(const storage::Write& write);
// That it holds in memory until it is answered.
std::size_t bytes_of(const storage::Write& write);
// What metrics count: of one operation its own status.
Code code_of(const Result<std::vector<storage::WriteOutcome>>& written, bool atomic);
// Each operation needs its own rights. Errors: those of Caller::authorize().
Status authorize_write(Caller& caller, const storage::Write& write);

}  // namespace edged::operations
