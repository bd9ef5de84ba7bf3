// SPDX-License-Identifier: Apache-2.0
// What requests say of mirrors (docs/protocol.md, "Mirrors"): which operations may say it, and the
// reading of one key on those terms. Any thread.
#pragma once

#include <optional>
#include <string_view>

#include "kvstore/storage/store.h"
#include "proto/wire/message.h"

namespace edged::server {

// kInvalidArgument: the request's fields about mirrors do not go together. That they belong to its
// operation was checked (wire::check_shape()).
Status check_mirror_fields(const wire::Request& request);

storage::Reader reader_of(const wire::Request& request);

// One read of a key. It asks the store how fresh the key is when it is made, if the request's
// answer depends on it, so that what is read afterwards is at least as fresh. The store and the key
// must outlive its calls.
class MirrorTerms {
 public:
  MirrorTerms(const storage::Store& store,
              const wire::Request& request,
              storage::NamespaceNumber ns,
              std::string_view key);

  storage::Reader reader() const { return reader_; }
  // kStale: the key is not as fresh as the request asks, and must not be read.
  const Status& status() const { return status_; }
  // After a read. kStale: what was said before it does not hold for what was read.
  Status confirm() const;
  // The read itself. Errors: as Store::get; kStale.
  Result<storage::Entry> get(storage::ReadTier tier) const;

  // Adds what the answer says of the mirror. Views into this object.
  void add_to(wire::Fields& fields) const;
  // What a failure says of it: asks the store again if it is kStale and nothing is known.
  wire::Fields failure_fields(Code code);

 private:
  Status judge(const wire::Fields& asked) const;

  const storage::Store& store_;
  const storage::NamespaceNumber ns_;
  const std::string_view key_;
  const storage::Reader reader_;
  std::optional<storage::MirrorFreshness> mirror_;  // of the key, if it was asked for and is owned
  Status status_;
};

}  // namespace edged::server
