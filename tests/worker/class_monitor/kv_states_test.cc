// SPDX-License-Identifier: Apache-2.0
// States in the node in the classic flow, where runs of several workers meet.
#include "worker/class_monitor/kv_states.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "tests/support/run_awaitable.h"
#include "tests/support/test_node.h"

namespace edged::class_monitor {
namespace {

using test::run_awaitable;

class KvStatesTest : public testing::Test {
 protected:
  KvStatesTest() { node_.start(); }

  std::unique_ptr<KvStates> worker() {
    net::ClientOptions options;
    options.address = node_.address();
    clients_.push_back(std::make_unique<net::Client>(io_.get_executor(), options));
    return std::make_unique<KvStates>(
        clients_.back().get(), KvStatesOptions{.ns = node_.namespace_id()}, metrics_);
  }
  void write(KvStates& kv, std::int64_t epoch) {
    StoredState stored;
    stored.state.class_nbr = "12345";
    stored.state.term = "2261";
    stored.state.seats_available = epoch;
    stored.epoch = epoch;
    write_all(kv, {stored});
  }
  void write_all(KvStates& kv, std::vector<StoredState> states) {
    run_awaitable(io_, to_bool(kv.write(std::move(states))));
  }
  void claim_all(KvStates& kv, std::vector<std::string> claims, std::vector<std::string> resets) {
    run_awaitable(io_, to_bool(kv.write_claims(std::move(claims), std::move(resets))));
  }
  // The epoch that is stored, by what counts as fresh; 0: none of 1..9.
  std::int64_t stored(KvStates& kv) {
    for (std::int64_t epoch = 1; epoch < 10; ++epoch) {
      std::vector<WatchedSection> sections(1);
      sections[0].class_nbr = "12345";
      sections[0].term = "2261";
      sections[0].settled_epoch = epoch;
      const auto fresh = run_awaitable(io_, kv.read(std::move(sections)));
      if (!fresh.empty()) return epoch;
    }
    return 0;
  }

  test::TestNode node_;
  boost::asio::io_context io_;
  MetricsRegistry metrics_;
  std::vector<std::unique_ptr<net::Client>> clients_;

