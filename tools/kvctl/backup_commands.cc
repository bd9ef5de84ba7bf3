// SPDX-License-Identifier: Apache-2.0
// backup, restore and verify. They work on directories, on the node's machine; no connection to a
// node is made (docs/adr/0011-backups.md).
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "kvstore/backup/make_backup.h"
#include "kvstore/backup/restore.h"
#include "kvstore/backup/verify_backups.h"
#include "kvstore/storage/checkpoint/verify_store.h"
#include "proto/base/log.h"
#include "proto/base/units.h"
#include "proto/json/write_json.h"
#include "tools/edged/config_parse.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/strict_options.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/progress.h"
#include "tools/kvctl/terminal.h"

namespace edged::kvctl {
namespace {

namespace json = boost::json;

struct BackupArguments {
  std::string directory, data_dir, target;
  std::string rate = "64MiB";
  std::optional<std::uint64_t> keep, number;
  bool list = false;
};

std::string mib(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1024.0 * 1024.0));
  return text;
}

void print_json(const json::object& object) {
  std::printf("%s\n", write_json(object).c_str());
}

Result<std::uint64_t> rate_of(const BackupArguments& arguments) {
  const auto rate = parse_size(arguments.rate);
  return rate ? rate : rate.error().with_context("--rate");
}

// Of the node in the configuration, unless --data names one.
Result<std::string> data_dir_of(const Context& context, const BackupArguments& arguments) {
  if (!arguments.data_dir.empty()) return arguments.data_dir;
  config::LoadRequest request;
  request.file = context.config;
  request.file_optional = true;
  request.scope = config::Scope::kNode;
  if (const char* data = std::getenv("EDGED_DATA")) request.overrides.data_dir = data;
  config::Loaded loaded = config::load_config(request);
  if (loaded.errors.empty()) return loaded.config.node.data_dir;
  return Status(
      Code::kInvalidArgument,
      loaded.errors.front().to_string() + ". Name the data directory of the node with --data");
}

void print_report(const Context& context,
                  const BackupArguments& arguments,
                  const backup::BackupReport& report) {
  if (context.json) {
    json::object object;
    object["number"] = report.number;
    object["directory"] = arguments.directory;
    object["files"] = report.files;
    object["bytes"] = report.bytes;
    object["copied_files"] = report.copied_files;
    object["copied_bytes"] = report.copied_bytes;
    object["removed"] = json::value_from(report.removed);
    print_json(object);
    return;
  }
  std::printf("backup %" PRIu64 " in %s: %" PRIu64 " files, %s; copied %" PRIu64 " files, %s\n",
              report.number,
              terminal_text(arguments.directory).c_str(),
              report.files,
              mib(report.bytes).c_str(),
              report.copied_files,
              mib(report.copied_bytes).c_str());
  for (const std::uint64_t number : report.removed) {
    std::printf("removed backup %" PRIu64 "\n", number);
  }
}

int run_backup(Context& context, const BackupArguments& arguments) {
  const auto rate = rate_of(arguments);
  if (!rate) return fail(rate.error());
  if (arguments.keep && *arguments.keep == 0) {
    return fail({Code::kInvalidArgument, "--keep must be at least 1: this backup is one of them"});
  }
  const auto data_dir = data_dir_of(context, arguments);
  if (!data_dir) return fail(data_dir.error());
  log::set_level(log::Level::kWarn);
  Progress progress("copied", "table files");
  backup::BackupOptions options;
  options.data_dir = *data_dir;
  options.directory = arguments.directory;
  options.bytes_per_second = *rate;
  options.keep = arguments.keep ? static_cast<std::size_t>(*arguments.keep) : 0;
  options.now = SystemClock().wall_now();
  options.progress = [&](std::uint64_t files, std::uint64_t bytes) { progress.show(files, bytes); };
  const auto report = backup::make_backup(options);
  if (!report) {
    const bool closed = report.code() == Code::kDenied ||
                        report.error().message().find("Permission denied") != std::string::npos;
    const char* next = "";
    if (closed) next = "run it as root or as the node's user, on the node's machine";
    if (report.code() == Code::kNotFound) next = "name the data directory of the node with --data";
    return fail(report.error().with_context("could not back up"), next);
  }
  print_report(context, arguments, *report);
  return report->cleanup.ok()
             ? kExitDone
             : fail(report->cleanup.with_context("the backup is whole, but older ones stay"));
}

