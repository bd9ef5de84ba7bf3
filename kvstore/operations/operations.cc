// SPDX-License-Identifier: Apache-2.0
// See operations.h. Namespaces: namespace_operations.cc.
#include "kvstore/operations/operations.h"

#include <algorithm>
#include <utility>

#include "kvstore/operations/disk_reads.h"
#include "kvstore/operations/shared.h"
#include "kvstore/operations/write_rules.h"

namespace edged::operations {
namespace {

using storage::Entry;
using storage::NamespaceNumber;

// Reads above this take the pool's long lane.
constexpr std::size_t kShortBytesMax = 256 * 1024;
constexpr std::size_t kKeysMax = 1000;
constexpr std::size_t kPageBytesMax = 1024 * 1024;

KeyCounts counts_of(Code code) {
  return {code == Code::kOk ? 1U : 0U, code == Code::kNotFound ? 1U : 0U};
}

}  // namespace

Operations::Operations(storage::Store& store,
                       const access::AccessTable* access,
                       MetricsRegistry& registry,
                       OperationsOptions options)
    : options_(options),
      store_(store),
      shared_(new Shared{.store = store, .work = work_}),
      work_(options.work) {
  for (const Face face : {Face::kBinary, Face::kRest, Face::kBinding, Face::kRedis}) {
    contexts_.push_back({access,
                         store,
                         registry.counter("edged_auth_failures_total",
                                          "Tokens shown that were not valid.",
                                          {{"face", std::string(face_name(face))}}),
                         face});
    // The binary face counts its own requests, by opcode.
    if (face == Face::kBinary) continue;
    shared_->metrics[static_cast<std::size_t>(face)] =
        std::make_unique<RequestMetrics>(registry, face);
  }
}

Operations::~Operations() {
  stop();
}

void Operations::stop() {
  shared_->stopping = true;
  shared_->pending.wait_for_none();
}

Result<Caller> Operations::identify(Face face, std::optional<std::string_view> bearer) const {
  Caller caller(context(face));
  if (caller.is_open()) return caller;
  const Status status = bearer ? caller.show(*bearer) : caller.identify();
  return status.ok() ? Result<Caller>(std::move(caller)) : Result<Caller>(status);
}

Caller Operations::trusted(Face face) const {
  Caller caller(context(face));
  caller.trust();
  return caller;
}

const AccessContext& Operations::context(Face face) const {
  return contexts_[static_cast<std::size_t>(face)];
}

void Operations::put_upload(std::shared_ptr<StagedUpload> upload,
                            storage::Write write,
                            storage::WriteCallback done) {
  put_staged(*shared_, std::move(upload), std::move(write), std::move(done));
}

Status Operations::judge_queues(Caller& caller) const {
  if (shared_->stopping.load()) return {Code::kUnavailable, "the node is stopping"};
  Demand demand;
  demand.name = kind_name(Kind::kQueues);
  demand.rule = rule_of(Kind::kQueues);
  return caller.authorize(demand);
}

void Operations::count_queues(Face face, Code status, std::chrono::steady_clock::time_point start) {
  shared_->metrics[static_cast<std::size_t>(face)]->count(Kind::kQueues, status, start);
}

void Operations::get(Caller caller,
                     NamespaceNumber ns,
                     std::string key,
                     std::size_t value_bytes_max,
                     Done<Entry> done) {
  const auto call =
      std::make_shared<Call<Entry>>(*shared_, Kind::kGet, std::move(caller), std::move(done));
  Status allowed = call->authorize(demand_of(Kind::kGet, ns, key));
  if (allowed.ok()) allowed = check_key(key);
  if (!allowed.ok()) return call->answer(allowed);
  RequestMetrics& metrics = shared_->metrics_of(call->caller);
  Result<Entry> read = store_.get(ns, key, storage::ReadTier::kMemory);
  if (read.code() != Code::kBusy && (!read || read->value.size() <= value_bytes_max)) {
    metrics.count(counts_of(read.code()));
    return call->answer(std::move(read));
  }
  const auto length = value_bytes_max > kShortBytesMax ? Work::Length::kLong : Work::Length::kShort;
  call->run(length, [this, ns, key = std::move(key), value_bytes_max, &metrics] {
    Result<Entry> found = read_entry(store_, ns, key, value_bytes_max);
    metrics.count(counts_of(found.code()));
    return found;
  });
}

void Operations::open_value(Caller caller,
                            NamespaceNumber ns,
                            std::string key,
                            Done<std::shared_ptr<ValueStream>> done) {
  using Stream = std::shared_ptr<ValueStream>;
  const auto call =
      std::make_shared<Call<Stream>>(*shared_, Kind::kGet, std::move(caller), std::move(done));
  Status allowed = call->authorize(demand_of(Kind::kGet, ns, key));
  if (allowed.ok()) allowed = check_key(key);
  if (allowed.ok() && shared_->streams >= options_.streams_max) {
    allowed = {Code::kBusy, "could not read value: too many values are being read in pieces"};
  }
  if (!allowed.ok()) return call->answer(allowed);
  call->run(Work::Length::kShort,
            [this, ns, key = std::move(key), who = call->caller]() -> Result<Stream> {
              auto reader = open_reader(store_, ns, key);
              shared_->metrics_of(who).count(counts_of(reader.code()));
              if (!reader) return reader.error();
              return std::make_shared<ValueStream>(*shared_, who, ns, key, *std::move(reader));
            });
}

void Operations::get_many(Caller caller,
                          NamespaceNumber ns,
                          std::vector<std::string> keys,
                          std::size_t bytes_max,
                          Done<std::vector<Result<Entry>>> done) {
  using Entries = std::vector<Result<Entry>>;
  const auto call =
      std::make_shared<Call<Entries>>(*shared_, Kind::kGetMany, std::move(caller), std::move(done));
  Status allowed;
  if (keys.empty() || keys.size() > kKeysMax) {
    allowed = {Code::kInvalidArgument, "could not read keys: 1 to 1000 are allowed"};
  }
  for (const std::string& key : keys) {
    if (allowed.ok()) allowed = call->authorize(demand_of(Kind::kGet, ns, key));
    if (allowed.ok()) allowed = check_key(key);
  }
  if (!allowed.ok()) return call->answer(allowed);
  RequestMetrics& metrics = shared_->metrics_of(call->caller);
  call->run(Work::Length::kLong, [this, ns, keys = std::move(keys), bytes_max, &metrics] {
    Result<Entries> entries = read_entries(store_, ns, keys, bytes_max);
    KeyCounts counts;
    for (std::size_t i = 0; entries && i < entries->size(); ++i) {
      counts.hits += counts_of((*entries)[i].code()).hits;
      counts.misses += counts_of((*entries)[i].code()).misses;
    }
    metrics.count(counts);
    return entries;
  });
}

void Operations::list(Caller caller, storage::ListRequest request, Done<storage::ListPage> done) {
  const auto call = std::make_shared<Call<storage::ListPage>>(
      *shared_, Kind::kList, std::move(caller), std::move(done));
  Demand demand = demand_of(Kind::kList, request.ns, request.prefix);
  if (request.with_values) demand.for_flags.add(access::Scope::kRead);
  request.reader = storage::Reader::kAnyone;
  if (request.with_values) request.bytes_max = kPageBytesMax;
  const Status allowed = call->authorize(demand);
  if (!allowed.ok()) return call->answer(allowed);
  call->run(Work::Length::kLong,
            [this, request = std::move(request)] { return store_.list(request); });
}

void Operations::write(Caller caller,
                       storage::Write write,
                       Done<std::vector<storage::WriteOutcome>> done) {
  const auto call = std::make_shared<Call<std::vector<storage::WriteOutcome>>>(
      *shared_, kind_of(write), std::move(caller), std::move(done));
  const std::size_t bytes = bytes_of(write);
  Status allowed = call->admit();
  if (allowed.ok()) allowed = authorize_write(call->caller, write);
  const std::size_t held = shared_->write_bytes.fetch_add(bytes);
  if (allowed.ok() && held > 0 && held + bytes > options_.write_bytes_max) {
    allowed = {Code::kBusy, "could not write: the memory limit of writes under way is reached"};
  }
  if (!allowed.ok()) {
    shared_->write_bytes.fetch_sub(bytes);
    return call->answer(allowed);
  }
  const bool atomic = write.atomic;
  work_.under_way()->begin();
  store_.submit(std::move(write),
                [this, call, bytes, atomic](Result<std::vector<storage::WriteOutcome>> written) {
                  work_.under_way()->end();
                  shared_->write_bytes.fetch_sub(bytes);
                  const Code code = code_of(written, atomic);
                  call->answer(std::move(written), code);
                });
}

void Operations::begin_upload(Caller caller,
                              NamespaceNumber ns,
                              std::string key,
                              Done<std::shared_ptr<Upload>> done) {
  const auto call = std::make_shared<Call<std::shared_ptr<Upload>>>(
      *shared_, Kind::kPut, std::move(caller), std::move(done));
  Status allowed = call->authorize(demand_of(Kind::kPut, ns, key));
  if (allowed.ok()) allowed = check_key(key);
  if (!allowed.ok()) return call->answer(allowed);
  auto upload = std::make_shared<Upload>(*shared_, call->caller, ns, std::move(key));
  const std::shared_ptr<StagedUpload> staged = upload->staged_;
  staged->append({}, [call, upload](const Status& begun) {
    if (begun.ok()) {
      call->answer_uncounted(upload);  // the put is counted
    } else {
      call->answer(begun);
    }
  });
}

}  // namespace edged::operations
