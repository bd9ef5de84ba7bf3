// SPDX-License-Identifier: Apache-2.0
// Which storage engine this program carries. Pure; any thread.
#pragma once

#include <string>

namespace edged::storage {

std::string engine_name();  // "rocksdb 9.10.0"

}  // namespace edged::storage
