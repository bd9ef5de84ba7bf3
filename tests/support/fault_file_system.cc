// SPDX-License-Identifier: Apache-2.0
// Every operation first asks check(), then happens, then is told to the disk model.
#include "tests/support/fault_file_system.h"

#include <utility>

#include "tests/support/fault_files.h"

namespace edged::test {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// Opens through the base and wraps what came of it.
template <typename Wrapper, typename File>
IOStatus wrap(IOStatus status,
              std::unique_ptr<File>* file,
              const std::string& path,
              FaultFileSystem& files) {
  if (status.ok()) *file = std::make_unique<Wrapper>(std::move(*file), path, files);
  return status;
}

}  // namespace

FaultFileSystem::FaultFileSystem(const std::string& root, const std::string& trash)
    : FileSystemWrapper(rocksdb::FileSystem::Default()), disk_(root, trash) {}

void FaultFileSystem::fail_at(std::uint64_t n, Fault fault, bool for_good) {
  const std::lock_guard lock(mutex_);
  armed_ = true;
  for_good_ = for_good;
  failed_ = false;
  fault_ = fault;
  fail_at_ = n;
  count_ = 0;
  failed_operation_.clear();
}

std::uint64_t FaultFileSystem::heal() {
  const std::lock_guard lock(mutex_);
  armed_ = false;
  return count_;
}

bool FaultFileSystem::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

std::string FaultFileSystem::failed_operation() const {
  const std::lock_guard lock(mutex_);
  return failed_operation_;
}

void FaultFileSystem::lie_about_syncs(bool lie) {
  const std::lock_guard lock(mutex_);
  lying_ = lie;
}

void FaultFileSystem::set_sync_hook(std::function<void()> hook) {
  const std::lock_guard lock(mutex_);
  sync_hook_ = std::move(hook);
}

void FaultFileSystem::set_create_hook(std::function<void(const std::string&)> hook) {
  const std::lock_guard lock(mutex_);
  create_hook_ = std::move(hook);
}

void FaultFileSystem::cut_power() {
  const std::lock_guard lock(mutex_);
  power_off_ = true;
}

void FaultFileSystem::cut_power_after(std::uint64_t operations) {
  const std::lock_guard lock(mutex_);
  power_off_at_ = count_ + operations;
}

bool FaultFileSystem::power_is_off() const {
  const std::lock_guard lock(mutex_);
  return power_off_;
}

void FaultFileSystem::revive() {
  const std::lock_guard lock(mutex_);
  power_off_ = false;
  power_off_at_ = UINT64_MAX;
}

void FaultFileSystem::restore_power(std::mt19937_64& random) {
  const std::lock_guard lock(mutex_);
  disk_.cut(random);
  power_off_ = false;
  power_off_at_ = UINT64_MAX;
}

IOStatus FaultFileSystem::fail(const std::string& what, Fault fault) const {
  auto status = fault == Fault::kNoSpace ? IOStatus::NoSpace(what, "injected: no space left")
                                         : IOStatus::IOError(what, "injected: input/output error");
  return status;
}

bool FaultFileSystem::strikes(const char* operation, const std::string& path, Fault& fault) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t n = count_++;
  power_off_ = power_off_ || n >= power_off_at_;
  fault = power_off_ ? Fault::kIoError : fault_;
  if (power_off_) return true;
  if (!armed_ || n < fail_at_ || (n > fail_at_ && !for_good_)) return false;
  failed_ = true;
  if (failed_operation_.empty()) failed_operation_ = std::string(operation) + " " + path;
  return true;
}

IOStatus FaultFileSystem::check(const char* operation, const std::string& path) {
  Fault fault{};
  if (!strikes(operation, path, fault)) return IOStatus::OK();
  return fail(std::string(operation) + " " + path, fault);
}

IOStatus FaultFileSystem::check_append(const std::string& path,
                                       std::size_t bytes,
                                       std::size_t& written) {
  Fault fault{};
  written = bytes;
  if (!strikes("append", path, fault)) return IOStatus::OK();
  const std::lock_guard lock(mutex_);
  written = power_off_ || fault == Fault::kIoError ? 0 : bytes / 2;
  return fail("append " + path, fault);
}

IOStatus FaultFileSystem::check_sync(const std::string& path, bool& fake) {
  std::function<void()> hook;
  {
    const std::lock_guard lock(mutex_);
    hook = sync_hook_;
    fake = lying_;
  }
  if (hook) hook();
  return check("sync", path);
}

IOStatus FaultFileSystem::NewSequentialFile(const std::string& path,
                                            const FileOptions& options,
                                            std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                            IODebugContext* debug) {
  auto status = check("open", path);
  if (!status.ok()) return status;
  status = target()->NewSequentialFile(path, options, file, debug);
  return wrap<SequentialFile>(std::move(status), file, path, *this);
}

