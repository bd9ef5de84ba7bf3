// SPDX-License-Identifier: Apache-2.0
// A value that is written in pieces, with bounded memory, before the put that names it. A face that
// waits for each piece before it takes the next from its client holds one piece in memory. What was
// not put is removed. One thread at a time. To be dropped before the Operations it came from.
#pragma once

#include <memory>
#include <string>

#include "kvstore/operations/caller.h"
#include "kvstore/operations/done.h"
#include "kvstore/operations/staged_upload.h"
#include "kvstore/storage/store.h"

namespace edged::operations {

struct Shared;

class Upload : public std::enable_shared_from_this<Upload> {
 public:
  // Made by Operations::begin_upload().
  Upload(Shared& shared, Caller caller, storage::NamespaceNumber ns, std::string key);
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  // Answered when the piece is with the store. Errors: kUnauthenticated, kDenied; kTooLarge (above
  // 25 MiB); kDiskFull; kBusy; kIoError; kUnavailable. After one the upload is to be dropped.
  void append(std::string piece, Done<Nothing> done);

  // Writes the value under the key it was begun for: metadata, expiry and condition are `put`'s.
  // Call once, last. Errors: those of append(); as Operations::write().
  void put(storage::Put put, storage::Durability durability, Done<storage::WriteOutcome> done);

 private:
  friend class Operations;
  Status authorize();

  Shared& shared_;
  Caller caller_;
  const storage::NamespaceNumber ns_;
  const std::string key_;
  const std::shared_ptr<StagedUpload> staged_;
};

}  // namespace edged::operations