int run_restore(Context& context, const BackupArguments& arguments) {
  const auto rate = rate_of(arguments);
  if (!rate) return fail(rate.error());
  log::set_level(log::Level::kWarn);
  backup::RestoreOptions options;
  options.directory = arguments.directory;
  options.target = arguments.target;
  options.number = arguments.number ? *arguments.number : 0;
  options.bytes_per_second = *rate;
  Progress progress("restored", "files");
  options.progress = [&](std::uint64_t files, std::uint64_t bytes) { progress.show(files, bytes); };
  const auto report = backup::restore(options);
  if (!report) return fail(report.error().with_context("could not restore"));
  if (context.json) {
    json::object object;
    object["number"] = report->number;
    object["created"] = format_rfc3339(report->created);
    object["files"] = report->files;
    object["bytes"] = report->bytes;
    object["namespaces"] = report->namespaces;
    object["keys"] = report->keys;
    object["mirrors"] = report->mirrors;
    print_json(object);
    return kExitDone;
  }
  std::printf("restored backup %" PRIu64 " of %s into %s: %" PRIu64 " files, %s, %" PRIu64
              " namespaces, %" PRIu64 " keys\n",
              report->number,
              format_rfc3339(report->created).c_str(),
              terminal_text(arguments.target).c_str(),
              report->files,
              mib(report->bytes).c_str(),
              report->namespaces,
              report->keys);
  if (report->mirrors > 0) {
    std::printf("mirrored keys of %zu namespaces are stale until their worker has loaded them\n",
                report->mirrors);
  }
  return kExitDone;
}

int print_backups(const Context& context, const std::vector<backup::CheckedBackup>& backups) {
  json::array array;
  bool damaged = false;
  for (const auto& one : backups) {
    damaged = damaged || !one.damage.empty();
    const char* state = !one.finished ? "unfinished" : one.damage.empty() ? "whole" : "damaged";
    if (context.json) {
      json::object object;
      object["number"] = one.number;
      object["state"] = state;
      object["created"] = one.files == 0 ? json::value() : json::value(format_rfc3339(one.created));
      object["files"] = one.files;
      object["bytes"] = one.bytes;
      object["damage"] = json::value_from(one.damage);
      array.push_back(std::move(object));
      continue;
    }
    std::printf("backup %" PRIu64 "  %s", one.number, state);
    if (one.files != 0) {
      std::printf("  %s  %" PRIu64 " files, %s",
                  format_rfc3339(one.created).c_str(),
                  one.files,
                  mib(one.bytes).c_str());
    }
    std::printf("\n");
    for (const std::string& line : one.damage) {
      std::printf("  %s\n", terminal_text(line).c_str());
    }
  }
  if (context.json) std::printf("%s\n", write_json(array).c_str());
  return damaged ? kExitCorrupt : kExitDone;
}

int check(Context& context, const BackupArguments& arguments, bool read) {
  const auto rate = rate_of(arguments);
  if (!rate) return fail(rate.error());
  std::vector<backup::CheckedBackup> backups;
  {
    Progress progress("read", "files");
    auto checked = backup::check_backups(
        arguments.directory, read, *rate, [&](std::uint64_t files, std::uint64_t bytes) {
          progress.show(files, bytes);
        });
    if (!checked) return fail(checked.error());
    backups = *std::move(checked);
  }
  return print_backups(context, backups);
}

