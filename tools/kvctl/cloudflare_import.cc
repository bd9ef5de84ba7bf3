// SPDX-License-Identifier: Apache-2.0
// kvctl import --from cloudflare:ACCOUNT/NAMESPACE: lists the keys page by page, reads their values
// in groups, several at a time, and stores each group when it has come. A page counts when all its
// entries are stored; then its cursor goes into the state file.
#include <algorithm>
#include <boost/asio.hpp>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <optional>
#include <utility>

#include "proto/base/secret_file.h"
#include "proto/net/spawn.h"
#include "tools/edged/exit_code.h"
#include "tools/kvctl/cloudflare_source.h"
#include "tools/kvctl/import_command.h"
#include "tools/kvctl/import_state.h"
#include "tools/kvctl/progress.h"

namespace edged::kvctl {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kCloudflare = "cloudflare:";
constexpr const char* kCloudflareApi = "https://api.cloudflare.com/client/v4";

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Account, namespace, address and token.
Result<SourceOptions> source_options(const ImportArguments& arguments) {
  SourceOptions options;
  const std::size_t slash = arguments.from.find('/');
  const bool named = arguments.from.starts_with(kCloudflare) && slash != std::string::npos;
  if (named) {
    options.account = arguments.from.substr(kCloudflare.size(), slash - kCloudflare.size());
    options.ns = arguments.from.substr(slash + 1);
  }
  if (options.account.empty() || options.ns.empty()) {
    return Status(Code::kInvalidArgument,
                  "--from is not cloudflare:ACCOUNT/NAMESPACE, with the id of each");
  }
  options.api = arguments.api;
  if (options.api.empty()) options.api = from_environment("CLOUDFLARE_API_BASE_URL");
  if (options.api.empty()) options.api = kCloudflareApi;
  while (options.api.ends_with('/')) options.api.pop_back();
  if (!options.api.starts_with("https://") && !options.api.starts_with("http://")) {
    return Status(Code::kInvalidArgument,
                  "--api \"" + options.api + "\" does not begin with https:// or http://");
  }
  if (arguments.api_token_file.empty()) {
    options.token = from_environment("CLOUDFLARE_API_TOKEN");
    if (options.token.find_first_of("\r\n") != std::string::npos) {
      return Status(Code::kInvalidArgument, "CLOUDFLARE_API_TOKEN has a line break");
    }
  } else {
    auto token = read_secret_file(arguments.api_token_file);
    if (!token) return token.error().with_context("--api-token-file");
    options.token = *std::move(token);
  }
  if (options.token.empty()) {
    return Status(Code::kInvalidArgument,
                  "no API token: set CLOUDFLARE_API_TOKEN, or name a file with --api-token-file");
  }
  return options;
}

class CloudflareImport {
 public:
  CloudflareImport(BulkStore& store, SourceOptions source, std::uint64_t parallel)
      : store_(store), source_(io_.get_executor(), std::move(source)), parallel_(parallel) {}

  // Errors: see CloudflareSource::list.
  Result<SourcePage> list(const std::string& prefix, const std::string& cursor) {
    std::optional<Result<SourcePage>> page;
    net::spawn(io_, source_.list(prefix, cursor), [&page](Result<SourcePage> result) {
      page = std::move(result);
    });
    while (!page) io_.run_one();
    return *std::move(page);
  }

  // Reads and stores the keys of a page. Errors: of the source, or of the node.
  Status copy(std::vector<SourceKey> keys) {
    failure_ = Status();
    for (std::size_t at = 0; at < keys.size(); at += kSourceGroupKeysMax) {
      const std::size_t end = std::min(keys.size(), at + kSourceGroupKeysMax);
      groups_.emplace_back(std::make_move_iterator(keys.begin() + at),
                           std::make_move_iterator(keys.begin() + end));
    }
    std::uint64_t running = std::min<std::uint64_t>(parallel_, groups_.size());
    for (std::uint64_t started = running; started > 0; --started) {
      net::spawn(io_, copy_groups(), [&running] { --running; });
    }
    while (running > 0) io_.run_one();
    groups_.clear();
    return failure_.ok() ? store_.flush() : failure_;
  }

