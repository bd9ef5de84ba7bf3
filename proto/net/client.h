// SPDX-License-Identifier: Apache-2.0
// The binary protocol's client for Asio coroutines: one connection, pipelined, reconnecting by
// itself with back-off. docs/protocol.md is the wire; blocking_client.h wraps this for tools.
//
// Namespaces are named by id (32 hexadecimal digits) or title; the client opens each once per
// connection. All calls must be made on the executor's thread (or strand). Every call has a
// deadline, options.call_timeout, which covers connecting; a call that met it is kDeadlineExceeded
// if nothing was sent, kUnknownOutcome if a write was. Reads are repeated once on a new connection
// if theirs broke; writes never are. What the node refuses as busy is repeated up to three times
// after the pause it asked for: nothing of it was done. While the node is unreachable calls fail at
// once (kUnavailable) between attempts to connect, so a dead node costs no time. A node that says
// it is going away is left for a new connection; what is under way is still answered.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::net {

struct ClientOptions {
  // "unix:/path/kv.sock", "127.0.0.1:4780" or, with TLS 1.3, "tls:kv.example.org:4780"; then the
  // node's certificate must be for that name or address.
  std::string address{};
  std::chrono::milliseconds connect_timeout{1000};
  std::chrono::milliseconds call_timeout{2000};
  // A node from which nothing arrives for this long, although an answer or a watch is awaited and
  // it was asked for a sign of life, is given up: its calls and watches end with kUnavailable,
  // writes with kUnknownOutcome. Hosts that vanish are noticed by this alone.
  std::chrono::milliseconds silence_max{20'000};
  // A token, shown on each connection before anything else; empty: none. A node that does not take
  // it answers every call with kUnauthenticated, and is asked again only after seconds.
  std::string credential{};
  // Instead: a file whose first line is the token, read anew for each connection.
  std::string credential_file{};
  // PEM file of the authorities that may vouch for the node's certificate; empty: the system's.
  std::string tls_ca_file{};
};

struct KvEntry {
  std::string value{};
  std::string metadata{};
  std::optional<WallTime> expires_at{};
  std::uint64_t version = 0;
  // Of a key that a mirror owns: the time of which the entry is at least as new as its source, and
  // the position in the source that was reached; as they were before the entry was read.
  std::optional<WallTime> fresh_as_of{};
  std::string position{};  // 0..64 bytes; empty: none known
};

// How fresh a mirrored key must be to be answered. A read that is not met is kStale, and so is one
// of a key that no mirror owns.
struct ReadBounds {
  // The node's time minus fresh_as_of is to be at most this; not negative.
  std::optional<std::chrono::milliseconds> max_staleness{};
  // The mirror is to have reached this position, 0..64 bytes, compared bytewise; empty: any.
  std::string min_position{};
  // Above 0: what is stale is asked again, at most 20 ms apart, until it is not or so much time has
  // passed, beside the call's time-out.
  std::chrono::milliseconds wait{0};
};

// How far a mirror has read its source.
struct MirrorMark {
  std::string position{};                 // 0..64 bytes; empty: none known
  std::optional<WallTime> fresh_as_of{};  // absent: the batch leaves position and time as they are
};

enum class PutMode { kAlways, kIfAbsent, kIfPresent, kIfVersion };

struct PutItem {
  std::string key{};
  std::string value{};
  std::string metadata{};
  std::optional<std::chrono::milliseconds> ttl{};
  std::optional<WallTime> expires_at{};
  PutMode mode = PutMode::kAlways;
  std::uint64_t if_version = 0;
  bool sync = false;  // durable against power loss before the answer
  // Not 0: the lease this put fills (see Client::get_or_lease); kStale if it is void.
  std::uint64_t lease = 0;
};

// A new expiry for what is there; neither field: none.
struct TouchItem {
  std::string key{};
  std::optional<std::chrono::milliseconds> ttl{};
  std::optional<WallTime> expires_at{};
  std::optional<std::uint64_t> if_version{};
};

// An absent entry counts as `initial` and gets the expiry; one that is there keeps its own.
struct AddItem {
  std::string key{};
  std::int64_t delta = 0;
  std::int64_t initial = 0;
  std::optional<std::chrono::milliseconds> ttl{};
};

// What get_or_lease found: an entry; or the lease to fill it (not 0); or when to ask again.
struct KvLeased {
  std::optional<KvEntry> entry{};
  std::uint64_t lease = 0;
  std::chrono::milliseconds retry_after{};
};

struct RemoveItem {
  std::string key{};
  std::optional<std::uint64_t> if_version{};
};

// A condition on an entry that the batch leaves alone.
struct CheckItem {
  enum class Wants { kPresent, kAbsent, kVersion };
  std::string key{};
  Wants wants = Wants::kPresent;
  std::uint64_t version = 0;
};

// `sync` of any put makes the whole batch durable.
using BatchItem = std::variant<PutItem, RemoveItem, TouchItem, AddItem, CheckItem>;

struct BatchOutcome {
  Status status;  // kConflict: another item failed
  std::uint64_t version = 0;
  std::optional<std::int64_t> number{};  // of an AddItem
};

struct BatchResult {
  bool written = false;
  std::vector<BatchOutcome> items;  // in order
};

enum class KvChangeKind { kPut, kDelete, kClear };

struct KvChange {
  KvChangeKind kind = KvChangeKind::kPut;
  std::string key{};  // empty for kClear: the whole namespace
  std::uint64_t version = 0;
  std::optional<WallTime> expires_at{};
};

struct KvListRequest {
  std::string prefix{};
  std::string cursor{};  // empty: from the start
  std::uint32_t limit = 1000;
  bool with_values = false;
  bool ask_cached = false;  // whether the node holds each entry in its cache of those read lately
};

struct KvListItem {
  std::string key{};
  KvEntry entry;  // value empty unless with_values
  std::uint64_t value_bytes = 0;
  std::optional<bool> cached{};  // if it was asked and the node knows
};

struct KvListPage {
  std::vector<KvListItem> items;
  std::string cursor{};  // empty: complete
  // As in KvEntry, of all items: if a mirror owns every key with the prefix.
  std::optional<WallTime> fresh_as_of{};
  std::string position{};
};

struct KvNamespace {
  std::string id{};
  std::string title{};
  WallTime created_at{};
};

// The changes of the keys with a prefix, in order. Destroying it ends the watch. The executor's
// thread only.
class KvWatch {
 public:
  virtual ~KvWatch() = default;
  // Waits for the next changes; one call at a time. An empty list: `timeout` passed. Errors: kStale
  // (changes were missed: read the data again and watch anew); kUnavailable (the connection broke:
  // watch again after seen()).
  virtual boost::asio::awaitable<Result<std::vector<KvChange>>> next(
      std::chrono::milliseconds timeout) = 0;
  // Everything up to this version was answered.
  virtual std::uint64_t seen() const = 0;
};

class Client {
 public:
  Client(boost::asio::any_io_executor executor, ClientOptions options);
  ~Client();  // calls under way end with kUnavailable
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;

