// SPDX-License-Identifier: Apache-2.0
// A file system that fails on purpose. It counts its operations and can let the n-th fail, alone or
// with all that follow; hold up or fake syncs; and cut the power (disk_model.h). Any thread, except
// restore_power().
#pragma once

#include <rocksdb/file_system.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>

#include "tests/support/disk_model.h"

namespace edged::test {

enum class Fault { kIoError, kNoSpace, kShortWrite };

class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  // Files below `root` lose what is not synced when the power goes; `trash` as in DiskModel.
  FaultFileSystem(const std::string& root, const std::string& trash);
  const char* Name() const override { return "FaultFileSystem"; }

  // Operation n (the first is 0, counted from this call) fails, and with `for_good` all later ones.
  void fail_at(std::uint64_t n, Fault fault, bool for_good);
  // No fault any more. Returns how many operations there were since fail_at.
  std::uint64_t heal();
  bool failed() const;
  // What failed: "append …/000004.log".
  std::string failed_operation() const;

  // From now on syncs succeed without having happened.
  void lie_about_syncs(bool lie);
  // Called within every sync, before it. Empty: nothing.
  void set_sync_hook(std::function<void()> hook);

  // Called before a file is created, with its path. Empty: nothing.
  void set_create_hook(std::function<void(const std::string&)> hook);

  // From now on every operation fails, as it does for a process whose machine is off.
  void cut_power();
  // The same, once `operations` more have happened.
  void cut_power_after(std::uint64_t operations);
  bool power_is_off() const;
  // Once nothing is open any more: everything works, and the files are what a killed process
  // leaves.
  void revive();
  // Once nothing is open any more: the files are what the cut left, and everything works.
  void restore_power(std::mt19937_64& random);

  // For the files made by this object.
  DiskModel& disk() { return disk_; }
  rocksdb::IOStatus check(const char* operation, const std::string& path);
  // Of an append, how much of it is to be written before it fails.
  rocksdb::IOStatus check_append(const std::string& path, std::size_t bytes, std::size_t& written);
  rocksdb::IOStatus check_sync(const std::string& path, bool& fake);

  rocksdb::IOStatus NewSequentialFile(const std::string& path,
                                      const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& path,
                                    const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path,
                                       const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomRWFile(const std::string& path,
                                    const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path,
                                 const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus FileExists(const std::string& path,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& path,
                                const rocksdb::IOOptions& options,
                                std::vector<std::string>* names,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileSize(const std::string& path,
                                const rocksdb::IOOptions& options,
                                std::uint64_t* bytes,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path,
                                       const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from,
                               const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from,
                             const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;

 private:
  rocksdb::IOStatus fail(const std::string& what, Fault fault) const;
  // Counts an operation; the fault that strikes it, if one does.
  bool strikes(const char* operation, const std::string& path, Fault& fault);

  DiskModel disk_;
  mutable std::mutex mutex_;  // guards all below
  bool armed_ = false;
  bool for_good_ = false;
  bool failed_ = false;
  bool lying_ = false;
  bool power_off_ = false;
  Fault fault_ = Fault::kIoError;
  std::uint64_t fail_at_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t power_off_at_ = UINT64_MAX;
  std::string failed_operation_;
  std::function<void()> sync_hook_;
  std::function<void(const std::string&)> create_hook_;
};

}  // namespace edged::test
