// SPDX-License-Identifier: Apache-2.0
// Two slots of 80 bytes, 512 bytes apart so that they never share a sector.
#include "kvstore/storage/format/mark_file.h"

#include <rocksdb/file_system.h>
#include <sys/stat.h>

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/format/bytes.h"
#include "proto/base/crc32c.h"
#include "proto/base/log.h"

namespace edged::storage {
namespace {

constexpr std::uint32_t kMagic = 0x4b4d4445;  // "EDMK"
constexpr std::uint32_t kFormat = 1;
constexpr std::uint64_t kSlotDistance = 512;
constexpr std::size_t kBootIdBytes = 16;
constexpr std::size_t kSlotBytes = 4 + 4 + 8 + kBootIdBytes + 5 * 8 + 4 + 4;
constexpr std::uint32_t kCleanFlag = 1;
constexpr std::uint32_t kClockConfirmedFlag = 2;

struct Slot {
  std::uint64_t generation = 0;
  Mark mark;
};

std::string encode(const Slot& slot) {
  const Mark& mark = slot.mark;
  std::string bytes;
  append_le(bytes, kMagic);
  append_le(bytes, kFormat);
  append_le(bytes, slot.generation);
  bytes.append(mark.clock.boot_id);
  bytes.resize(16 + kBootIdBytes, '\0');
  append_le(bytes, mark.acknowledged_sequence);
  append_le(bytes, mark.synced_sequence);
  append_le(bytes, mark.version);
  append_le(bytes, to_unix_ms(mark.clock.node_time));
  append_le(bytes, static_cast<std::int64_t>(mark.clock.boot.count()));
  append_le(bytes,
            (mark.clean ? kCleanFlag : 0U) | (mark.clock.confirmed ? kClockConfirmedFlag : 0U));
  append_le(bytes, extend_crc32c(0, bytes));
  return bytes;
}

std::optional<Slot> decode(std::string_view bytes) {
  if (bytes.size() < kSlotBytes || load_le<std::uint32_t>(bytes, 0) != kMagic ||
      load_le<std::uint32_t>(bytes, 4) != kFormat ||
      load_le<std::uint32_t>(bytes, kSlotBytes - 4) !=
          extend_crc32c(0, bytes.substr(0, kSlotBytes - 4))) {
    return std::nullopt;
  }
  Slot slot;
  slot.generation = load_le<std::uint64_t>(bytes, 8);
  slot.mark.clock.boot_id = bytes.substr(16, kBootIdBytes);
  slot.mark.acknowledged_sequence = load_le<std::uint64_t>(bytes, 32);
  slot.mark.synced_sequence = load_le<std::uint64_t>(bytes, 40);
  slot.mark.version = load_le<std::uint64_t>(bytes, 48);
  slot.mark.clock.node_time = from_unix_ms(load_le<std::int64_t>(bytes, 56));
  slot.mark.clock.boot = std::chrono::milliseconds(load_le<std::int64_t>(bytes, 64));
  const auto flags = load_le<std::uint32_t>(bytes, 72);
  slot.mark.clean = (flags & kCleanFlag) != 0;
  slot.mark.clock.confirmed = (flags & kClockConfirmedFlag) != 0;
  return slot;
}

// `read_at(offset, scratch)` reads kSlotBytes, or fewer at the end of the file.
template <typename ReadAt>
Result<Slot> newest_slot(const std::string& path, ReadAt read_at) {
  std::optional<Slot> newest;
  for (const std::uint64_t offset : {std::uint64_t{0}, kSlotDistance}) {
    std::array<char, kSlotBytes> scratch;
    rocksdb::Slice bytes;
    const auto status = read_at(offset, &bytes, scratch.data());
    if (!status.ok()) return from_rocksdb(status, "could not read \"" + path + "\"");
    auto slot = decode(std::string_view(bytes.data(), bytes.size()));
    if (slot && (!newest || slot->generation > newest->generation)) newest = std::move(slot);
  }
  if (newest) return std::move(*newest);
  return Status(Code::kCorruption, "no slot of \"" + path + "\" is whole");
}

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

// Writes, syncs and closes a new file.
rocksdb::IOStatus write_file(rocksdb::FileSystem& files,
                             const std::string& path,
                             const std::string& bytes) {
  std::unique_ptr<rocksdb::FSWritableFile> file;
  auto status = files.NewWritableFile(path, rocksdb::FileOptions(), &file, nullptr);
  if (status.ok()) status = file->Append(bytes, rocksdb::IOOptions(), nullptr);
  if (status.ok()) status = file->Flush(rocksdb::IOOptions(), nullptr);
  if (status.ok()) status = file->Fsync(rocksdb::IOOptions(), nullptr);
  if (file != nullptr) {
    const auto closed = file->Close(rocksdb::IOOptions(), nullptr);
    if (status.ok()) status = closed;
  }
  return status;
}

}  // namespace

Status sync_directory(rocksdb::FileSystem& files, const std::string& directory) {
  std::unique_ptr<rocksdb::FSDirectory> handle;
  auto status = files.NewDirectory(directory, rocksdb::IOOptions(), &handle, nullptr);
  if (status.ok()) status = handle->Fsync(rocksdb::IOOptions(), nullptr);
  return status.ok() ? Status() : from_rocksdb(status, "could not sync \"" + directory + "\"");
}

Result<Mark> MarkFile::read(rocksdb::FileSystem& files, const std::string& path) {
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  const auto status = files.NewRandomAccessFile(path, rocksdb::FileOptions(), &file, nullptr);
  if (status.IsPathNotFound()) return Status(Code::kNotFound, "no \"" + path + "\"");
  if (!status.ok()) return from_rocksdb(status, "could not open \"" + path + "\"");
  auto slot = newest_slot(path, [&](std::uint64_t offset, rocksdb::Slice* bytes, char* scratch) {
    return file->Read(offset, kSlotBytes, rocksdb::IOOptions(), bytes, scratch, nullptr);
  });
  if (!slot) return slot.error();
  return std::move(slot->mark);
}

Status MarkFile::create(rocksdb::FileSystem& files, const std::string& path, const Mark& mark) {
  std::string bytes = encode({2, mark});
  bytes.resize(kSlotDistance, '\0');
  bytes += encode({1, mark});
  // Under another name first: a file half written is as bad as none.
  const std::string fresh = path + ".new";
  auto status = write_file(files, fresh, bytes);
  // RocksDB creates files with mode 0644 and offers no other. On a file system that exists in
  // memory only there is nothing to change.
  static_cast<void>(::chmod(fresh.c_str(), S_IRUSR | S_IWUSR));
  if (status.ok()) status = files.RenameFile(fresh, path, rocksdb::IOOptions(), nullptr);
  if (!status.ok()) return from_rocksdb(status, "could not write \"" + path + "\"");
  return sync_directory(files, directory_of(path));
}

Result<std::unique_ptr<MarkFile>> MarkFile::open(rocksdb::FileSystem& files,
                                                 const std::string& path) {
  std::unique_ptr<rocksdb::FSRandomRWFile> file;
  const auto status = files.NewRandomRWFile(path, rocksdb::FileOptions(), &file, nullptr);
  if (!status.ok()) return from_rocksdb(status, "could not open \"" + path + "\"");
  const auto slot =
      newest_slot(path, [&](std::uint64_t offset, rocksdb::Slice* bytes, char* scratch) {
        return file->Read(offset, kSlotBytes, rocksdb::IOOptions(), bytes, scratch, nullptr);
      });
  if (!slot) return slot.error();
  return std::unique_ptr<MarkFile>(new MarkFile(std::move(file), path, slot->generation));
}

MarkFile::MarkFile(std::unique_ptr<rocksdb::FSRandomRWFile> file,
                   std::string path,
                   std::uint64_t generation)
    : file_(std::move(file)), path_(std::move(path)), generation_(generation) {}

MarkFile::~MarkFile() {
  (void)file_->Close(rocksdb::IOOptions(), nullptr);
}

void MarkFile::write(const Mark& mark, bool sync) {
  ++generation_;
  const std::uint64_t offset = (generation_ % 2) * kSlotDistance;
  auto status = file_->Write(offset, encode({generation_, mark}), rocksdb::IOOptions(), nullptr);
  if (status.ok() && sync) status = file_->Sync(rocksdb::IOOptions(), nullptr);
  report(status);
}

void MarkFile::sync() {
  report(file_->Sync(rocksdb::IOOptions(), nullptr));
}

void MarkFile::report(const rocksdb::IOStatus& status) {
  if (status.ok() || failure_logged_.exchange(true)) return;
  log::error("storage: " + from_rocksdb(status, "could not write \"" + path_ + "\"").message());
}

}  // namespace edged::storage
