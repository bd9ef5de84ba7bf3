// SPDX-License-Identifier: Apache-2.0
// A large value on its way in: cut into chunks, each written as it is complete, so that memory
// holds one chunk whatever the value's size. One thread at a time; blocks.
#pragma once

#include <memory>

#include "kvstore/storage/engine/disk_guard.h"
#include "kvstore/storage/store.h"
#include "kvstore/storage/tables/upload_table.h"
#include "kvstore/storage/write/writer.h"

namespace edged::storage {

// See Store::begin_upload. All must outlive the upload.
Result<std::unique_ptr<ValueUpload>> begin_value_upload(Writer& writer,
                                                        UploadTable& uploads,
                                                        const DiskGuard& guard,
                                                        std::uint32_t prefix);

}  // namespace edged::storage