int verify_data(Context& context, const BackupArguments& arguments) {
  log::set_level(log::Level::kError);
  storage::RocksStoreOptions options;
  options.data_dir = arguments.data_dir;
  const auto verdict = storage::verify_store(options);
  if (!verdict) return fail(verdict.error());
  if (context.json) {
    json::object object;
    object["table_files"] = verdict->tables;
    object["table_bytes"] = verdict->table_bytes;
    object["namespaces"] = verdict->namespaces;
    object["entries"] = verdict->entries;
    object["chunks"] = verdict->chunks;
    object["damaged"] = verdict->damaged;
    object["damage"] = json::value_from(verdict->findings);
    print_json(object);
  } else {
    std::printf("%s: %" PRIu64 " table files, %s, %" PRIu64 " namespaces, %" PRIu64
                " entries, %" PRIu64 " chunks of large values: %s\n",
                terminal_text(arguments.data_dir).c_str(),
                verdict->tables,
                mib(verdict->table_bytes).c_str(),
                verdict->namespaces,
                verdict->entries,
                verdict->chunks,
                verdict->damaged == 0 ? "whole" : "damaged");
    for (const std::string& line : verdict->findings) {
      std::printf("  %s\n", terminal_text(line).c_str());
    }
  }
  return verdict->damaged == 0 ? kExitDone : kExitCorrupt;
}

int run_verify(Context& context, const BackupArguments& arguments) {
  if (arguments.directory.empty() == arguments.data_dir.empty()) {
    return fail({Code::kInvalidArgument,
                 "verify needs one of: a backup directory, or --data with the data directory of a "
                 "stopped node"});
  }
  return arguments.directory.empty() ? verify_data(context, arguments)
                                     : check(context, arguments, true);
}

void add_rate(CLI::App& command, BackupArguments& arguments) {
  add_text(command,
           "--rate",
           arguments.rate,
           "Bytes per second at most, so that the node keeps the disk: 10MiB, 1GiB (default "
           "64MiB; 0B: no bound)")
      ->type_name("SIZE");
}

}  // namespace

void add_backup_commands(CLI::App& program, Context& context, int& exit_code) {
  auto arguments = std::make_shared<BackupArguments>();
  CLI::App* backing = program.add_subcommand(
      "backup",
      "Back up the data of a node, which may run; what a backup has already is not copied again");
  backing->fallthrough();
  add_text(*backing, "directory", arguments->directory, "Directory of the backups")->required();
  add_text(
      *backing,
      "--data",
      arguments->data_dir,
      "Data directory of the node, which may run or not (default: EDGED_DATA, else that of the "
      "configuration, else /var/lib/edged)")
      ->type_name("DIR");
  add_number(*backing, "--keep", arguments->keep, "Remove older backups but the last so many");
  backing->add_flag("--list", arguments->list, "Only show which backups are there");
  add_rate(*backing, *arguments);
  backing->callback([arguments, &context, &exit_code] {
    exit_code =
        arguments->list ? check(context, *arguments, false) : run_backup(context, *arguments);
  });
  CLI::App* restoring = program.add_subcommand(
      "restore", "Make a data directory of a backup, for a node that is then started on it");
  restoring->fallthrough();
  add_text(*restoring, "directory", arguments->directory, "Directory of the backups")->required();
  add_text(*restoring, "--to", arguments->target, "The data directory to make; missing or empty")
      ->type_name("DIR")
      ->required();
  add_number(*restoring, "--backup", arguments->number, "Number of the backup (default: the last)");
  add_rate(*restoring, *arguments);
  restoring->callback(
      [arguments, &context, &exit_code] { exit_code = run_restore(context, *arguments); });
  CLI::App* verifying = program.add_subcommand(
      "verify", "Read all backups, or all data of a stopped node, and compare the checksums");
  verifying->fallthrough();
  add_text(*verifying, "directory", arguments->directory, "Directory of the backups");
  add_text(*verifying, "--data", arguments->data_dir, "Verify the data directory of a stopped node")
      ->type_name("DIR");
  add_rate(*verifying, *arguments);
  verifying->callback(
      [arguments, &context, &exit_code] { exit_code = run_verify(context, *arguments); });
}

}  // namespace edged::kvctl
