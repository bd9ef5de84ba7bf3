// SPDX-License-Identifier: Apache-2.0
#include "kvstore/operations/disk_reads.h"

#include <utility>

namespace edged::operations {
namespace {

using storage::Entry;

class WholeReader final : public storage::ValueReader {
 public:
  explicit WholeReader(Entry entry) : value_(std::move(entry.value)), bytes_(value_.size()) {
    entry.value.clear();
    entry_ = std::move(entry);
  }

  const Entry& entry() const override { return entry_; }
  std::uint64_t value_bytes() const override { return bytes_; }
  Result<std::string> read() override { return std::exchange(value_, {}); }

 private:
  std::string value_;
  const std::uint64_t bytes_;
  Entry entry_;
};

Result<Entry> read_all(storage::ValueReader& reader) {
  Entry entry = reader.entry();
  entry.value.reserve(reader.value_bytes());
  for (;;) {
    Result<std::string> piece = reader.read();
    if (!piece) return piece.error();
    if (piece->empty()) return entry;
    entry.value += *piece;
  }
}

}  // namespace

Status check_key(std::string_view key) {
  if (!key.empty() && key.size() <= storage::kKeyBytesMax) return {};
  return {Code::kInvalidArgument,
          "could not use key of " + std::to_string(key.size()) + " bytes: 1 to 512 are allowed"};
}

Result<Entry> read_entry(const storage::Store& store,
                         storage::NamespaceNumber ns,
                         std::string_view key,
                         std::size_t value_bytes_max) {
  const auto reader = open_reader(store, ns, key);
  if (!reader) return reader.error();
  if ((*reader)->value_bytes() > value_bytes_max) {
    return Status(Code::kTooLarge,
                  "could not read value: it has " + std::to_string((*reader)->value_bytes()) +
                      " bytes, this operation answers at most " + std::to_string(value_bytes_max));
  }
  return read_all(**reader);
}

Result<std::vector<Result<Entry>>> read_entries(const storage::Store& store,
                                                storage::NamespaceNumber ns,
                                                const std::vector<std::string>& keys,
                                                std::size_t bytes_max) {
  std::vector<Result<Entry>> entries;
  entries.reserve(keys.size());
  std::size_t room = bytes_max;
  for (const std::string& key : keys) {
    Result<Entry> read = store.get(ns, key, storage::ReadTier::kMemory);
    if (read.code() == Code::kBusy) read = read_entry(store, ns, key, room);
    if (read.code() == Code::kNamespaceNotFound) return read.error();
    const bool fits = !read || read->value.size() <= room;
    if (!fits || read.code() == Code::kTooLarge) {
      return Status(
          Code::kTooLarge,
          "could not read values: together they are above " + std::to_string(bytes_max) + " bytes");
    }
    room -= read ? read->value.size() : 0;
    entries.push_back(std::move(read));
  }
  return entries;
}

Result<std::unique_ptr<storage::ValueReader>> open_reader(const storage::Store& store,
                                                          storage::NamespaceNumber ns,
                                                          std::string_view key) {
  Result<std::unique_ptr<storage::ValueReader>> reader = store.open_value(ns, key);
  if (reader || reader.code() != Code::kUnsupported) return reader;
  Result<Entry> entry = store.get(ns, key, storage::ReadTier::kDisk);
  if (!entry) return entry.error();
  return std::unique_ptr<storage::ValueReader>(std::make_unique<WholeReader>(*std::move(entry)));
}

}  // namespace edged::operations
