// SPDX-License-Identifier: Apache-2.0
// How an operation answers: a callback, called exactly once, on any thread, also on the calling one
// before the call returns. It must not block and must not throw.
#pragma once

#include <functional>

#include "proto/base/status.h"

namespace edged::operations {

template <class T>
using Done = std::function<void(Result<T>)>;

// The value of an operation that has none.
struct Nothing {};

}  // namespace edged::operations
