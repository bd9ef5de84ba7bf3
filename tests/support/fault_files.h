// SPDX-License-Identifier: Apache-2.0
// The files and directories that FaultFileSystem hands out: each operation first asks it, then
// happens, then is told to its disk model. Syncs never reach the real disk: the model is the disk.
#pragma once

#include <rocksdb/file_system.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "tests/support/fault_file_system.h"

namespace edged::test {

class SequentialFile final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  SequentialFile(std::unique_ptr<rocksdb::FSSequentialFile> file,
                 std::string path,
                 FaultFileSystem& files)
      : FSSequentialFileOwnerWrapper(std::move(file)), path_(std::move(path)), files_(files) {}

  rocksdb::IOStatus Read(std::size_t bytes,
                         const rocksdb::IOOptions& options,
                         rocksdb::Slice* result,
                         char* scratch,
                         rocksdb::IODebugContext* debug) override {
    auto status = files_.check("read", path_);
    if (!status.ok()) return status;
    return FSSequentialFileOwnerWrapper::Read(bytes, options, result, scratch, debug);
  }

 private:
  const std::string path_;
  FaultFileSystem& files_;
};

class RandomAccessFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  RandomAccessFile(std::unique_ptr<rocksdb::FSRandomAccessFile> file,
                   std::string path,
                   FaultFileSystem& files)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), path_(std::move(path)), files_(files) {}

  rocksdb::IOStatus Read(std::uint64_t offset,
                         std::size_t bytes,
                         const rocksdb::IOOptions& options,
                         rocksdb::Slice* result,
                         char* scratch,
                         rocksdb::IODebugContext* debug) const override {
    auto status = files_.check("read", path_);
    if (!status.ok()) return status;
    return FSRandomAccessFileOwnerWrapper::Read(offset, bytes, options, result, scratch, debug);
  }

 private:
  const std::string path_;
  FaultFileSystem& files_;
};

class WritableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WritableFile(std::unique_ptr<rocksdb::FSWritableFile> file,
               std::string path,
               FaultFileSystem& files)
      : FSWritableFileOwnerWrapper(std::move(file)), path_(std::move(path)), files_(files) {}

  rocksdb::IOStatus Append(const rocksdb::Slice& data,
                           const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
    std::size_t written = data.size();
    const auto fault = files_.check_append(path_, data.size(), written);
    if (written != 0) {
      auto status = target()->Append(rocksdb::Slice(data.data(), written), options, debug);
      if (!status.ok()) return status;
      files_.disk().appended(path_, written);
    }
    return fault;
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data,
                           const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo&,
                           rocksdb::IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                         rocksdb::IODebugContext* debug) override {
    bool fake = false;
    auto status = files_.check_sync(path_, fake);
    if (status.ok() && !fake) status = target()->Flush(options, debug);
    if (status.ok() && !fake) files_.disk().synced(path_);
    return status;
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                          rocksdb::IODebugContext* debug) override {
    return Sync(options, debug);
  }
  rocksdb::IOStatus RangeSync(std::uint64_t,
                              std::uint64_t,
                              const rocksdb::IOOptions&,
                              rocksdb::IODebugContext*) override {
    return files_.check("range sync", path_);
  }
  rocksdb::IOStatus Close(const rocksdb::IOOptions& options,
                          rocksdb::IODebugContext* debug) override {
    const auto fault = files_.check("close", path_);
    auto status = target()->Close(options, debug);
    return fault.ok() ? status : fault;
  }

 private:
  const std::string path_;
  FaultFileSystem& files_;
};

class RandomRWFile final : public rocksdb::FSRandomRWFileOwnerWrapper {
 public:
  RandomRWFile(std::unique_ptr<rocksdb::FSRandomRWFile> file,
               std::string path,
               FaultFileSystem& files)
      : FSRandomRWFileOwnerWrapper(std::move(file)), path_(std::move(path)), files_(files) {}

  rocksdb::IOStatus Write(std::uint64_t offset,
                          const rocksdb::Slice& data,
                          const rocksdb::IOOptions& options,
                          rocksdb::IODebugContext* debug) override {
    auto status = files_.check("write", path_);
    if (!status.ok()) return status;
    files_.disk().overwriting(path_);
    return FSRandomRWFileOwnerWrapper::Write(offset, data, options, debug);
  }
  rocksdb::IOStatus Read(std::uint64_t offset,
                         std::size_t bytes,
                         const rocksdb::IOOptions& options,
                         rocksdb::Slice* result,
                         char* scratch,
                         rocksdb::IODebugContext* debug) const override {
    auto status = files_.check("read", path_);
    if (!status.ok()) return status;
    return FSRandomRWFileOwnerWrapper::Read(offset, bytes, options, result, scratch, debug);
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    bool fake = false;
    auto status = files_.check_sync(path_, fake);
    if (status.ok() && !fake) files_.disk().synced(path_);
    return status;
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                          rocksdb::IODebugContext* debug) override {
    return Sync(options, debug);
  }

 private:
  const std::string path_;
  FaultFileSystem& files_;
};

class Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::unique_ptr<rocksdb::FSDirectory> directory,
            std::string path,
            FaultFileSystem& files)
      : FSDirectoryWrapper(std::move(directory)), path_(std::move(path)), files_(files) {}

  rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    bool fake = false;
    auto status = files_.check_sync(path_, fake);
    if (status.ok() && !fake) files_.disk().directory_synced(path_);
    return status;
  }
  rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options,
                                        rocksdb::IODebugContext* debug,
                                        const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

 private:
  const std::string path_;
  FaultFileSystem& files_;
};

}  // namespace edged::test