 private:
  static boost::asio::awaitable<bool> to_bool(boost::asio::awaitable<void> work) {
    co_await std::move(work);
    co_return true;
  }
};

TEST_F(KvStatesTest, WhatIsNewerStays) {
  const auto early = worker();
  const auto late = worker();
  EXPECT_EQ(stored(*early), 0);
  EXPECT_EQ(stored(*late), 0);
  write(*late, 5);
  write(*early, 3);
  EXPECT_EQ(stored(*late), 5) << "a fill on a miss does not replace what came meanwhile";
  write(*early, 4);
  EXPECT_EQ(stored(*late), 5) << "nor does an update";
  write(*early, 7);
  EXPECT_EQ(stored(*late), 7);
  write(*late, 6);
  EXPECT_EQ(stored(*late), 7);
  write(*late, 8);
  EXPECT_EQ(stored(*late), 8);
}

TEST_F(KvStatesTest, WhatIsGoneOrUnreadableIsReplaced) {
  const auto kv = worker();
  write(*kv, 5);
  const auto removed =
      run_awaitable(io_, clients_[0]->remove(node_.namespace_id(), "class_state:12345"));
  ASSERT_TRUE(removed.ok());
  write(*kv, 6);
  EXPECT_EQ(stored(*kv), 6);
  net::PutItem rubbish;
  rubbish.key = "class_state:12345";
  rubbish.value = "rubbish";
  ASSERT_TRUE(run_awaitable(io_, clients_[0]->put(node_.namespace_id(), rubbish)));
  write(*kv, 7);
  EXPECT_EQ(stored(*kv), 7);
}

StoredState state_of(std::string class_nbr, std::int64_t epoch) {
  StoredState stored;
  stored.state.class_nbr = std::move(class_nbr);
  stored.state.term = "2261";
  stored.epoch = epoch;
  return stored;
}

WatchedSection watched(std::string class_nbr, std::int64_t epoch) {
  WatchedSection section;
  section.class_nbr = std::move(class_nbr);
  section.term = "2261";
  section.settled_epoch = epoch;
  return section;
}

TEST_F(KvStatesTest, ASectionWithATooLongKeyAloneGoesWithoutTheNode) {
  const auto kv = worker();
  const std::string longest(512 - std::string("class_state:").size(), '7');
  const std::vector<std::string> odd{"", " ", "a/b", "é", std::string("nul\0", 4), "..", longest};
  for (int pass = 1; pass <= 2; ++pass) {
    testing::internal::CaptureStdout();
    std::vector<StoredState> states{state_of(longest + "8", pass), state_of(longest + "é", pass)};
    std::vector<WatchedSection> sections{watched(longest + "8", pass),
                                         watched(longest + "é", pass)};
    for (const std::string& class_nbr : odd) {
      states.insert(states.begin() + 1, state_of(class_nbr, pass));
      sections.insert(sections.begin() + 1, watched(class_nbr, pass));
    }
    (void)run_awaitable(io_, kv->read(sections));
    write_all(*kv, states);
    const auto fresh = run_awaitable(io_, kv->read(sections));
    const std::string log = testing::internal::GetCapturedStdout();
    EXPECT_EQ(fresh.size(), odd.size());
    for (const std::string& class_nbr : odd) EXPECT_TRUE(fresh.contains(class_nbr)) << class_nbr;
    EXPECT_EQ(log.find("not available"), std::string::npos) << log;
    EXPECT_NE(metrics_.render().find("edged_worker_kv_available 1"), std::string::npos);
    const std::string named = "the key has 513 bytes; the limit is 512";
    EXPECT_EQ(log.find(named) != std::string::npos, pass == 1) << "once: " << log;
    EXPECT_EQ(log.find(named), log.rfind(named)) << log;
  }
}

TEST_F(KvStatesTest, AStateThatIsTooLargeAloneGoesWithoutTheNode) {
  const auto kv = worker();
  StoredState large = state_of("1", 3);
  large.state.title = std::string(2 << 20, 'x');
  const std::vector<WatchedSection> sections{watched("1", 3), watched("2", 3)};
  testing::internal::CaptureStdout();
  write_all(*kv, {large, state_of("2", 3)});
  write_all(*kv, {large});
  const auto fresh = run_awaitable(io_, kv->read(sections));
  const std::string log = testing::internal::GetCapturedStdout();
  EXPECT_EQ(fresh.size(), 1U);
  EXPECT_TRUE(fresh.contains("2"));
  EXPECT_NE(log.find("class_state:1\" cannot be kept in the node: its value has 2"),
            std::string::npos)
      << log;
  EXPECT_EQ(log.find("cannot be kept"), log.rfind("cannot be kept")) << log;
  EXPECT_EQ(log.find("not available"), std::string::npos) << log;
}

TEST_F(KvStatesTest, AClaimWithATooLongKeyAloneGoesWithoutTheNode) {
  const auto kv = worker();
  const std::string long_claim(600, 'w');
  testing::internal::CaptureStdout();
  claim_all(*kv, {long_claim, "watch:seat_available"}, {});
  const std::string ns = node_.namespace_id();
  EXPECT_TRUE(run_awaitable(io_, clients_[0]->get(ns, "notif:watch:seat_available")));
  claim_all(*kv, {}, {long_claim, "watch:seat_available"});
  EXPECT_EQ(run_awaitable(io_, clients_[0]->get(ns, "notif:watch:seat_available")).code(),
            Code::kNotFound);
  const std::string log = testing::internal::GetCapturedStdout();
  EXPECT_NE(log.find("the key has 606 bytes; the limit is 512"), std::string::npos) << log;
  EXPECT_EQ(log.find("takes no writes"), std::string::npos) << log;
}

// A worker that has just started decides for the mirror while a run reads: rows that were asked for
// without a position may be older than what PostgreSQL told the run.
TEST_F(KvStatesTest, RowsOfAReadThatBeganBeforeTheMirrorAreNoStates) {
  const auto kv = worker();
  net::PutItem row;
  row.key = "class_state:12345";
  row.value = R"({"class_nbr":"12345","term":"2261","subject":"CSE","catalog_nbr":"110",)"
              R"("title":null,"instructor_name":null,"seats_available":3,"seats_capacity":9,)"
              R"("non_reserved_seats":null,"location":null,"meeting_times":null})";
  ASSERT_TRUE(run_awaitable(io_, clients_[0]->put(node_.namespace_id(), row)));
  std::vector<WatchedSection> sections(1);
  sections[0].class_nbr = "12345";
  sections[0].term = "2261";
  sections[0].settled_epoch = 7;
  const auto read = [&](std::string position) -> boost::asio::awaitable<std::size_t> {
    boost::asio::post(io_, [&kv] { kv->set_mirrored({true, true}); });
    const auto fresh = co_await kv->read(sections, std::move(position));
    co_return fresh.size();
  };
  EXPECT_EQ(run_awaitable(io_, read("")), 0U);
  // The row itself is one that a mirror would have.
  EXPECT_EQ(run_awaitable(io_, read("")), 0U) << "a run that began before has no position";
}

}  // namespace
}  // namespace edged::class_monitor
