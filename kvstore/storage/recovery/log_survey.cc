// SPDX-License-Identifier: Apache-2.0
// RocksDB tells what is in the table files when it is shown a directory without logs; the logs are
// read by scan_log.
#include "kvstore/storage/recovery/log_survey.h"

#include <rocksdb/file_system.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "kvstore/storage/engine/rocks_status.h"

namespace edged::storage {
namespace {

constexpr std::string_view kLogSuffix = ".log";

bool is_log(std::string_view name) {
  return name.ends_with(kLogSuffix);
}

// Ends early.
class BeginningOfFile final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  BeginningOfFile(std::unique_ptr<rocksdb::FSSequentialFile> file, std::uint64_t bytes)
      : FSSequentialFileOwnerWrapper(std::move(file)), left_(bytes) {}

  rocksdb::IOStatus Read(std::size_t bytes,
                         const rocksdb::IOOptions& options,
                         rocksdb::Slice* result,
                         char* scratch,
                         rocksdb::IODebugContext* debug) override {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, left_));
    auto status = FSSequentialFileOwnerWrapper::Read(wanted, options, result, scratch, debug);
    if (status.ok()) left_ -= result->size();
    return status;
  }

 private:
  std::uint64_t left_;
};

// Shows a database as it would be without its logs, and with its MANIFEST cut.
class LogHidingFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  LogHidingFileSystem(const std::shared_ptr<rocksdb::FileSystem>& files,
                      const std::optional<Cut>& manifest)
      : FileSystemWrapper(files), manifest_(manifest) {}
  const char* Name() const override { return "LogHidingFileSystem"; }

  rocksdb::IOStatus GetChildren(const std::string& directory,
                                const rocksdb::IOOptions& options,
                                std::vector<std::string>* names,
                                rocksdb::IODebugContext* debug) override {
    auto status = target()->GetChildren(directory, options, names, debug);
    std::erase_if(*names, is_log);
    return status;
  }
  rocksdb::IOStatus NewSequentialFile(const std::string& path,
                                      const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override {
    auto status = target()->NewSequentialFile(path, options, file, debug);
    if (status.ok() && manifest_ && path == manifest_->path) {
      *file = std::make_unique<BeginningOfFile>(std::move(*file), manifest_->at);
    }
    return status;
  }

 private:
  const std::optional<Cut> manifest_;
};

// Where the MANIFEST has to be cut, if its end is torn and nothing whole follows. What else may be
// wrong with it RocksDB will say.
Result<std::optional<Cut>> cut_of_manifest(rocksdb::FileSystem& files, const std::string& path) {
  std::string name;
  const auto read = rocksdb::ReadFileToString(&files, path + "/CURRENT", &name);
  if (!read.ok()) return from_rocksdb(read, "could not read \"" + path + "/CURRENT\"");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  const std::string manifest = path + "/" + name;
  if (!files.FileExists(manifest, rocksdb::IOOptions(), nullptr).ok()) return std::optional<Cut>();
  const auto scan = scan_manifest(files, manifest);
  if (!scan) return scan.error();
  const bool torn = scan->damage != LogDamage::kNone && scan->damage != LogDamage::kCutShort &&
                    scan->behind.batches == 0 && scan->whole.batches != 0;
  if (!torn) return std::optional<Cut>();
  return std::optional(Cut{manifest, scan->damage_offset});
}

struct Tables {
  std::uint64_t last_sequence = 0;
  std::uint64_t first_log = 0;  // older ones are not replayed
};

Status failed(const rocksdb::Status& status, const std::string& data_dir) {
  Status translated = from_rocksdb(status, opening(data_dir));
  if (!status.IsCorruption() && !status.IsPathNotFound()) return translated;
  return Status(Code::kCorruption,
                translated.message() +
                    ". This is not a log, and --recovery=cache does not help: restore the file, or "
                    "start with an empty directory. Nothing was changed");
}