 private:
  asio::awaitable<void> copy_groups() {
    while (!groups_.empty() && failure_.ok()) {
      std::vector<SourceKey> group = std::move(groups_.front());
      groups_.pop_front();
      Result<std::vector<net::PutItem>> items = co_await source_.read(std::move(group));
      if (!items) fail(items.error().with_context("could not read values"));
      if (!items) co_return;
      for (net::PutItem& item : *items) {
        if (!failure_.ok()) co_return;
        const Status added = store_.add(std::move(item), "an entry");
        if (!added.ok()) fail(added);
      }
      progress_.show(store_.counts().stored, store_.counts().bytes);
    }
  }

  // The first failure is the one that is told.
  void fail(const Status& status) {
    if (failure_.ok()) failure_ = status;
  }

  asio::io_context io_{1};
  // Without it the context would stop between two pages, and run_one() do nothing.
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  BulkStore& store_;
  CloudflareSource source_;
  const std::uint64_t parallel_;
  std::deque<std::vector<SourceKey>> groups_;
  Status failure_;
  Progress progress_{"stored"};
};

void add_counts(BulkCounts& total, const BulkCounts& more) {
  total.stored += more.stored;
  total.expired += more.expired;
  total.existing += more.existing;
  total.bytes += more.bytes;
}

// All pages from the state's cursor on. `before`: what earlier runs stored. `state` follows.
Status copy_pages(CloudflareImport& import,
                  const BulkStore& store,
                  const std::string& state_file,
                  const BulkCounts& before,
                  ImportState& state) {
  do {
    auto page = import.list(state.prefix, state.cursor);
    if (page.code() == Code::kStale && !state.cursor.empty()) {
      std::fprintf(stderr, "kvctl: the saved cursor is no longer accepted: starting anew\n");
      state.cursor.clear();
      page = import.list(state.prefix, state.cursor);
    }
    if (!page) return page.error().with_context("could not list keys");
    const Status copied = import.copy(std::move(page->keys));
    if (!copied.ok()) return copied;
    state.cursor = std::move(page->cursor);
    state.counts = before;
    add_counts(state.counts, store.counts());
    if (state.cursor.empty()) break;
    const Status saved = write_import_state(state_file, state);
    if (!saved.ok()) return saved;
  } while (true);
  std::remove(state_file.c_str());
  return {};
}

const char* next_step_after(const Status& status) {
  if (status.code() == Code::kDenied) {
    return "the API token needs the permission to read Workers KV in this account. "
           "CLOUDFLARE_API_TOKEN or --api-token-file holds it";
  }
  return "the same command continues behind the last page that was stored whole";
}

}  // namespace

int import_from_cloudflare(Context& context, const ImportArguments& arguments) {
  auto source = source_options(arguments);
  if (!source) return fail(source.error());
  const auto ns = open_namespace(context, arguments.ns);
  if (!ns) return fail(ns.error());
  ImportState state{source->api, arguments.from, ns->id, arguments.prefix};
  const std::string file =
      arguments.state.empty() ? "kvctl-import-" + ns->id + ".json" : arguments.state;
  auto saved = read_import_state(file, state);
  if (!saved) return fail(saved.error(), "name another file with --state, or remove this one");
  if (*saved) {
    state = **std::move(saved);
    std::fprintf(stderr,
                 "kvctl: continuing behind %llu entries (%s)\n",
                 static_cast<unsigned long long>(state.counts.stored),
                 file.c_str());
  }
  BulkStore store(*context.client, ns->id, arguments.store);
  const BulkCounts before = state.counts;
  Status done;
  {
    CloudflareImport import(store, *std::move(source), arguments.parallel);
    done = copy_pages(import, store, file, before, state);
  }
  BulkCounts total = before;
  add_counts(total, store.counts());
  print_counts(context, total);
  return done.ok() ? kExitDone : fail(done, next_step_after(done));
}

}  // namespace edged::kvctl