  Awaitable<Status> ping();

  // kNotFound if absent or expired.
  Awaitable<Result<KvEntry>> get(std::string ns, std::string key);
  // One result per key, in order; an absent key is an empty optional. Any number of keys: split
  // into frames by the client.
  Awaitable<Result<std::vector<std::optional<KvEntry>>>> multi_get(std::string ns,
                                                                   std::vector<std::string> keys);
  // As above, if mirrored keys are as fresh as `bounds` ask; else kStale, for all keys together.
  Awaitable<Result<KvEntry>> get(std::string ns, std::string key, ReadBounds bounds);
  Awaitable<Result<std::vector<std::optional<KvEntry>>>> multi_get(std::string ns,
                                                                   std::vector<std::string> keys,
                                                                   ReadBounds bounds);
  // Reads, and on a miss takes the lease to fill the key, or tells when to ask again.
  Awaitable<Result<KvLeased>> get_or_lease(std::string ns,
                                           std::string key,
                                           std::chrono::milliseconds duration);
  // The new version. kExists, kNotFound, kVersionMismatch by the item's mode; kStale by its lease.
  // Values above 1 MiB go in fragments.
  Awaitable<Result<std::uint64_t>> put(std::string ns, PutItem item);
  // One result per item, in order: the new version or why not.
  Awaitable<Result<std::vector<Result<std::uint64_t>>>> multi_put(std::string ns,
                                                                  std::vector<PutItem> items);
  // kOk also if the key was absent; with if_version kNotFound or kVersionMismatch.
  Awaitable<Status> remove(std::string ns,
                           std::string key,
                           std::optional<std::uint64_t> if_version = std::nullopt);
  // Removes the entry and voids leases, so that a fill under way cannot bring back what is old.
  Awaitable<Status> invalidate(std::string ns, std::string key);
  // The new version. kNotFound, kVersionMismatch.
  Awaitable<Result<std::uint64_t>> touch(std::string ns, TouchItem item);
  // The entry with its new expiry. kTooLarge if its value is above 64 KiB.
  Awaitable<Result<KvEntry>> get_and_touch(std::string ns, TouchItem item);
  // The sum. kInvalidArgument: what is there is no number, or the sum does not fit 64 bits.
  Awaitable<Result<std::int64_t>> add(std::string ns, AddItem item);
  // All of it or nothing; at most 1,000 items and 8 MiB.
  Awaitable<Result<BatchResult>> batch(std::string ns, std::vector<BatchItem> items);
  // From `after` on if given, else from now on. kStale: the node no longer knows what was then.
  Awaitable<Result<std::shared_ptr<KvWatch>>> watch(std::string ns,
                                                    std::string prefix,
                                                    std::optional<std::uint64_t> after);
  Awaitable<Result<KvListPage>> list(std::string ns, KvListRequest request);

