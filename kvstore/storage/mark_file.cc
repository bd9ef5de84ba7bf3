// SPDX-License-Identifier: Apache-2.0
// Two slots of 80 bytes, 512 bytes apart so that they never share a sector.
#include "kvstore/storage/mark_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "kvstore/storage/bytes.h"
#include "kvstore/storage/crc32c.h"
#include "proto/base/log.h"

namespace edged::storage {
namespace {

constexpr std::uint32_t kMagic = 0x4b4d4445;  // "EDMK"
constexpr std::uint32_t kFormat = 1;
constexpr std::size_t kSlotDistance = 512;
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

std::optional<Slot> newest_slot(int descriptor) {
  std::optional<Slot> newest;
  for (const std::size_t offset : {std::size_t{0}, kSlotDistance}) {
    std::array<char, kSlotBytes> bytes;
    const ssize_t count =
        ::pread(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count != static_cast<ssize_t>(bytes.size())) continue;
    auto slot = decode(std::string_view(bytes.data(), bytes.size()));
    if (slot && (!newest || slot->generation > newest->generation)) newest = std::move(slot);
  }
  return newest;
}

}  // namespace

std::optional<Mark> MarkFile::read(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  auto slot = newest_slot(descriptor);
  ::close(descriptor);
  if (!slot) return std::nullopt;
  return std::move(slot->mark);
}

Result<std::unique_ptr<MarkFile>> MarkFile::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return Status(Code::kIoError, "could not open \"" + path + "\": " + std::strerror(errno));
  }
  const auto slot = newest_slot(descriptor);
  return std::unique_ptr<MarkFile>(new MarkFile(descriptor, path, slot ? slot->generation : 0));
}

MarkFile::MarkFile(int descriptor, std::string path, std::uint64_t generation)
    : descriptor_(descriptor), path_(std::move(path)), generation_(generation) {}

MarkFile::~MarkFile() {
  ::close(descriptor_);
}

void MarkFile::write(const Mark& mark, bool sync) {
  ++generation_;
  const std::string bytes = encode({generation_, mark});
  const auto offset = static_cast<off_t>((generation_ % 2) * kSlotDistance);
  const bool written = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset) ==
                       static_cast<ssize_t>(bytes.size());
  if (written && (!sync || ::fdatasync(descriptor_) == 0)) return;
  if (!std::exchange(failure_logged_, true)) {
    log::error("could not write \"" + path_ + "\": " + std::strerror(errno));
  }
}

}  // namespace edged::storage
