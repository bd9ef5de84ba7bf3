// SPDX-License-Identifier: Apache-2.0
#include "kvstore/storage/recovery/recovery.h"

#include <rocksdb/file_system.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>
#include <utility>

#include "kvstore/storage/engine/rocks_status.h"

namespace edged::storage {
namespace {

constexpr std::size_t kCopyBytes = 64 * 1024;

std::string text(std::uint64_t number) {
  return std::to_string(number);
}

// Of this boot everything acknowledged is in the kernel; after a reboot only what was synced.
std::uint64_t needed_sequence(const Mark& mark, const std::string& boot_id) {
  return mark.clock.boot_id == boot_id ? mark.acknowledged_sequence : mark.synced_sequence;
}

// "log "…/000012.log" is damaged at byte 4711 (…): whole up to sequence 20, and 3 batches …".
std::string describe(const LogSurvey& survey, const std::string& data_dir) {
  if (!survey.broken) {
    if (survey.logs.empty()) {
      return "no log is left in \"" + database_path(data_dir) + "\", and the table files end at " +
             "sequence " + text(survey.recovered_sequence);
    }
    const SurveyedLog& last = survey.logs.back();
    return "log \"" + last.path + "\" ends at byte " + text(last.scan.file_bytes) + ", sequence " +
           text(survey.recovered_sequence);
  }
  const LogBreak& broken = *survey.broken;
  std::string line = "log \"" + survey.logs[broken.log].path + "\" is damaged at byte " +
                     text(broken.offset) + " (" + std::string(explain(broken.damage)) +
                     "), whole up to sequence " + text(survey.recovered_sequence);
  if (broken.behind.batches != 0) {
    line += ", with " + text(broken.behind.batches) + " whole batches behind it (sequences " +
            text(broken.behind.first_sequence) + " to " + text(broken.behind.last_sequence) + ")";
  }
  return line;
}

Status refusal(const RocksStoreOptions& options, const std::string& what) {
  return Status(Code::kCorruption,
                opening(options.data_dir) + ": " + what +
                    ". Restore the file, or start with --recovery=cache to accept the loss. "
                    "Nothing was changed");
}

// Which files change so that RocksDB sees nothing but what is whole and in reach.
void plan_cuts(RecoveryPlan& plan, const LogSurvey& survey, bool keep_everything) {
  if (survey.manifest) {
    plan.cuts.push_back(*survey.manifest);
    plan.kept_aside.push_back(survey.manifest->path);
    if (!plan.report.empty()) plan.report += "; ";
    plan.report += "\"" + survey.manifest->path + "\" ended in a torn record, which was cut off";
  }
  if (!survey.broken) return;
  const LogBreak& broken = *survey.broken;
  const bool keep = keep_everything || broken.behind.batches != 0;
  if (survey.torn_only()) {
    if (keep) plan.kept_aside.push_back(survey.logs[broken.log].path);
    return;
  }
  std::size_t next = broken.log;
  if (broken.offset != 0) {
    plan.cuts.push_back({survey.logs[next].path, broken.offset});
    if (keep) plan.kept_aside.push_back(survey.logs[next].path);
    ++next;
  }
  for (; next < survey.logs.size(); ++next) {
    plan.removed.push_back(survey.logs[next].path);
    if (keep) plan.kept_aside.push_back(survey.logs[next].path);
  }
}

rocksdb::IOStatus copy_beginning(rocksdb::FileSystem& files,
                                 const std::string& from,
                                 const std::string& to,
                                 std::uint64_t bytes) {
  const rocksdb::IOOptions io;
  std::unique_ptr<rocksdb::FSSequentialFile> source;
  std::unique_ptr<rocksdb::FSWritableFile> target;
  auto status = files.NewSequentialFile(from, rocksdb::FileOptions(), &source, nullptr);
  if (status.ok()) status = files.NewWritableFile(to, rocksdb::FileOptions(), &target, nullptr);
  const auto scratch = std::make_unique<char[]>(kCopyBytes);
  while (status.ok() && bytes > 0) {
    rocksdb::Slice part;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kCopyBytes));
    status = source->Read(wanted, io, &part, scratch.get(), nullptr);
    if (status.ok() && part.empty()) status = rocksdb::IOStatus::IOError(from, "became shorter");
    if (status.ok()) status = target->Append(part, io, nullptr);
    bytes -= part.size();
  }
  if (status.ok()) status = target->Flush(io, nullptr);
  if (status.ok()) status = target->Fsync(io, nullptr);
  if (target != nullptr) {
    const auto closed = target->Close(io, nullptr);
    if (status.ok()) status = closed;
  }
  return status;
}

// Makes "<data_dir>/damaged/20260101T000000Z", with "-2" and so on if that is taken.
Result<std::string> make_damaged_directory(rocksdb::FileSystem& files,
                                           const std::string& data_dir,
                                           WallTime now) {
  const std::time_t seconds = to_unix_ms(now) / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> stamp{};
  (void)std::strftime(stamp.data(), stamp.size(), "%Y%m%dT%H%M%SZ", &parts);
  const std::string parent = data_dir + "/damaged";
  const rocksdb::IOOptions io;
  auto status = files.CreateDirIfMissing(parent, io, nullptr);
  std::string path = parent + "/" + stamp.data();
  for (int n = 2; status.ok() && files.FileExists(path, io, nullptr).ok(); ++n) {
    path = parent + "/" + stamp.data() + "-" + std::to_string(n);
  }
  if (status.ok()) status = files.CreateDirIfMissing(path, io, nullptr);
  if (!status.ok()) return from_rocksdb(status, "could not create \"" + path + "\"");
  for (const std::string& directory : {data_dir, parent}) {
    if (Status synced = sync_directory(files, directory); !synced.ok()) return synced;
  }
  return path;
}

