// SPDX-License-Identifier: Apache-2.0
// The protocols that the load generator speaks. A dialect turns an operation into requests and
// judges the answers: each value is compared with what its key must have. Requests that repeat are
// stored with gaps for the keys, so that asking costs the generator about the same in each. One
// thread; no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/status.h"
#include "tools/bench/load_keys.h"
#include "tools/bench/load_values.h"

namespace edged::bench {

// One operation is: a GET or a PUT of one key; a GET of several keys; a page of entries, keys and
// values, from where the page before it on the same place of the connection ended.
enum class Work { kKeys, kMultiGet, kList };

struct DialectOptions {
  Work work = Work::kKeys;
  std::size_t items = 1;  // of a multi-get or a page
  std::size_t value_bytes = 100;
  std::size_t put_value_bytes = 0;  // 0: value_bytes; else the keys put must not be read
  std::uint64_t ttl_ms = 0;         // of puts; 0: none
  bool sync = false;                // KVB/1: puts ask to be on disk
  std::uint32_t ns = 0;             // KVB/1: the handle
};

// What a place of a connection has under way. `cursor` stays from operation to operation.
struct Exchange {
  Keys::Operation operation{};
  std::string cursor{};
  std::string more{};     // the request that follows an answer judged kMore
  std::size_t items = 0;  // entries of the answers so far
};

// How much of an answer was looked at: it may arrive in pieces. Fresh for each answer.
struct Scan {
  std::size_t at = 0;
  std::size_t parts = 1;  // still to come
};

struct Answer {
  std::size_t bytes = 0;              // 0: it has not arrived whole
  std::optional<std::uint32_t> id{};  // none: answers come in the order of the requests
  bool broken = false;                // it is no answer; the stream cannot be continued
};

enum class Verdict { kRight, kWrong, kMore };

class Dialect {
 public:
  Dialect(const DialectOptions& options, const Keys& keys)
      : options_(options),
        keys_(keys),
        values_(options.value_bytes),
        put_values_(options.put_value_bytes > 0 ? options.put_value_bytes : options.value_bytes) {}
  virtual ~Dialect() = default;
  Dialect(const Dialect&) = delete;
  Dialect& operator=(const Dialect&) = delete;

  // What a connection sends first, and how many bytes come back.
  virtual std::string greeting() const { return {}; }
  virtual std::size_t greeting_answer_bytes() const { return 0; }
  virtual bool has_ids() const { return false; }

  virtual void ask(const Exchange& exchange, std::uint32_t id, std::string& out) const = 0;
  // The answer at the front of `bytes`, which is not empty.
  virtual Answer cut(std::string_view bytes, Scan& scan) const = 0;
  // `answer` is one that cut() found. kMore: exchange.more is to be sent, and its answer judged.
  virtual Verdict judge(std::string_view answer, Exchange& exchange) const = 0;

  // Keys of an operation.
  std::size_t keys_each() const { return options_.work == Work::kMultiGet ? options_.items : 1; }

 protected:
  const DialectOptions options_;
  const Keys& keys_;
  const Values values_;      // of reads
  const Values put_values_;  // of writes
};

// A request with gaps for keys, the first at `key_at`, each `stride` behind the one before.
struct Form {
  std::string bytes{};
  std::size_t key_at = 0;
  std::size_t stride = 0, count = 1;

  void append(const Keys& keys, const Keys::Operation& operation, std::string& out) const;
};

// KVB/1 of docs/protocol.md, without checksums, as the clients of proto/net use it.
std::unique_ptr<Dialect> kvb_dialect(const DialectOptions& options, const Keys& keys);
// RESP 2, as Redis' clients use it: GET, SET ... PX, MGET. A page is SCAN and an MGET of what it
// found.
std::unique_ptr<Dialect> resp_dialect(const DialectOptions& options, const Keys& keys);
// The bytes of KVB/1 to a server that answers with as many as the node would (echo_server.cc). No
// pages.
std::unique_ptr<Dialect> echo_dialect(const DialectOptions& options, const Keys& keys);

// Creates the namespace "bench" if it is not there, and opens it. `socket` is connected and
// blocking. Errors: kUnavailable, those of the node.
Result<std::uint32_t> open_bench_namespace(int socket);

}  // namespace edged::bench
