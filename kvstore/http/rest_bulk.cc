// SPDX-License-Identifier: Apache-2.0
// Bulk writes, deletes and reads. A large body is parsed as it comes, one at a time: its values may
// take several times 100 MB of memory.
#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "kvstore/http/await_done.h"
#include "kvstore/http/bounded_json.h"
#include "kvstore/http/bulk_read.h"
#include "kvstore/http/bulk_write.h"
#include "kvstore/http/rest_body.h"
#include "kvstore/http/rest_call.h"
#include "kvstore/http/rest_envelope.h"
#include "proto/json/write_json.h"

namespace edged::kv_http {
namespace {

namespace asio = boost::asio;
using storage::Operation;
using storage::WriteOutcome;
using Time = std::chrono::steady_clock::time_point;
using Operations = std::vector<Operation>;

constexpr std::string_view kGet = "bulk get keys";
constexpr std::size_t kPieceBytes = 64 * 1024;
// How long a request waits for its turn.
constexpr std::chrono::seconds kTurnTimeout{30};
// While one has its turn, its client must not keep it waiting for longer than this and the time
// that its body takes at this rate.
constexpr std::chrono::seconds kBodyGrace{10};
constexpr std::uint64_t kBodyBytesPerSecond = 256 * 1024;
// One Write is one turn of the store's writer; a request of many is several.
constexpr std::size_t kWriteOperationsMax = 1000;
constexpr std::size_t kWriteBytesMax = 4 * 1024 * 1024;

http::Response too_many_bulk_requests(std::string_view why) {
  std::string message("too many bulk requests: ");
  message += why;
  return rest_failure(429, 10046, message);
}

// The turn of a request that reads a bulk body; given back when it is destroyed.
class BulkTurn {
 public:
  explicit BulkTurn(RestShared& shared) : shared_(shared) {}
  BulkTurn(const BulkTurn&) = delete;
  BulkTurn& operator=(const BulkTurn&) = delete;
  ~BulkTurn() {
    if (!taken_) return;
    shared_.bulk_busy = false;
    shared_.bulk_free.notify_all();
  }

  // False if it did not come in time.
  asio::awaitable<bool> take() {
    const auto is_free = [this] { return !shared_.bulk_busy; };
    const Time deadline = std::chrono::steady_clock::now() + kTurnTimeout;
    taken_ = co_await shared_.bulk_free.wait_until(deadline, is_free);
    if (taken_) shared_.bulk_busy = true;
    co_return taken_;
  }

