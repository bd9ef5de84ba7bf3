// SPDX-License-Identifier: Apache-2.0
// See dispatcher.h.
#include "kvstore/server/dispatcher.h"

#include <array>
#include <optional>
#include <utility>

#include "kvstore/server/admin.h"
#include "kvstore/server/reads.h"
#include "kvstore/server/writes.h"

namespace edged::server {
namespace {

using wire::Opcode;

constexpr std::array kOpcodes{Opcode::kGet,
                              Opcode::kPut,
                              Opcode::kPutIfAbsent,
                              Opcode::kPutIfPresent,
                              Opcode::kPutIfVersion,
                              Opcode::kDelete,
                              Opcode::kDeleteIfVersion,
                              Opcode::kMultiGet,
                              Opcode::kMultiPut,
                              Opcode::kMultiDelete,
                              Opcode::kList,
                              Opcode::kOpen,
                              Opcode::kPing,
                              Opcode::kStats,
                              Opcode::kNamespaceCreate,
                              Opcode::kNamespaceList};
constexpr std::array<const char*, 5> kClasses{
    "answered", "invalid", "try_again", "not_allowed", "failed"};

constexpr std::uint16_t kFlagsKnown = wire::kFlagCrc | wire::kFlagMetadata | wire::kFlagInfo |
                                      wire::kFlagNoCache | wire::kFlagSync | wire::kFlagStaleOk |
                                      wire::kFlagWithValues;

bool implemented(Opcode opcode) {
  for (const Opcode known : kOpcodes) {
    if (known == opcode) {
      return true;
    }
  }
  return false;
}

Status check_request(const wire::Request& request) {
  if (!implemented(request.opcode)) {
    return {Code::kUnsupported,
            "could not do operation " + std::to_string(static_cast<int>(request.opcode)) + " (" +
                std::string(wire::opcode_name(request.opcode)) +
                "): this node does not implement it"};
  }
  if ((request.flags & ~kFlagsKnown) != 0) {
    return {Code::kUnsupported,
            "could not honour flags " + std::to_string(request.flags & ~kFlagsKnown) +
                ": this node does not implement them"};
  }
  return {};
}

}  // namespace

struct Dispatcher::Metrics {
  explicit Metrics(MetricsRegistry& registry)
      : connections(registry.gauge("edged_kv_connections", "Open binary connections.")),
        seconds(registry.histogram("edged_kv_request_seconds",
                                   "From a request's arrival to its response.")),
        hits(registry.counter("edged_kv_keys_total", "Keys read.", {{"result", "hit"}})),
        misses(registry.counter("edged_kv_keys_total", "Keys read.", {{"result", "miss"}})) {
    for (std::size_t i = 0; i <= kOpcodes.size(); ++i) {
      const std::string name(i < kOpcodes.size() ? wire::opcode_name(kOpcodes[i]) : "unknown");
      for (std::size_t c = 0; c < kClasses.size(); ++c) {
        requests[i][c] = &registry.counter("edged_kv_requests_total",
                                           "Requests answered.",
                                           {{"opcode", name}, {"class", kClasses[c]}});
      }
    }
    places.fill(kOpcodes.size());
    for (std::size_t i = 0; i < kOpcodes.size(); ++i) {
      places[static_cast<std::uint8_t>(kOpcodes[i])] = static_cast<std::uint8_t>(i);
    }
  }

  void count(Opcode opcode, Code status, Instant start) {
    const std::size_t status_class =
        std::min<std::size_t>(static_cast<std::uint16_t>(status) >> 8, kClasses.size() - 1);
    requests[places[static_cast<std::uint8_t>(opcode)]][status_class]->add();
    seconds.observe(std::chrono::steady_clock::now() - start);
  }

  void count(const KeyCounts& keys) {
    if (keys.hits > 0) {
      hits.add(keys.hits);
    }
    if (keys.misses > 0) {
      misses.add(keys.misses);
    }
  }

