// SPDX-License-Identifier: Apache-2.0
// See dispatcher.h.
#include "kvstore/server/dispatcher.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kvstore/server/admin.h"
#include "kvstore/server/fragmented_get.h"
#include "kvstore/server/plain_reads.h"
#include "kvstore/server/routes.h"
#include "kvstore/server/token_admin.h"
#include "kvstore/server/writes.h"

namespace edged::server {
namespace {

using wire::Opcode;

// Of items, about 64.
constexpr std::size_t kMultiGetHereBytesMax = 2048;
// What a connection keeps for its next GET.
constexpr std::size_t kScratchBytesMax = 1024;

// Of the known operations, and of all others.
std::vector<std::string_view> metric_names() {
  std::vector<std::string_view> names;
  for (const KnownOperation& known : known_operations()) {
    names.push_back(wire::opcode_name(known.opcode));
  }
  names.emplace_back("unknown");
  return names;
}

}  // namespace

Dispatcher::Dispatcher(operations::Operations& operations,
                       storage::Store& store,
                       const Clock& clock,
                       MetricsRegistry& registry,
                       DispatcherOptions options)
    : operations_(operations),
      store_(store),
      clock_(clock),
      started_ms_(to_unix_ms(clock.wall_now())),
      connections_(registry.gauge("edged_kv_connections", "Open binary connections.")),
      metrics_(std::make_shared<operations::RequestMetrics>(
          registry, operations::Face::kBinary, metric_names())),
      durability_(options.durability),
      access_(options.access),
      under_way_(operations.work().under_way()),
      write_answers_(std::make_shared<WriteAnswers>(metrics_, under_way_)),
      memory_(options.connection_bytes_max) {}

Dispatcher::~Dispatcher() {
  reads_.wait_for_none();
}

void Dispatcher::count(Opcode opcode, Code status, Instant start) {
  metrics_->count(place_of(opcode), status, start);
}

void Dispatcher::refuse_busy(const wire::Request& request,
                             const ReplyTo& to,
                             const char* why,
                             std::string& out) {
  metrics_->count(
      place_of(request.opcode),
      append_failure(to, Status(Code::kBusy, std::string("could not take request: ") + why), out),
      std::chrono::steady_clock::now());
}

bool Dispatcher::dispatch(const wire::Request& request,
                          const ReplyTo& to,
                          const std::shared_ptr<Completion>& completion,
                          std::uint64_t ticket,
                          Pass& pass,
                          std::string& out) {
  const Instant start = std::chrono::steady_clock::now();
  Status checked = check_request(request);
  if (!checked.ok()) {
    metrics_->count(place_of(request.opcode), append_failure(to, checked, out), start);
    return true;
  }
  const Route route = route_of(request.opcode);
  if (route == Route::kWriter) {
    collect_write(request, to, completion, ticket, pass, start);
    return false;
  }
  if (route != Route::kPool && answer_now(request, to, start, out)) {
    return true;
  }
  post_to_pool(request, to, completion, ticket, start);
  return false;
}

bool Dispatcher::answer_plain_get(const wire::Frame& frame,
                                  std::uint32_t body_bytes_max,
                                  Turn& turn,
                                  std::string& out) {
  if (turn.keys.hits + turn.keys.misses == 0) turn.start = std::chrono::steady_clock::now();
  const std::optional<Code> status =
      server::answer_plain_get(store_, frame, body_bytes_max, turn.scratch, out);
  if (!status) return false;
  ++(*status == Code::kOk ? turn.keys.hits : turn.keys.misses);
  return true;
}

void Dispatcher::end(Turn& turn) {
  const std::uint64_t answered = turn.keys.hits + turn.keys.misses;
  if (answered == 0) return;
  metrics_->count(turn.keys);
  metrics_->count_answered(place_of(Opcode::kGet), answered, turn.start);
  turn.keys = {};
  if (turn.scratch.value.capacity() > kScratchBytesMax) turn.scratch = {};
}

bool Dispatcher::answer_now(const wire::Request& request,
                            const ReplyTo& to,
                            Instant start,
                            std::string& out) {
  KeyCounts keys;
  std::optional<Code> status;
  const std::size_t before = out.size();
  switch (request.opcode) {
    case Opcode::kGet:
      status = answer_get(store_, request, to, storage::ReadTier::kMemory, keys, out);
      break;
    case Opcode::kMultiGet:
      status = answer_plain_multi_get(store_, request, to, keys, out);
      if (status) break;
      // Many keys take longer than the others of this reactor are to wait: the pool's work.
      if (request.value.size() > kMultiGetHereBytesMax) break;
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
    case Opcode::kNamespaceUsage:
      status = answer_namespace_usage(store_, request, to, out);
      break;
    default:
      break;
  }
  if (status) {
    metrics_->count(keys);
    metrics_->count(place_of(request.opcode), *status, start);
    if (to.quiet && goes_without_saying(request.opcode, *status)) {
      out.resize(before);
    }
  }
  return status.has_value();
}

Code Dispatcher::execute_on_disk(const wire::Request& request,
                                 const ReplyTo& to,
                                 std::string& out) {
  KeyCounts keys;
  switch (request.opcode) {
    case Opcode::kMultiGet: {
      const Code status =
          *answer_multi_get(store_, request, to, storage::ReadTier::kDisk, keys, out);
      metrics_->count(keys);
      return status;
    }
    case Opcode::kList:
      return answer_list(store_, request, to, out);
    case Opcode::kNamespaceCreate:
      return answer_namespace_create(store_, request, to, out);
    case Opcode::kNamespaceRename:
    case Opcode::kNamespaceDelete:
    case Opcode::kNamespaceClear:
      return answer_namespace_change(store_, request, to, out);
    case Opcode::kClockConfirm:
      return answer_status(store_.confirm_clock(), to, out);
    case Opcode::kTokenCreate:
    case Opcode::kTokenList:
    case Opcode::kTokenRevoke:
      return answer_token_operation(access_, store_, request, to, out);
    case Opcode::kStats:
      return answer_stats(store_, clock_, NodeStats{started_ms_, connections_.value()}, to, out);
    default:
      return append_failure(to, Status(Code::kInternal, "could not route the operation"), out);
  }
}

void Dispatcher::answer_from_disk(const wire::Request& request,
                                  const ReplyTo& to,
                                  const std::shared_ptr<Completion>& completion,
                                  std::uint64_t ticket,
                                  Instant start) {
  std::string response;
  std::function<void()> go_on;
  Code status = Code::kOk;
  if (request.opcode == Opcode::kGet) {
    KeyCounts keys;
    const Delivery delivery{completion, ticket, pool()};
    status = answer_get_from_disk(store_, request, to, delivery, keys, response, go_on);
    metrics_->count(keys);
  } else {
    status = execute_on_disk(request, to, response);
  }
  metrics_->count(place_of(to.opcode), status, start);
  under_way_->end();
  if (go_on) {
    completion->complete_part(ticket, std::move(response), std::move(go_on));
    return;
  }
  if (to.quiet && goes_without_saying(to.opcode, status)) {
    response.clear();
  }
  completion->complete(ticket, std::move(response));
}

void Dispatcher::collect_write(const wire::Request& request,
                               const ReplyTo& to,
                               const std::shared_ptr<Completion>& completion,
                               std::uint64_t ticket,
                               Pass& pass,
                               Instant start) {
  Result<PlannedWrite> planned = plan_write(request, durability_);
  if (!planned || planned->write.operations.empty()) {
    std::string response;
    const Code status =
        planned
            ? answer_write(*std::move(planned), std::vector<storage::WriteOutcome>{}, to, response)
            : append_failure(to, planned.error(), response);
    metrics_->count(place_of(request.opcode), status, start);
    completion->complete(ticket, std::move(response));
    return;
  }
  write_answers_->begin();
  Pass::Request collected{*std::move(planned), to, completion, ticket, start, write_answers_};
  pass.add(std::move(collected), *completion);
}

void Dispatcher::commit_upload(std::shared_ptr<operations::StagedUpload> upload,
                               const wire::Request& request,
                               const ReplyTo& to,
                               const std::shared_ptr<Completion>& completion,
                               std::uint64_t ticket) {
  const Instant start = std::chrono::steady_clock::now();
  Status checked = check_request(request);
  Result<PlannedWrite> planned =
      checked.ok() ? plan_write(request, durability_) : Result<PlannedWrite>(checked);
  if (!planned) {
    std::string response;
    metrics_->count(place_of(to.opcode), append_failure(to, planned.error(), response), start);
    completion->complete(ticket, std::move(response));
    return;
  }
  storage::Write write = std::move(planned->write);
  auto plan = std::make_shared<PlannedWrite>(*std::move(planned));
  auto done = [plan, to, completion, ticket, start, answers = write_answers_](
                  Result<std::vector<storage::WriteOutcome>> written) {
    std::string response;
    answers->answer(*plan, std::move(written), to, start, response);
    completion->complete(ticket, std::move(response));
  };
  write_answers_->begin();
  operations_.put_upload(std::move(upload), std::move(write), std::move(done));
}

void Dispatcher::post_to_pool(const wire::Request& request,
                              const ReplyTo& to,
                              const std::shared_ptr<Completion>& completion,
                              std::uint64_t ticket,
                              Instant start) {
  auto owned = std::make_shared<OwnedRequest>(request);
  const auto length = request.opcode == Opcode::kGet ? operations::StoragePool::Length::kShort
                                                     : operations::StoragePool::Length::kLong;
  reads_.begin();
  const bool posted = operations_.work().post(
      completion.get(), length, [this, owned, to, completion, ticket, start] {
        answer_from_disk(owned->request(), to, completion, ticket, start);
        reads_.end();  // last: the dispatcher may go
      });
  if (!posted) {
    reads_.end();
    std::string response;
    append_failure(
        to, Status(Code::kBusy, "could not read: the queue of reads from disk is full"), response);
    metrics_->count(place_of(to.opcode), Code::kBusy, start);
    completion->complete(ticket, std::move(response));
  }
}

}  // namespace edged::server
