// SPDX-License-Identifier: Apache-2.0
// A value that is read in pieces, as it was when it was opened, so that memory holds one piece
// whatever the value's size. One read at a time. To be dropped before the Operations it came from.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kvstore/operations/caller.h"
#include "kvstore/operations/done.h"
#include "kvstore/storage/store.h"

namespace edged::operations {

struct Shared;

class ValueStream : public std::enable_shared_from_this<ValueStream> {
 public:
  // Made by Operations::open_value().
  ValueStream(Shared& shared,
              Caller caller,
              storage::NamespaceNumber ns,
              std::string key,
              std::unique_ptr<storage::ValueReader> reader);
  ~ValueStream();
  ValueStream(const ValueStream&) = delete;
  ValueStream& operator=(const ValueStream&) = delete;

  // Metadata, expiry and version; the value is empty.
  const storage::Entry& entry() const { return reader_->entry(); }
  std::uint64_t value_bytes() const { return reader_->value_bytes(); }

  // The next piece, at most 256 KiB; empty at the end. Errors: kUnauthenticated, kDenied: the
  // caller may not read the rest any more; kDeadlineExceeded (60 s after it was opened);
  // kCorruption; kIoError; kUnavailable: the node is stopping.
  void read(Done<std::string> done);

 private:
  Shared& shared_;
  Caller caller_;
  const storage::NamespaceNumber ns_;
  const std::string key_;
  const std::unique_ptr<storage::ValueReader> reader_;
};

}  // namespace edged::operations