 private:
  RestShared& shared_;
  bool taken_ = false;
};

// Feeds the body to the parser. Errors: those of read_body() and BoundedJson; kDeadlineExceeded (it
// comes too slowly while others wait for their turn).
asio::awaitable<Status> read_json(http::Exchange& exchange, BoundedJson& parser) {
  std::chrono::steady_clock::duration waited{};
  std::uint64_t bytes = 0;
  for (;;) {
    const Time begin = std::chrono::steady_clock::now();
    Result<std::string> piece = co_await exchange.read_body(kPieceBytes);
    waited += std::chrono::steady_clock::now() - begin;
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return Status();
    bytes += piece->size();
    if (bytes > kBulkBodyBytesMax) co_return Status(Code::kTooLarge, "payload too large");
    const auto allowed = kBodyGrace + std::chrono::seconds(bytes / kBodyBytesPerSecond);
    if (waited > allowed) {
      co_return Status(Code::kDeadlineExceeded, "the body comes too slowly");
    }
    Status fed = parser.feed(*piece);
    if (!fed.ok()) co_return fed;
  }
}

// The result of a bulk request: how many entries were written, and the keys of the others.
struct Outcome {
  std::size_t written = 0;
  std::vector<std::string> failed;  // keys
  Status error;                     // of the first that failed
};

// The part of an operation that is kept for the answer; the operation itself is moved into a Write.
struct Name {
  std::string key;
  bool is_delete = false;
};

void count(Name name, Code code, std::string_view message, Outcome& outcome) {
  if (code == Code::kOk || (code == Code::kNotFound && name.is_delete)) {
    ++outcome.written;
    return;
  }
  if (outcome.error.ok()) outcome.error = Status(code, std::string(message));
  outcome.failed.push_back(std::move(name.key));
}

asio::awaitable<void> write_part(RestCall& call, Operations part, Outcome& outcome) {
  std::vector<Name> names;
  for (const Operation& operation : part) {
    names.push_back({key_of(operation), std::holds_alternative<storage::Delete>(operation)});
  }
  storage::Write write;
  write.operations = std::move(part);
  write.durability = storage::Durability::kSync;
  using Outcomes = std::vector<WriteOutcome>;
  auto start = [&](operations::Done<Outcomes> done) {
    call.shared.operations.write(call.caller, std::move(write), std::move(done));
  };
  Result<Outcomes> outcomes = co_await await_done<Outcomes>(start);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Code code = outcomes ? (*outcomes)[i].code : outcomes.code();
    const std::string& why = outcomes ? (*outcomes)[i].message : outcomes.error().message();
    count(std::move(names[i]), code, why, outcome);
  }
}

// In order, a part at a time, so that later entries win over earlier ones of the same name.
asio::awaitable<Outcome> write_all(RestCall& call, Operations operations) {
  Outcome outcome;
  for (std::size_t next = 0; next < operations.size();) {
    Operations part;
    std::size_t bytes = 0;
    while (next < operations.size() && part.size() < kWriteOperationsMax) {
      bytes += bytes_of(operations[next]);
      if (!part.empty() && bytes > kWriteBytesMax) break;
      part.push_back(std::move(operations[next++]));
    }
    co_await write_part(call, std::move(part), outcome);
  }
  co_return outcome;
}

// Nothing was written: the error. Else the counts.
http::Response answer(std::string_view operation, const Outcome& outcome) {
  if (outcome.written == 0 && !outcome.error.ok()) return rest_failure(operation, outcome.error);
  std::string result = "{\"successful_key_count\":";
  result.append(std::to_string(outcome.written)).append(",\"unsuccessful_keys\":[");
  for (std::size_t i = 0; i < outcome.failed.size(); ++i) {
    if (i != 0) result += ',';
    result += write_json_string(outcome.failed[i]);
  }
  result += "]}";
  return rest_success(result);
}

using Parse = Checked<Operations> (*)(const RestCall&, const boost::json::value&);

asio::awaitable<std::variant<Operations, http::Response>> read_operations(
    RestCall& call, std::string_view operation, Parse parse) {
  BoundedJson parser(call.shared.bulk_memory_bytes_max);
  Status read = co_await read_json(call.exchange, parser);
  const auto document = read.ok() ? parser.finish() : Result<const boost::json::value*>(read);
  if (!document) co_return rest_failure(operation, document.error());
  Checked<Operations> operations = parse(call, **document);
  if (const auto* refused = std::get_if<Refusal>(&operations)) {
    co_return rest_failure(operation, *refused);
  }
  co_return std::get<Operations>(std::move(operations));
}

RestEndpoint bulk_write(RestCall& call, std::string_view operation, Parse parse) {
  BulkTurn turn(call.shared);
  const bool taken = co_await turn.take();
  if (!taken) {
    co_await rest_send(call, too_many_bulk_requests("another one is being read"));
    co_return;
  }
  auto operations = co_await read_operations(call, operation, parse);
  if (auto* refused = std::get_if<http::Response>(&operations)) {
    co_await rest_send(call, std::move(*refused));
    co_return;
  }
  const Outcome outcome = co_await write_all(call, std::get<Operations>(std::move(operations)));
  co_await rest_send(call, answer(operation, outcome));
}

// In one answer if it is small, else in pieces.
RestEndpoint send_values(RestCall& call, BulkReadAnswer& values) {
  std::string first(rest_success_begin());
  first.append("{\"values\":").append(values.next());
  std::string piece = values.next();
  std::string last("}");
  last += rest_success_end();
  http::ResponseHead head;
  head.content_type = "application/json";
  if (piece.empty()) {
    http::Response whole;
    whole.content_type = head.content_type;
    whole.body = first + last;
    co_await rest_send(call, std::move(whole));
    co_return;
  }
  Status sent = co_await call.exchange.begin(std::move(head), std::nullopt);
  if (sent.ok()) sent = co_await call.exchange.write(first);
  for (; sent.ok() && !piece.empty(); piece = values.next()) {
    sent = co_await call.exchange.write(piece);
  }
  if (sent.ok()) sent = co_await call.exchange.write(last);
  if (sent.ok()) (void)co_await call.exchange.end();
}

}  // namespace

RestEndpoint rest_bulk_put(RestCall& call) {
  const Parse parse = [](const RestCall& of, const boost::json::value& document) {
    return parse_bulk_put(document, of.ns, of.shared.clock.wall_now());
  };
  co_await bulk_write(call, "bulk put", parse);
}

RestEndpoint rest_bulk_delete(RestCall& call) {
  const Parse parse = [](const RestCall& of, const boost::json::value& document) {
    return parse_bulk_delete(document, of.ns);
  };
  co_await bulk_write(call, "bulk remove keys", parse);
}

RestEndpoint rest_bulk_get(RestCall& call) {
  Result<std::string> body = co_await read_whole_body(call.exchange, kBulkReadBodyBytesMax);
  if (!body) {
    co_await rest_send(call, rest_failure(kGet, body.error()));
    co_return;
  }
  Checked<BulkRead> read = parse_bulk_read(*body);
  if (const auto* refused = std::get_if<Refusal>(&read)) {
    co_await rest_send(call, rest_failure(kGet, *refused));
    co_return;
  }
  BulkSlots::Slot slot = co_await call.shared.bulk_answers.acquire(kBulkPatience);
  if (!slot) {
    co_await rest_send(call, too_many_bulk_requests("others are being answered"));
    co_return;
  }
  BulkRead& wanted = std::get<BulkRead>(read);
  using Entries = std::vector<Result<storage::Entry>>;
  auto start = [&](operations::Done<Entries> done) {
    call.shared.operations.get_many(
        call.caller, call.ns, wanted.keys, kBulkReadBytesMax, std::move(done));
  };
  Result<Entries> entries = co_await await_done<Entries>(start);
  if (!entries) {
    http::Response response = entries.code() == Code::kTooLarge
                                  ? rest_failure(kGet, bulk_read_too_large())
                                  : rest_failure(kGet, entries.error());
    co_await rest_send(call, std::move(response));
    co_return;
  }
  BulkReadAnswer values(std::move(wanted), *std::move(entries), true);
  if (values.value_bytes() <= kBulkSmallBytes) slot.release();
  const Status error = values.error();
  const Check refused = error.ok() ? values.check() : std::nullopt;
  if (!error.ok() || refused) {
    http::Response response = refused ? rest_failure(kGet, *refused) : rest_failure(kGet, error);
    co_await rest_send(call, std::move(response));
    co_return;
  }
  co_await send_values(call, values);
}

}  // namespace edged::kv_http
