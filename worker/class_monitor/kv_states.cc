// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/kv_states.h"

#include <optional>
#include <utility>

#include "proto/base/log.h"
#include "proto/json/write_json.h"
#include "proto/net/system_namespace.h"
#include "proto/wire/limits.h"
#include "worker/mirror/hidden_keys.h"

namespace edged::class_monitor {
namespace {

using boost::asio::awaitable;

constexpr std::chrono::milliseconds kMirrorPatience{1'000};
constexpr std::chrono::seconds kLeftAlone{10};
constexpr std::size_t kShownKeyBytes = 80;
constexpr std::size_t kUnfitNamedMax = 100;  // keys that are named in the log, at most

std::string state_key(const std::string& class_nbr) {
  return kStateKeyPrefix + class_nbr;
}

// Whether the node refused a single entry, and takes others.
bool is_of_one_entry(Code code) {
  return code == Code::kInvalidArgument || code == Code::kTooLarge;
}

// A key as a log may have it: quoted, escaped, and not endless.
std::string shown_key(std::string_view key) {
  if (key.size() <= kShownKeyBytes) return write_json_string(key);
  std::size_t end = kShownKeyBytes;
  while (end > 0 && (static_cast<unsigned char>(key[end]) & 0xC0) == 0x80) --end;
  return write_json_string(key.substr(0, end)) + "… (" + std::to_string(key.size()) + " bytes)";
}

// After an id that the node does not know: the ids and titles that it knows, of which one may be
// meant.
awaitable<void> log_namespaces(net::Client& client) {
  const auto namespaces = co_await client.list_namespaces();
  std::string known;
  for (std::size_t i = 0; namespaces && i < namespaces->size(); ++i) {
    const net::KvNamespace& ns = (*namespaces)[i];
    if (ns.id == net::kSystemNamespaceId) continue;
    known += (known.empty() ? "" : ", ") + ns.title + " (" + ns.id + ")";
  }
  log::warn(
      "[KV] what to do: correct the id in kv_namespaces, or create the namespace: kvctl namespace "
      "create TITLE --id ID. The node has: " +
      (known.empty() ? "none that this worker sees" : known));
}

}  // namespace

KvStates::KvStates(net::Client* client, KvStatesOptions options, MetricsRegistry& metrics)
    : client_(client),
      options_(std::move(options)),
      available_gauge_(
          metrics.gauge("edged_worker_kv_available",
                        "1 while the KV node answers the worker, 0 while it does not")),
      failures_(
          metrics.counter("edged_worker_kv_failures_total",
                          "Calls to the KV node that failed and were made up for by PostgreSQL")) {
  available_gauge_.set(configured() ? 1 : 0);
}

awaitable<std::map<std::string, StoredState>> KvStates::read(std::vector<WatchedSection> sections,
                                                             std::string position) {
  std::map<std::string, StoredState> fresh;
  if (!configured() || !worth_asking()) co_return fresh;
  std::vector<std::string> keys;
  std::erase_if(sections, [&](const WatchedSection& section) {
    std::string key = state_key(section.class_nbr);
    if (!is_fit(key)) return true;
    keys.push_back(std::move(key));
    return false;
  });
  if (sections.empty()) co_return fresh;
  Result<Entries> entries = Entries();
  // Read once: the worker may begin to follow the mirror while the answer is under way, and a read
  // that began without bounds must not count as one of the mirror.
  const bool mirrored = mirrored_.states;
  if (mirrored) {
    // A state that is older than what PostgreSQL told the run could hide a change.
    const Result<mirror::Lsn> lsn = mirror::parse_lsn(position);
    if (!lsn) co_return fresh;
    net::ReadBounds bounds;
    bounds.min_position = mirror::encode_position(*lsn);
    bounds.wait = kMirrorPatience;
    entries = co_await client_->multi_get(options_.ns, std::move(keys), bounds);
  } else {
    entries = co_await client_->multi_get(options_.ns, std::move(keys));
  }
  note(Call::kRead, entries ? Status() : entries.error());
  co_await explain_unknown_namespace(entries.code());
  if (!entries) co_return fresh;
  seen_.clear();
  for (std::size_t i = 0; i < sections.size() && i < entries->size(); ++i) {
    const std::optional<net::KvEntry>& entry = (*entries)[i];
    const WatchedSection& section = sections[i];
    if (!mirrored) note_seen(state_key(section.class_nbr), entry);
    if (!entry) continue;
    auto stored = fresh_state(section, entry->value, mirrored);
    if (!stored) continue;
    if (stored->state.class_nbr != section.class_nbr || stored->state.term != section.term)
      continue;
    fresh.emplace(section.class_nbr, std::move(*stored));
  }
  co_return fresh;
}

// A mirrored state is PostgreSQL's own row, as it was after the run had read the epoch.
std::optional<StoredState> KvStates::fresh_state(const WatchedSection& section,
                                                 const std::string& value,
                                                 bool mirrored) {
  if (!section.settled_epoch) return std::nullopt;
  if (mirrored) {
    auto state = decode_row(value);
    if (!state) return std::nullopt;
    return StoredState{*std::move(state), *section.settled_epoch};
  }
  auto stored = decode_state(value);
  if (!stored || stored->epoch != *section.settled_epoch) return std::nullopt;
  return *std::move(stored);
}

void KvStates::note_seen(const std::string& key, const std::optional<net::KvEntry>& entry) {
  Seen seen;
  if (entry) {
    seen.version = entry->version;
    const auto stored = decode_state(entry->value);
    if (stored) seen.epoch = stored->epoch;
  }
  seen_[key] = seen;
}

// A run that is late may find what a newer run has stored. It reads the entries again that were not
// as it had seen them, and leaves those that are newer.
awaitable<void> KvStates::write(std::vector<StoredState> states) {
  if (!configured() || mirrored_.states || states.empty() || !worth_asking()) co_return;
  states = co_await put_newer(std::move(states));
  if (states.empty()) co_return;
  std::vector<std::string> keys;
  for (const StoredState& stored : states) keys.push_back(state_key(stored.state.class_nbr));
  const auto entries = co_await client_->multi_get(options_.ns, keys);
  note(Call::kRead, entries ? Status() : entries.error());
  if (!entries) co_return;
  for (std::size_t i = 0; i < keys.size(); ++i) note_seen(keys[i], (*entries)[i]);
  (void)co_await put_newer(std::move(states));  // an entry that changed again is left
}

// Returns the states that were not stored because their entries were not as they had been seen.
awaitable<std::vector<StoredState>> KvStates::put_newer(std::vector<StoredState> states) {
  std::vector<StoredState> tried, contested;
  std::vector<net::PutItem> items;
  for (StoredState& stored : states) {
    net::PutItem item;
    item.key = state_key(stored.state.class_nbr);
    if (!is_fit(item.key)) continue;
    item.value = encode_state(stored.state, stored.epoch);
    if (item.value.size() > wire::kFrameValueBytesMax) {
      go_without(item.key,
                 "its value has " + std::to_string(item.value.size()) + " bytes; the limit is " +
                     std::to_string(wire::kFrameValueBytesMax));
      continue;
    }
    const Seen seen = seen_[item.key];
    if (seen.epoch > stored.epoch) continue;
    item.ttl = options_.state_ttl;
    item.mode = seen.version == 0 ? net::PutMode::kIfAbsent : net::PutMode::kIfVersion;
    item.if_version = seen.version;
    items.push_back(std::move(item));
    tried.push_back(std::move(stored));
  }
  if (items.empty()) co_return contested;
  const auto results = co_await client_->multi_put(options_.ns, std::move(items));
  Status worst = results ? Status() : results.error();
  bool is_stored = false;
  for (std::size_t i = 0; results && i < tried.size() && i < results->size(); ++i) {
    const Result<std::uint64_t>& result = (*results)[i];
    if (result) {
      is_stored = true;
      seen_[state_key(tried[i].state.class_nbr)] = {*result, tried[i].epoch};
    } else if (result.code() == Code::kExists || result.code() == Code::kVersionMismatch ||
               result.code() == Code::kNotFound) {
      contested.push_back(std::move(tried[i]));
    } else if (is_of_one_entry(result.code())) {
      go_without(state_key(tried[i].state.class_nbr), result.error().message());
    } else if (worst.ok()) {
      worst = result.error();
    }
  }
  // Where all entries were contested, nothing says whether the node takes values.
  if (is_stored || !worst.ok()) note(Call::kWrite, worst);
  co_return contested;
}

awaitable<void> KvStates::write_claims(std::vector<std::string> claims,
                                       std::vector<std::string> resets) {
  if (!configured() || mirrored_.claims || !worth_asking()) co_return;
  for (const std::string& reset : resets) {
    const std::string key = kClaimKeyPrefix + reset;
    if (!is_fit(key)) continue;
    const Status status = co_await client_->remove(options_.ns, key);
    // A node that is full deletes, and still takes no values.
    if (!status.ok()) note(Call::kWrite, status);
    if (!status.ok()) co_return;
  }
  std::vector<net::PutItem> items;
  for (const std::string& claim : claims) {
    net::PutItem item;
    item.key = kClaimKeyPrefix + claim;
    if (!is_fit(item.key)) continue;
    item.value = "sent";
    item.ttl = options_.claim_ttl;
    items.push_back(std::move(item));
  }
  if (items.empty()) co_return;
  std::vector<std::string> keys;
  for (const net::PutItem& item : items) keys.push_back(item.key);
  const auto results = co_await client_->multi_put(options_.ns, std::move(items));
  Status worst = results ? Status() : results.error();
  for (std::size_t i = 0; results && i < results->size() && i < keys.size(); ++i) {
    const Result<std::uint64_t>& result = (*results)[i];
    if (!result && is_of_one_entry(result.code())) {
      go_without(keys[i], result.error().message());
    } else if (!result && worst.ok()) {
      worst = result.error();
    }
  }
  note(Call::kWrite, worst);
}

// Once, until the namespace is found: also if the node could not be reached before.
awaitable<void> KvStates::explain_unknown_namespace(Code answer) {
  const bool is_unknown = answer == Code::kNamespaceNotFound;
  if (is_unknown && !namespace_explained_) co_await log_namespaces(*client_);
  if (is_unknown || answer == Code::kOk) namespace_explained_ = is_unknown;
}

bool KvStates::is_fit(const std::string& key) {
  if (key.size() <= wire::kKeyBytesMax) return true;
  go_without(key,
             "the key has " + std::to_string(key.size()) + " bytes; the limit is " +
                 std::to_string(wire::kKeyBytesMax));
  return false;
}

void KvStates::go_without(const std::string& key, const std::string& why) {
  if (unfit_.size() >= kUnfitNamedMax || !unfit_.insert(key).second) return;
  log::warn("[KV] key " + shown_key(key) + " cannot be kept in the node: " + why +
            ". PostgreSQL alone decides for it");
  if (unfit_.size() == kUnfitNamedMax) {
    log::warn("[KV] further keys that the node cannot keep are not named");
  }
}

bool KvStates::worth_asking() const {
  return std::chrono::steady_clock::now() >= slow_until_;
}

// Logs once that the node fails and once that it works again, however many calls and keys are
// concerned. Reads and writes are judged apart, because a node that is full can still be read.
void KvStates::note(Call call, const Status& status) {
  if (!status.ok()) failures_.add();
  if (status.code() == Code::kDeadlineExceeded) {
    slow_until_ = std::chrono::steady_clock::now() + kLeftAlone;
  }
  const bool was_available = read_ok_ && write_ok_;
  (call == Call::kRead ? read_ok_ : write_ok_) = status.ok();
  const bool available = read_ok_ && write_ok_;
  if (available == was_available) return;
  available_gauge_.set(available ? 1 : 0);
  if (available) {
    log::info("[KV] KV namespace available again");
    return;
  }
  log::warn(call == Call::kRead ? "[KV] KV namespace not available, falling back to PostgreSQL"
                                : "[KV] KV namespace takes no writes, falling back to PostgreSQL");
  log::warn("[KV] the reason: " + status.message() +
            (status.code() == Code::kUnauthenticated ? ". Set worker.token_file" : ""));
}

}  // namespace edged::class_monitor