IOStatus FaultFileSystem::NewRandomAccessFile(const std::string& path,
                                              const FileOptions& options,
                                              std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                              IODebugContext* debug) {
  auto status = check("open", path);
  if (!status.ok()) return status;
  status = target()->NewRandomAccessFile(path, options, file, debug);
  return wrap<RandomAccessFile>(std::move(status), file, path, *this);
}

IOStatus FaultFileSystem::NewWritableFile(const std::string& path,
                                          const FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* file,
                                          IODebugContext* debug) {
  std::function<void(const std::string&)> hook;
  {
    const std::lock_guard lock(mutex_);
    hook = create_hook_;
  }
  if (hook) hook(path);
  auto status = check("create", path);
  if (!status.ok()) return status;
  status = target()->NewWritableFile(path, options, file, debug);
  if (status.ok()) disk_.created(path);
  return wrap<WritableFile>(std::move(status), file, path, *this);
}

IOStatus FaultFileSystem::ReopenWritableFile(const std::string& path,
                                             const FileOptions& options,
                                             std::unique_ptr<rocksdb::FSWritableFile>* file,
                                             IODebugContext* debug) {
  auto status = check("reopen", path);
  if (!status.ok()) return status;
  status = target()->ReopenWritableFile(path, options, file, debug);
  if (status.ok()) disk_.opened(path);
  return wrap<WritableFile>(std::move(status), file, path, *this);
}

IOStatus FaultFileSystem::NewRandomRWFile(const std::string& path,
                                          const FileOptions& options,
                                          std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                          IODebugContext* debug) {
  auto status = check("open", path);
  if (!status.ok()) return status;
  status = target()->NewRandomRWFile(path, options, file, debug);
  if (status.ok()) disk_.opened(path);
  return wrap<RandomRWFile>(std::move(status), file, path, *this);
}

IOStatus FaultFileSystem::NewDirectory(const std::string& path,
                                       const IOOptions& options,
                                       std::unique_ptr<rocksdb::FSDirectory>* directory,
                                       IODebugContext* debug) {
  auto status = check("open", path);
  if (!status.ok()) return status;
  status = target()->NewDirectory(path, options, directory, debug);
  return wrap<Directory>(std::move(status), directory, path, *this);
}

IOStatus FaultFileSystem::FileExists(const std::string& path,
                                     const IOOptions& options,
                                     IODebugContext* debug) {
  auto status = check("look for", path);
  return status.ok() ? target()->FileExists(path, options, debug) : status;
}

IOStatus FaultFileSystem::GetChildren(const std::string& path,
                                      const IOOptions& options,
                                      std::vector<std::string>* names,
                                      IODebugContext* debug) {
  auto status = check("list", path);
  return status.ok() ? target()->GetChildren(path, options, names, debug) : status;
}

IOStatus FaultFileSystem::GetFileSize(const std::string& path,
                                      const IOOptions& options,
                                      std::uint64_t* bytes,
                                      IODebugContext* debug) {
  auto status = check("measure", path);
  return status.ok() ? target()->GetFileSize(path, options, bytes, debug) : status;
}

IOStatus FaultFileSystem::CreateDirIfMissing(const std::string& path,
                                             const IOOptions& options,
                                             IODebugContext* debug) {
  auto status = check("create", path);
  if (!status.ok()) return status;
  const bool there = target()->FileExists(path, options, debug).ok();
  status = target()->CreateDirIfMissing(path, options, debug);
  if (status.ok() && !there) disk_.directory_created(path);
  return status;
}

IOStatus FaultFileSystem::DeleteFile(const std::string& path,
                                     const IOOptions& options,
                                     IODebugContext* debug) {
  auto status = check("delete", path);
  if (!status.ok()) return status;
  disk_.deleting(path);
  return target()->DeleteFile(path, options, debug);
}

IOStatus FaultFileSystem::RenameFile(const std::string& from,
                                     const std::string& to,
                                     const IOOptions& options,
                                     IODebugContext* debug) {
  auto status = check("rename", from);
  if (!status.ok()) return status;
  disk_.renaming(from, to);
  return target()->RenameFile(from, to, options, debug);
}

IOStatus FaultFileSystem::LinkFile(const std::string& from,
                                   const std::string& to,
                                   const IOOptions& options,
                                   IODebugContext* debug) {
  auto status = check("link", from);
  if (!status.ok()) return status;
  status = target()->LinkFile(from, to, options, debug);
  if (status.ok()) disk_.linked(to);
  return status;
}

}  // namespace edged::test