Result<Tables> read_tables(DatabaseOptions options,
                           const std::shared_ptr<rocksdb::FileSystem>& files,
                           const std::string& data_dir,
                           const std::optional<Cut>& manifest) {
  const auto env = rocksdb::NewCompositeEnv(std::make_shared<LogHidingFileSystem>(files, manifest));
  options.db.env = env.get();
  options.db.max_open_files = 16;  // the tables themselves are not read here
  const std::string path = database_path(data_dir);
  // A process that was killed while it made the database may have left it without some of them.
  std::vector<std::string> present;
  auto status = rocksdb::DB::ListColumnFamilies(options.db, path, &present);
  if (!status.ok()) return failed(status, data_dir);
  std::erase_if(options.families, [&](const rocksdb::ColumnFamilyDescriptor& family) {
    return std::find(present.begin(), present.end(), family.name) == present.end();
  });
  rocksdb::DB* opened = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  status = rocksdb::DB::OpenForReadOnly(options.db, path, options.families, &handles, &opened);
  if (!status.ok()) return failed(status, data_dir);
  const std::unique_ptr<rocksdb::DB> db(opened);
  Tables tables;
  tables.last_sequence = db->GetLatestSequenceNumber();
  const bool known =
      db->GetIntProperty(rocksdb::DB::Properties::kMinLogNumberToKeep, &tables.first_log);
  for (auto* handle : handles) (void)db->DestroyColumnFamilyHandle(handle);
  if (!known) return Status(Code::kInternal, opening(data_dir) + ": RocksDB names no first log");
  return tables;
}

void add(LogSpan& sum, const LogSpan& span) {
  if (span.batches == 0) return;
  if (sum.batches == 0) sum.first_sequence = span.first_sequence;
  sum.batches += span.batches;
  sum.operations += span.operations;
  sum.last_sequence = span.last_sequence;
}

}  // namespace

LogSurvey join_logs(std::uint64_t tables_sequence, std::vector<SurveyedLog> logs) {
  LogSurvey survey;
  survey.tables_sequence = tables_sequence;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < logs.size(); ++i) {
    const LogScan& scan = logs[i].scan;
    if (scan.whole.batches != 0) {
      const std::uint64_t first = scan.whole.first_sequence;
      const bool joins = last == 0 ? first <= tables_sequence + 1 : first == last + 1;
      // Damage with nothing lost behind it, from before the last opening.
      if (joins && survey.broken && survey.broken->behind.batches == 0) survey.broken.reset();
      if (!joins && !survey.broken) survey.broken = LogBreak{i, LogDamage::kSequence, 0, {}};
      if (!survey.broken) last = scan.whole.last_sequence;
    }
    if (survey.broken) {
      add(survey.broken->behind, scan.whole);
      add(survey.broken->behind, scan.behind);
    } else if (scan.damage != LogDamage::kNone) {
      survey.broken = LogBreak{i, scan.damage, scan.damage_offset, scan.behind};
    }
  }
  survey.recovered_sequence = last != 0 ? last : tables_sequence;
  survey.logs = std::move(logs);
  return survey;
}

Result<LogSurvey> survey_logs(const DatabaseOptions& options,
                              const std::shared_ptr<rocksdb::FileSystem>& files,
                              const std::string& data_dir) {
  const std::string path = database_path(data_dir);
  auto manifest = cut_of_manifest(*files, path);
  if (!manifest) return manifest.error();
  const auto tables = read_tables(options, files, data_dir, *manifest);
  if (!tables) return tables.error();
  std::vector<std::string> names;
  const auto status = files->GetChildren(path, rocksdb::IOOptions(), &names, nullptr);
  if (!status.ok()) return from_rocksdb(status, opening(data_dir));
  std::vector<SurveyedLog> logs;
  for (const std::string& name : names) {
    std::uint64_t number = 0;
    const char* end = name.data() + name.size() - (is_log(name) ? kLogSuffix.size() : 0);
    if (!is_log(name) || std::from_chars(name.data(), end, number).ptr != end) continue;
    if (number < tables->first_log) continue;
    auto scan = scan_log(*files, path + "/" + name);
    if (!scan) return scan.error();
    logs.push_back({number, path + "/" + name, *scan});
  }
  std::sort(logs.begin(), logs.end(), [](const SurveyedLog& a, const SurveyedLog& b) {
    return a.number < b.number;
  });
  auto survey = join_logs(tables->last_sequence, std::move(logs));
  survey.manifest = std::move(*manifest);
  return survey;
}

}  // namespace edged::storage
