// SPDX-License-Identifier: Apache-2.0
// export: a namespace as Cloudflare's bulk JSON, page by page.
#include <CLI/CLI.hpp>
#include <cinttypes>
#include <cstdio>
#include <memory>

#include "proto/base/clock.h"
#include "proto/base/standard_streams.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/strict_options.h"
#include "tools/kvctl/bulk_entry.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/progress.h"

namespace edged::kvctl {
namespace {

struct ExportArguments {
  std::string ns, prefix;
  bool lines = false;
};

// The large values of a page are read one by one, so that memory is bounded by one page and one
// value.
constexpr std::uint32_t kPageKeys = 1000;

class Export {
 public:
  Export(Context& context, const net::KvNamespace& ns, const ExportArguments& arguments)
      : context_(context), ns_(ns), arguments_(arguments) {}

  Status run() {
    net::KvListRequest request;
    request.prefix = arguments_.prefix;
    request.with_values = true;
    request.limit = kPageKeys;
    if (!arguments_.lines) std::printf("[");
    do {
      auto page = context_.client->list(ns_.id, request);
      if (!page) return page.error().with_context("could not list keys");
      for (net::KvListItem& item : page->items) {
        const Status written = write(item);
        if (!written.ok()) return written;
      }
      output_failed_ = !flush_output();
      if (output_failed_) return {Code::kIoError, "could not write the output"};
      progress_.show(entries_, bytes_);
      request.cursor = page->cursor;
    } while (!request.cursor.empty());
    if (!arguments_.lines) std::printf("\n]\n");
    return {};
  }

  // finish_output() says why, at the end of the program.
  bool output_failed() const { return output_failed_; }

  void report() const {
    if (losses_.binary_keys > 0) {
      std::fprintf(stderr,
                   "kvctl: %" PRIu64
                   " keys are not UTF-8 and stand in \"key_base64\": kvctl import reads them, "
                   "Cloudflare does not\n",
                   losses_.binary_keys);
    }
    if (losses_.bad_metadata > 0) {
      std::fprintf(stderr,
                   "kvctl: the metadata of %" PRIu64 " keys are not JSON and were left out\n",
                   losses_.bad_metadata);
    }
  }

 private:
  Status write(net::KvListItem& item) {
    if (item.value_bytes != item.entry.value.size()) {  // too large for a page
      auto entry = context_.client->get(ns_.id, item.key);
      if (entry.code() == Code::kNotFound) return {};  // gone since it was listed
      if (!entry) return entry.error().with_context("could not read \"" + shown(item.key) + "\"");
      item.entry = *std::move(entry);
    }
    if (item.entry.expires_at && *item.entry.expires_at <= SystemClock().wall_now()) return {};
    const char* before = arguments_.lines ? "" : entries_ == 0 ? "\n" : ",\n";
    const std::string line = write_bulk_entry(item.key, item.entry, losses_);
    std::fputs(before, stdout);
    std::fwrite(line.data(), 1, line.size(), stdout);
    if (arguments_.lines) std::fputc('\n', stdout);
    ++entries_;
    bytes_ += item.key.size() + item.entry.value.size();
    return {};
  }

  Context& context_;
  const net::KvNamespace& ns_;
  const ExportArguments& arguments_;
  Progress progress_{"exported"};
  BulkLosses losses_;
  bool output_failed_ = false;
  std::uint64_t entries_ = 0;
  std::uint64_t bytes_ = 0;
};

int run_export(Context& context, const ExportArguments& arguments) {
  const auto ns = open_namespace(context, arguments.ns);
  if (!ns) return fail(ns.error());
  Export writer(context, *ns, arguments);
  const Status done = writer.run();
  writer.report();
  if (writer.output_failed()) return kExitFailed;
  return done.ok() ? kExitDone : fail(done, "the output is incomplete: repeat the command");
}

}  // namespace

void add_export_command(CLI::App& program, Context& context, int& exit_code) {
  auto arguments = std::make_shared<ExportArguments>();
  CLI::App* command =
      program.add_subcommand("export", "Print a namespace as Cloudflare's bulk JSON");
  command->fallthrough();
  add_text(*command, "namespace", arguments->ns, "The namespace, by id, title or binding")
      ->required();
  add_argument(*command, "--prefix", arguments->prefix, "Only keys that begin with this text");
  command->add_flag(
      "--jsonl", arguments->lines, "Print one object a line (JSON lines) instead of an array");
  command->callback(
      [arguments, &context, &exit_code] { exit_code = run_export(context, *arguments); });
}

}  // namespace edged::kvctl
