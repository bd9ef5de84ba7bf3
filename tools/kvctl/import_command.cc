// SPDX-License-Identifier: Apache-2.0
// import: bulk JSON from a file or a pipe into a namespace. cloudflare_import.cc has --from.
#include "tools/kvctl/import_command.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "proto/json/write_json.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/strict_options.h"
#include "tools/kvctl/bulk_entry.h"
#include "tools/kvctl/bulk_reader.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/progress.h"

namespace edged::kvctl {
namespace {

constexpr std::size_t kBlockBytes = 256 * 1024;

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

class FileImport {
 public:
  FileImport(BulkStore& store, std::uint64_t skip)
      : store_(store),
        skip_(skip),
        reader_([this](boost::json::value entry) { return take(entry); }) {}

  // Errors: the file cannot be read, is no bulk JSON, or the node did not take an entry. Entries
  // before the error are stored all the same.
  Status run(std::FILE* file, const std::string& name) {
    Status read = read_all(file, name);
    if (!store_failure_.ok()) return store_failure_;
    const Status flushed = store_.flush();
    return read.ok() ? flushed : read;
  }

  // The entries of the file, from the first one on, that are done with.
  std::uint64_t settled() const { return skipped_ + store_.settled(); }

 private:
  Status read_all(std::FILE* file, const std::string& name) {
    std::vector<char> block(kBlockBytes);
    std::size_t count = 0;
    while ((count = std::fread(block.data(), 1, block.size(), file)) > 0) {
      const Status fed = reader_.feed({block.data(), count});
      if (!fed.ok()) return {fed.code(), name + ": " + fed.message()};
      progress_.show(settled(), store_.counts().bytes);
    }
    if (std::ferror(file) != 0) {
      return {Code::kIoError, "could not read " + name + ": " + std::strerror(errno)};
    }
    const Status finished = reader_.finish();
    return finished.ok() ? finished : Status(finished.code(), name + ": " + finished.message());
  }

  Status take(const boost::json::value& entry) {
    if (reader_.entries() < skip_) {
      ++skipped_;
      return {};
    }
    auto item = read_bulk_entry(entry);
    if (!item) return item.error();
    store_failure_ = store_.add(*std::move(item), "entry " + std::to_string(reader_.entries() + 1));
    return store_failure_;
  }

  BulkStore& store_;
  const std::uint64_t skip_;
  std::uint64_t skipped_ = 0;
  BulkReader reader_;
  Status store_failure_;
  Progress progress_{"imported"};
};

File open_file(const std::string& path) {
  return File(path == "-" ? stdin : std::fopen(path.c_str(), "rb"));
}

int import_file(Context& context, const ImportArguments& arguments) {
  const File file = open_file(arguments.file);
  if (file == nullptr) {
    return fail(
        {Code::kIoError, "could not read \"" + arguments.file + "\": " + std::strerror(errno)});
  }
  const auto ns = open_namespace(context, arguments.ns);
  if (!ns) return fail(ns.error());
  BulkStore store(*context.client, ns->id, arguments.store);
  Status done;
  std::uint64_t settled = 0;
  {
    FileImport import(store, arguments.skip);
    done = import.run(file.get(), arguments.file == "-" ? "stdin" : "\"" + arguments.file + "\"");
    settled = import.settled();
  }
  print_counts(context, store.counts());
  if (done.ok()) return kExitDone;
  const std::string count = std::to_string(settled);
  return fail(done,
              "the first " + count +
                  " entries of the file are done. To go on behind them: add "
                  "--skip " +
                  count);
}

// Options that belong to the other way are refused, not ignored.
Status check(const ImportArguments& arguments) {
  if (arguments.file.empty() == arguments.from.empty()) {
    return {Code::kInvalidArgument,
            "import takes a FILE (\"-\": stdin), or --from cloudflare:ACCOUNT/NAMESPACE"};
  }
  if (arguments.from.empty() && !(arguments.api.empty() && arguments.api_token_file.empty() &&
                                  arguments.state.empty() && arguments.prefix.empty())) {
    return {Code::kInvalidArgument,
            "--api, --api-token-file, --state and --prefix go with --from only"};
  }
  if (!arguments.from.empty() && arguments.skip > 0) {
    return {Code::kInvalidArgument, "--skip goes with a FILE only. --from continues by itself"};
  }
  return {};
}

int run_import(Context& context, const ImportArguments& arguments) {
  const Status checked = check(arguments);
  if (!checked.ok()) return fail(checked);
  return arguments.from.empty() ? import_file(context, arguments)
                                : import_from_cloudflare(context, arguments);
}

void add_from_options(CLI::App& command, ImportArguments& arguments) {
  add_text(command,
           "--from",
           arguments.from,
           "Read from Cloudflare: cloudflare:ACCOUNT/NAMESPACE, both ids. The API token is in "
           "CLOUDFLARE_API_TOKEN or --api-token-file");
  add_text(command,
           "--api",
           arguments.api,
           "Base URL of the REST API for --from (default: CLOUDFLARE_API_BASE_URL, else "
           "Cloudflare's)");
  add_text(command,
           "--api-token-file",
           arguments.api_token_file,
           "File with the API token for --from; must not be readable by everybody");
  add_text(command,
           "--state",
           arguments.state,
           "File that keeps how far --from has come, so that the same command continues after a "
           "break (default: kvctl-import-NAMESPACE.json in this directory)");
  add_argument(
      command, "--prefix", arguments.prefix, "With --from: only keys that begin with this text");
  add_number(command,
             "--parallel",
             arguments.parallel,
             "With --from: requests at a time (default 4)",
             {1, 64});
}

}  // namespace

void print_counts(const Context& context, const BulkCounts& counts) {
  if (context.json) {
    boost::json::object object;
    object["stored"] = counts.stored;
    object["expired"] = counts.expired;
    object["existing"] = counts.existing;
    object["bytes"] = counts.bytes;
    std::printf("%s\n", write_json(object).c_str());
    return;
  }
  std::printf("stored %" PRIu64 " entries", counts.stored);
  if (counts.expired > 0) std::printf(", left out %" PRIu64 " that have expired", counts.expired);
  if (counts.existing > 0) {
    std::printf(", left %" PRIu64 " existing ones as they are", counts.existing);
  }
  std::printf("\n");
}

void add_import_command(CLI::App& program, Context& context, int& exit_code) {
  auto arguments = std::make_shared<ImportArguments>();
  CLI::App* command = program.add_subcommand(
      "import", "Store the entries of Cloudflare's bulk JSON, or of a namespace at Cloudflare");
  command->fallthrough();
  add_text(*command, "namespace", arguments->ns, "The namespace, by id, title or binding")
      ->required();
  add_text(*command,
           "file",
           arguments->file,
           "File as \"wrangler kv bulk put\" takes it, an array or JSON lines; \"-\" reads stdin");
  add_number(*command,
             "--skip",
             arguments->skip,
             "Leave out this number of entries at the start of the file (default 0)");
  command->add_flag("--if-absent",
                    arguments->store.if_absent,
                    "Leave keys as they are that exist already in the namespace");
  command->add_flag("--sync",
                    arguments->store.sync,
                    "Wait until the entries are on disk, so that they survive a loss of power");
  add_from_options(*command, *arguments);
  command->callback(
      [arguments, &context, &exit_code] { exit_code = run_import(context, *arguments); });
}

}  // namespace edged::kvctl
