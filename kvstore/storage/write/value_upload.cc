// SPDX-License-Identifier: Apache-2.0
// Uploads, chunk by chunk.
#include "kvstore/storage/write/value_upload.h"

#include <algorithm>
#include <string>
#include <utility>

#include "kvstore/storage/format/value_chunks.h"

namespace edged::storage {
namespace {

void discard(Writer& writer, UploadTable& uploads, std::uint64_t id) {
  (void)writer.stage(
      [&uploads, id](WriteGroup& group) {
        uploads.discard(id, group.database(), group.batch());
        return Status();
      },
      0);
}

class ChunkedUpload final : public ValueUpload {
 public:
  ChunkedUpload(Writer& writer, UploadTable& uploads, const DiskGuard& guard, std::uint64_t id)
      : writer_(writer), uploads_(uploads), guard_(guard), id_(id) {}

  // Nothing is left to discard if a Put named it. If the store is closing, opening removes it.
  ~ChunkedUpload() override { discard(writer_, uploads_, id_); }

  Status append(std::string_view piece) override {
    if (!failure_.ok()) return failure_;
    if (bytes_ + piece.size() > kValueBytesMax) {
      return failure_ = Status(Code::kTooLarge, "value is larger than 25 MiB");
    }
    bytes_ += piece.size();
    while (!piece.empty()) {
      const std::size_t taken = std::min(piece.size(), kChunkBytes - chunk_.size());
      chunk_.append(piece.substr(0, taken));
      piece.remove_prefix(taken);
      if (chunk_.size() == kChunkBytes) failure_ = write_chunk();
      if (!failure_.ok()) return failure_;
    }
    return Status();
  }

  Result<StagedValue> finish() override {
    if (failure_.ok() && !chunk_.empty()) failure_ = write_chunk();
    if (!failure_.ok()) return failure_;
    return StagedValue{id_, bytes_};
  }

 private:
  Status write_chunk() {
    if (guard_.refuses()) return Status(Code::kDiskFull, guard_.reason());
    const std::string chunk = std::exchange(chunk_, {});
    return writer_.stage(
        [&](WriteGroup& group) {
          return uploads_.append(id_, chunk, group.database(), group.batch());
        },
        chunk.size());
  }

  Writer& writer_;
  UploadTable& uploads_;
  const DiskGuard& guard_;
  const std::uint64_t id_;
  std::uint64_t bytes_ = 0;
  std::string chunk_;  // not yet written
  Status failure_;     // the first one: nothing can be finished after it
};

}  // namespace

Result<std::unique_ptr<ValueUpload>> begin_value_upload(Writer& writer,
                                                        UploadTable& uploads,
                                                        const DiskGuard& guard,
                                                        std::uint32_t prefix) {
  if (guard.refuses()) return Status(Code::kDiskFull, guard.reason());
  std::uint64_t id = 0;
  Status status = writer.stage(
      [&](WriteGroup& group) {
        id = group.next_version();
        return uploads.begin(id, prefix, group.database(), group.batch());
      },
      0);
  if (!status.ok()) {
    discard(writer, uploads, id);  // it may be known although it was not written
    return status;
  }
  return std::unique_ptr<ValueUpload>(std::make_unique<ChunkedUpload>(writer, uploads, guard, id));
}

}  // namespace edged::storage
