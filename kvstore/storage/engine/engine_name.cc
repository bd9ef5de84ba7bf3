// SPDX-License-Identifier: Apache-2.0
#include "kvstore/storage/engine/engine_name.h"

#include <rocksdb/version.h>

namespace edged::storage {

std::string engine_name() {
  return "rocksdb " + rocksdb::GetRocksVersionAsString();
}

}  // namespace edged::storage
