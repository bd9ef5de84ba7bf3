// SPDX-License-Identifier: Apache-2.0
// When the stream may go on, and when everything must be loaded anew.
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "worker/mirror/admin.h"
#include "worker/mirror/heartbeat.h"
#include "worker/mirror/slot.h"

namespace edged::mirror {
namespace {

Situation undisturbed() {
  Situation now;
  now.wanted.system = "7";
  now.wanted.timeline = 1;
  now.wanted.slot = "s";
  now.wanted.shape = "x";
  now.wanted.rules = {"r"};
  now.stored.source = now.wanted;
  now.stored.source->loaded = true;
  now.stored.position = 100;
  now.stored.beat = 5;
  now.slot = SlotFacts{};
  now.slot->usable = true;
  now.slot->confirmed = 90;
  now.server_end = 100;
  now.last_beat = 6;
  return now;
}

TEST(ResumeTest, GoesOnIfNothingHasChanged) {
  EXPECT_EQ(why_reload(undisturbed()), "");
  Situation exact = undisturbed();
  exact.slot->confirmed = 100;
  exact.last_beat = 5;
  EXPECT_EQ(why_reload(exact), "");
}

TEST(ResumeTest, LoadsAnewIfAnythingDoesNotFit) {
  const std::vector<std::function<void(Situation&)>> changes{
      [](Situation& s) { s.stored.source.reset(); },
      [](Situation& s) { s.stored.source->loaded = false; },
      [](Situation& s) { s.stored.position.reset(); },
      [](Situation& s) {
        s.wanted.rules = {"r", "q"};
      },
      [](Situation& s) { s.wanted.system = "8"; },
      [](Situation& s) { s.wanted.timeline = 2; },
      [](Situation& s) { s.wanted.slot = "other"; },
      [](Situation& s) { s.temporary_slot = true; },
      [](Situation& s) { s.slot.reset(); },
      [](Situation& s) { s.slot->wal_status = "lost"; },
      [](Situation& s) { s.slot->confirmed = 101; },
      [](Situation& s) { s.server_end = 99; },
      [](Situation& s) { s.last_beat = 4; },
      [](Situation& s) { s.wanted.shape = "y"; },
  };
  std::set<std::string> reasons;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Situation now = undisturbed();
    changes[i](now);
    EXPECT_NE(why_reload(now), "") << i;
    reasons.insert(why_reload(now));
  }
  EXPECT_GE(reasons.size(), changes.size() - 2) << "each is told apart";
}

TEST(MirrorStatusTest, IsJudged) {
  const WallTime now = from_unix_ms(1'000'000);
  MirrorOptions options;
  MirrorStatus status;
  EXPECT_EQ(judge(status, options, now), Following::kNotLoaded);
  status.node.source = Source{};
  status.node.source->loaded = true;
  status.node.fresh_as_of = now - std::chrono::seconds(1);
  EXPECT_EQ(judge(status, options, now), Following::kNobody);
  status.slot = SlotFacts{};
  EXPECT_EQ(judge(status, options, now), Following::kNobody);
  status.slot->active = true;
  EXPECT_EQ(judge(status, options, now), Following::kYes);
  status.node.fresh_as_of = now - std::chrono::seconds(11);
  EXPECT_EQ(judge(status, options, now), Following::kBehind);
  status.slot->wal_status = "lost";
  EXPECT_EQ(judge(status, options, now), Following::kLost);
}

TEST(HeartbeatTest, IsReadOrRefused) {
  const auto beat = decode_heartbeat(R"({"slot" : "s", "beat" : 7, "at" : 1234})");
  ASSERT_TRUE(beat);
  EXPECT_EQ(beat->slot, "s");
  EXPECT_EQ(beat->beat, 7);
  EXPECT_EQ(to_unix_ms(beat->at), 1234);
  for (const char* bad :
       {"", "x", "{}", R"({"slot":1,"beat":1,"at":1})", R"({"slot":"s","beat":"x","at":1})"}) {
    EXPECT_EQ(decode_heartbeat(bad).code(), Code::kCorruption) << bad;
  }
}

}  // namespace
}  // namespace edged::mirror
