// SPDX-License-Identifier: Apache-2.0
// See mirror_reader.h.
#include "tests/soak/mirror_reader.h"

#include <chrono>
#include <thread>

#include "tests/soak/mirror_tables.h"
#include "tests/soak/mirror_writer.h"

namespace edged::soak {
namespace {

using std::chrono::milliseconds;
// The node's time, by which it measures, is put together from two clocks in milliseconds.
constexpr std::int64_t kClockSlackMs = 3;
constexpr std::int64_t kBoundsMs[] = {200, 500, 1500, 5000, 20'000};

}  // namespace

MirrorReader::MirrorReader(MirrorRun& run, std::uint64_t seed)
    : run_(run), random_(seed), client_([&run] {
        net::ClientOptions options;
        options.address = run.node_address;
        return options;
      }()) {}

void MirrorReader::run() {
  while (!run_.stop.load()) {
    const std::string key = random_key();
    // Twice, often at once: no version behind the one before.
    for (std::uint64_t i = 0; i <= pick(2); ++i) read(key);
    if (pick(4) == 0) std::this_thread::sleep_for(milliseconds(1));
  }
}

std::string MirrorReader::random_key() {
  const std::size_t writer = pick(MirrorWriter::kWriters);
  switch (pick(7)) {
    case 0:
    case 1:
    case 2:
      return counter_key(MirrorWriter::name(writer, pick(MirrorWriter::kCounterNames)));
    case 3:
      return item_key(MirrorWriter::kLargeFirst + pick(MirrorWriter::kLargeRows));
    case 4:
      return item_key(MirrorWriter::item_id(writer, pick(MirrorWriter::kItemIds)));
    default:
      return doc_key(MirrorWriter::doc_id(writer, pick(MirrorWriter::kDocIds)));
  }
}

// What a bounded answer claims beside its entry.
void MirrorReader::check_bound(const std::string& key, std::int64_t bound_ms, Answer& answer) {
  const std::int64_t claimed = answer.asked_ms - bound_ms - kClockSlackMs;
  if (!answer.present) answer.fresh_ms = claimed;
  if (answer.present && answer.fresh_ms && *answer.fresh_ms < claimed) {
    run_.violation(key + " was answered with fresh_as_of " + std::to_string(*answer.fresh_ms) +
                   " when asked at " + std::to_string(answer.asked_ms) + " for at most " +
                   std::to_string(bound_ms) + " ms");
  }
}

void MirrorReader::read(const std::string& key) {
  Figures& figures = run_.figures;
  const std::int64_t bound_ms = pick(3) == 0 ? kBoundsMs[pick(std::size(kBoundsMs))] : 0;
  const Oracle::Ticket ticket = run_.oracle.ticket(key);
  const std::int64_t asked = wall_ms();
  Result<net::KvEntry> read = Status(Code::kInternal, "not asked");
  if (bound_ms != 0) {
    net::ReadBounds bounds;
    bounds.max_staleness = milliseconds(bound_ms);
    read = client_.get(run_.ns, key, bounds);
    figures.bounded.fetch_add(1);
  } else {
    read = client_.get(run_.ns, key);
  }
  figures.reads.fetch_add(1);
  if (!read && read.code() != Code::kNotFound) {
    (read.code() == Code::kStale ? figures.stale : figures.failed).fetch_add(1);
    std::this_thread::sleep_for(milliseconds(5));
    return;
  }
  if (!read && bound_ms == 0) return;  // an absent key tells no time
  Answer answer;
  if (read) answer = answer_of(key, *read);
  answer.asked_ms = asked;
  answer.answered_ms = wall_ms();
  if (bound_ms != 0) check_bound(key, bound_ms, answer);
  answer.unsettled = run_.unsettled(answer);
  const Oracle::Judgement judged = run_.oracle.judge(key, ticket, answer);
  if (judged.verdict == Oracle::Verdict::kGood) figures.judged.fetch_add(1);
  if (judged.verdict == Oracle::Verdict::kBroken) run_.violation(judged.why);
}

}  // namespace edged::soak