  Gauge& connections;
  Histogram& seconds;
  Counter& hits;
  Counter& misses;
  std::array<std::array<Counter*, kClasses.size()>, kOpcodes.size() + 1> requests{};
  std::array<std::uint8_t, 256> places{};
};

Dispatcher::Dispatcher(storage::Store& store,
                       const Clock& clock,
                       MetricsRegistry& registry,
                       DispatcherOptions options)
    : store_(store),
      clock_(clock),
      started_ms_(to_unix_ms(clock.wall_now())),
      metrics_(std::make_shared<Metrics>(registry)),
      durability_(options.durability),
      pool_(options.storage_threads, options.storage_queue_max) {}

Dispatcher::~Dispatcher() = default;

Gauge& Dispatcher::connections() {
  return metrics_->connections;
}

bool Dispatcher::dispatch(const wire::Request& request,
                          const ReplyTo& to,
                          const std::shared_ptr<Completion>& completion,
                          std::uint64_t ticket,
                          std::string& out) {
  const Instant start = std::chrono::steady_clock::now();
  Status checked = check_request(request);
  if (!checked.ok()) {
    metrics_->count(request.opcode, append_failure(to, checked, out), start);
    return true;
  }
  if (is_write(request.opcode)) {
    submit_write(request, to, completion, ticket, start);
    return false;
  }
  if (answer_now(request, to, start, out)) {
    return true;
  }
  post_to_pool(request, to, completion, ticket, start);
  return false;
}

bool Dispatcher::answer_now(const wire::Request& request,
                            const ReplyTo& to,
                            Instant start,
                            std::string& out) {
  KeyCounts keys;
  std::optional<Code> status;
  switch (request.opcode) {
    case Opcode::kGet:
      status = answer_get(store_, request, to, storage::ReadTier::kMemory, keys, out);
      break;
    case Opcode::kMultiGet:
      status = answer_multi_get(store_, request, to, storage::ReadTier::kMemory, keys, out);
      break;
    case Opcode::kOpen:
      status = answer_open(store_, request, to, out);
      break;
    case Opcode::kPing:
      status = answer_ping(clock_, request, to, out);
      break;
    case Opcode::kNamespaceList:
      status = answer_namespace_list(store_, request, to, out);
      break;
    default:
      break;
  }
  if (status) {
    metrics_->count(keys);
    metrics_->count(request.opcode, *status, start);
  }
  return status.has_value();
}

Code Dispatcher::answer_from_disk(const wire::Request& request,
                                  const ReplyTo& to,
                                  std::string& out) {
  KeyCounts keys;
  Code status = Code::kInternal;
  switch (request.opcode) {
    case Opcode::kGet:
      status = *answer_get(store_, request, to, storage::ReadTier::kDisk, keys, out);
      break;
    case Opcode::kMultiGet:
      status = *answer_multi_get(store_, request, to, storage::ReadTier::kDisk, keys, out);
      break;
    case Opcode::kList:
      status = answer_list(store_, request, to, out);
      break;
    case Opcode::kNamespaceCreate:
      status = answer_namespace_create(store_, request, to, out);
      break;
    case Opcode::kStats:
      status = answer_stats(
          store_, clock_, NodeStats{started_ms_, metrics_->connections.value()}, to, out);
      break;
    default:
      status = append_failure(to, Status(Code::kInternal, "could not route the operation"), out);
  }
  metrics_->count(keys);
  return status;
}

void Dispatcher::submit_write(const wire::Request& request,
                              const ReplyTo& to,
                              const std::shared_ptr<Completion>& completion,
                              std::uint64_t ticket,
                              Instant start) {
  Result<PlannedWrite> planned = plan_write(request, durability_);
  if (!planned || planned->write.operations.empty()) {
    std::string response;
    const Code status =
        planned
            ? answer_write(*std::move(planned), std::vector<storage::WriteOutcome>{}, to, response)
            : append_failure(to, planned.error(), response);
    metrics_->count(request.opcode, status, start);
    completion->complete(ticket, std::move(response));
    return;
  }
  storage::Write write = std::move(planned->write);
  // Shared, because a std::function must be copyable.
  auto plan = std::make_shared<PlannedWrite>(*std::move(planned));
  auto done = [plan, to, completion, ticket, start, metrics = metrics_](
                  Result<std::vector<storage::WriteOutcome>> written) {
    std::string response;
    const Code status = answer_write(std::move(*plan), std::move(written), to, response);
    metrics->count(to.opcode, status, start);
    completion->complete(ticket, std::move(response));
  };
  store_.submit(std::move(write), std::move(done));
}

void Dispatcher::post_to_pool(const wire::Request& request,
                              const ReplyTo& to,
                              const std::shared_ptr<Completion>& completion,
                              std::uint64_t ticket,
                              Instant start) {
  auto owned = std::make_shared<OwnedRequest>(request);
  const bool posted = pool_.post([this, owned, to, completion, ticket, start] {
    std::string response;
    const Code status = answer_from_disk(owned->request(), to, response);
    metrics_->count(to.opcode, status, start);
    completion->complete(ticket, std::move(response));
  });
  if (!posted) {
    std::string response;
    append_failure(
        to, Status(Code::kBusy, "could not read: too many reads wait for the disk"), response);
    metrics_->count(to.opcode, Code::kBusy, start);
    completion->complete(ticket, std::move(response));
  }
}

}  // namespace edged::server
