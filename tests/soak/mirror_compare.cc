// SPDX-License-Identifier: Apache-2.0
// See mirror_compare.h.
#include "tests/soak/mirror_compare.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "tests/soak/mirror_tables.h"

namespace edged::soak {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kPatience{180};
constexpr milliseconds kPoll{20};
constexpr std::size_t kNamedMax = 5;

struct Listed {
  std::map<std::string, std::string> values;
  std::int64_t begun_ms = 0, ended_ms = 0;
};

// Everything that anybody may see. Errors: kStale, and those of a node that does not answer.
Result<Listed> list_all(net::BlockingClient& client) {
  Listed listed;
  listed.begun_ms = wall_ms();
  net::KvListRequest request;
  request.with_values = true;
  do {
    auto page = client.list(MirrorWorld::kNamespace, request);
    if (!page) return page.error();
    for (net::KvListItem& item : page->items) {
      listed.values.emplace(std::move(item.key), std::move(item.entry.value));
    }
    request.cursor = page->cursor;
  } while (!request.cursor.empty());
  listed.ended_ms = wall_ms();
  return listed;
}

// The node's time may be so much behind the clock.
constexpr std::int64_t kClockSlackMs = 3;

// Whether a bounded read says that all that was committed before `stop_ms` is there.
bool has_all_since(net::BlockingClient& client, std::int64_t stop_ms) {
  net::ReadBounds bounds;
  bounds.max_staleness =
      milliseconds(std::max<std::int64_t>(wall_ms() - stop_ms - 1 - kClockSlackMs, 0));
  const auto read = client.get(MirrorWorld::kNamespace, "item:0", bounds);
  return read || read.code() == Code::kNotFound;
}

void tell(MirrorRun& run, const char* what, const std::vector<std::string>& keys) {
  if (keys.empty()) return;
  std::string text = "at rest " + std::to_string(keys.size()) + " keys are " + what + ":";
  for (std::size_t i = 0; i < std::min(keys.size(), kNamedMax); ++i) text += "\n  " + keys[i];
  run.violation(text);
}

void judge(MirrorRun& run, const std::map<std::string, StoredRow>& rows, const Listed& listed) {
  std::vector<std::string> missing, surplus, different, expired;
  for (const auto& [key, row] : rows) {
    const auto found = listed.values.find(key);
    const std::int64_t ends = row.state.expires_ms;
    if (found == listed.values.end()) {
      if (ends == 0 || ends > listed.ended_ms) missing.push_back(key);
      continue;
    }
    if (ends != 0 && ends < listed.begun_ms) expired.push_back(key);
    if (found->second != row.value) {
      different.push_back(key + " is " + found->second.substr(0, 200) + ", the row is " +
                          row.value.substr(0, 200));
    }
  }
  for (const auto& [key, value] : listed.values) {
    if (!rows.contains(key)) surplus.push_back(key + " = " + value.substr(0, 200));
  }
  tell(run, "missing", missing);
  tell(run, "surplus", surplus);
  tell(run, "different", different);
  tell(run, "there after their expiry", expired);
}

}  // namespace

Comparison compare(MirrorWorld& world, MirrorRun& run, bool canary) {
  Comparison comparison;
  const std::int64_t stop_ms = wall_ms();
  MirrorSql sql(world.sql_url());
  std::map<std::string, StoredRow> rows = read_tables(sql);
  if (canary) rows["item:canary"];
  const auto begun = std::chrono::steady_clock::now();
  Result<Listed> listed = Status(Code::kStale, "the node never was as new as the tables");
  while (!listed && std::chrono::steady_clock::now() - begun < kPatience) {
    if (has_all_since(world.client(), stop_ms)) listed = list_all(world.client());
    if (!listed) std::this_thread::sleep_for(kPoll);
  }
  comparison.waited =
      std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun);
  if (!listed) {
    run.violation("at rest for " + std::to_string(comparison.waited.count()) +
                  " ms: " + listed.error().to_string());
    return comparison;
  }
  comparison.keys = listed->values.size();
  judge(run, rows, *listed);
  return comparison;
}

}  // namespace edged::soak