  // What only a namespace's mirror calls (docs/protocol.md, "Mirrors"); with a token they need the
  // scope admin too. They read and write the keys that the mirror owns and those that it keeps for
  // itself, whatever their freshness.
  // As batch(), with at most 10,000 items; `mark` is stored in the same step if it has a time. The
  // result has no items if they did not fit the answer.
  Awaitable<Result<BatchResult>> mirror_batch(std::string ns,
                                              std::vector<BatchItem> items,
                                              MirrorMark mark);
  Awaitable<Result<std::vector<std::optional<KvEntry>>>> mirror_get(std::string ns,
                                                                    std::vector<std::string> keys);
  Awaitable<Result<KvListPage>> mirror_list(std::string ns, KvListRequest request);

  Awaitable<Result<KvNamespace>> create_namespace(std::string title, std::string id);
  Awaitable<Result<std::vector<KvNamespace>>> list_namespaces();
  Awaitable<Status> rename_namespace(std::string ns, std::string title);
  // Both take the same short time whatever the size.
  Awaitable<Status> clear_namespace(std::string ns);
  Awaitable<Status> delete_namespace(std::string ns);
  // Live keys and bytes as one JSON object (docs/protocol.md, NAMESPACE_USAGE).
  Awaitable<Result<std::string>> namespace_usage(std::string ns);
  // Tokens, as the JSON objects of docs/protocol.md (TOKEN_CREATE): a request and its answer, the
  // pages of the list, {"id"} and the token that is gone. kExists, kNotFound, kInvalidArgument.
  Awaitable<Result<std::string>> create_token(std::string request);
  Awaitable<Result<std::vector<std::string>>> list_tokens();
  Awaitable<Result<std::string>> revoke_token(std::string request);
  // The operator's word that the node's wall clock is right.
  Awaitable<Status> confirm_clock();
  // The node's statistics as one JSON object (docs/protocol.md, STATS).
  Awaitable<Result<std::string>> stats();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace edged::net