Status keep_aside(RecoveryPlan& plan, const RocksStoreOptions& options, WallTime now) {
  if (plan.kept_aside.empty()) return Status();
  rocksdb::FileSystem& files = *options.file_system;
  const auto directory = make_damaged_directory(files, options.data_dir, now);
  if (!directory) return directory.error();
  for (const std::string& path : plan.kept_aside) {
    const std::string link = *directory + path.substr(path.rfind('/'));
    const auto status = files.LinkFile(path, link, rocksdb::IOOptions(), nullptr);
    if (!status.ok()) return from_rocksdb(status, "could not keep a copy \"" + link + "\"");
  }
  plan.report += ". Kept in \"" + *directory + "\"";
  return sync_directory(files, *directory);
}

}  // namespace

Result<RecoveryPlan> plan_recovery(const RocksStoreOptions& options,
                                   const Result<Mark>& mark,
                                   const LogSurvey& survey) {
  const bool cache = options.recovery == Recovery::kCache;
  RecoveryPlan plan;
  plan.recovered_sequence = survey.recovered_sequence;
  const std::string found = describe(survey, options.data_dir);
  if (!mark) {
    if (!cache && !options.read_only) {
      return refusal(options,
                     mark.error().message() + ", the mark of what was acknowledged; " + found);
    }
    plan.renew_mark = true;
    plan.report = mark.error().message() + ", so it is not known what was lost; " + found;
    plan_cuts(plan, survey, true);
    return plan;
  }
  const std::uint64_t needed = needed_sequence(*mark, options.boot_id);
  const std::uint64_t acknowledged = mark->acknowledged_sequence;
  const bool refused = survey.recovered_sequence < needed;
  if (refused && !cache) {
    return refusal(options,
                   found + "; acknowledged up to " + text(acknowledged) + ", on disk at least " +
                       text(mark->synced_sequence));
  }
  plan.renew_mark = refused;
  if (acknowledged > survey.recovered_sequence) {
    plan.lost = acknowledged - survey.recovered_sequence;
    plan.report = found + "; acknowledged up to " + text(acknowledged) + ": " + text(plan.lost) +
                  (refused ? " operations were lost and --recovery=cache accepted that"
                           : " operations that were not synced did not survive the power cut");
  }
  plan_cuts(plan, survey, refused);
  return plan;
}

Result<RecoveryPlan> plan_without_database(const RocksStoreOptions& options,
                                           const Result<Mark>& mark) {
  RecoveryPlan plan;
  // Nothing was acknowledged: a kill may have come while the database was made.
  if (mark && mark->acknowledged_sequence == 0) return plan;
  const std::string path = database_path(options.data_dir);
  std::vector<std::string> names;
  (void)options.file_system->GetChildren(path, rocksdb::IOOptions(), &names, nullptr);
  std::erase_if(names, [](const std::string& name) { return name == "." || name == ".."; });
  if (mark.code() == Code::kNotFound && names.empty()) return plan;

  const std::string what = "\"" + path + "/CURRENT\" is missing";
  if (!names.empty()) {
    return Status(Code::kCorruption,
                  opening(options.data_dir) + ": " + what + ", but not \"" + path + "/" +
                      names.front() +
                      "\", and --recovery=cache does not help. Restore the file, "
                      "or start with an empty directory. Nothing was changed");
  }
  if (options.recovery != Recovery::kCache) return refusal(options, what);
  if (mark) plan.lost = mark->acknowledged_sequence;
  plan.renew_mark = true;
  plan.report = what + ": all that was acknowledged is lost (" + text(plan.lost) +
                " operations, as far as is known), and --recovery=cache accepted that";
  return plan;
}

Status carry_out(RecoveryPlan& plan, const RocksStoreOptions& options, WallTime now) {
  rocksdb::FileSystem& files = *options.file_system;
  const rocksdb::IOOptions io;
  if (Status kept = keep_aside(plan, options, now); !kept.ok()) return kept;
  // Later logs first: were the damaged one cut before, they would still be behind a gap.
  rocksdb::IOStatus status;
  for (auto path = plan.removed.rbegin(); status.ok() && path != plan.removed.rend(); ++path) {
    status = files.DeleteFile(*path, io, nullptr);
  }
  for (const Cut& cut : plan.cuts) {
    const std::string fresh = cut.path + ".cut";
    if (status.ok()) status = copy_beginning(files, cut.path, fresh, cut.at);
    if (status.ok()) status = files.RenameFile(fresh, cut.path, io, nullptr);
  }
  if (!status.ok()) return from_rocksdb(status, opening(options.data_dir));
  if (plan.removed.empty() && plan.cuts.empty()) return Status();
  return sync_directory(files, database_path(options.data_dir));
}

}  // namespace edged::storage
