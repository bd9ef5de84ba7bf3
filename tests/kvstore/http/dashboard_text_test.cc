// SPDX-License-Identifier: Apache-2.0
// What the dashboard makes without a socket: its files, the samples it reads, its snapshot.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <map>
#include <regex>
#include <string>

#include "kvstore/http/dashboard_page.h"
#include "kvstore/http/metric_samples.h"
#include "kvstore/http/node_snapshot.h"
#include "proto/json/write_json.h"
#include "tests/support/manual_clock.h"
#include "tests/support/unsupported_store.h"

namespace edged::kv_http {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

std::string_view file(std::string_view name) {
  for (const EmbeddedFile& one : dashboard_files()) {
    if (one.name == name) return one.bytes;
  }
  ADD_FAILURE() << "there is no file " << name;
  return {};
}

TEST(DashboardFilesTest, AreSmall) {
  std::size_t bytes = 0;
  for (const EmbeddedFile& one : dashboard_files()) {
    EXPECT_EQ(one.gzip.substr(0, 2), "\x1f\x8b") << one.name;
    EXPECT_FALSE(one.bytes.empty()) << one.name;
    bytes += one.gzip.size();
  }
  EXPECT_LT(bytes, 150'000);
}

// The policy forbids scripts and styles in the page's text and everything from elsewhere: the page
// would look broken.
TEST(DashboardFilesTest, ThePageHasNothingThatItsPolicyForbids) {
  const std::string page(file("index.html"));
  EXPECT_FALSE(std::regex_search(page, std::regex("<style|\\sstyle=|\\son[a-z]+=|javascript:")));
  EXPECT_FALSE(std::regex_search(page, std::regex("<script(?![^>]* src=)")));
  EXPECT_FALSE(std::regex_search(page, std::regex("(src|href)=\"(?![/#])")));
  EXPECT_FALSE(std::regex_search(page, std::regex("(src|href)=\"//")));
}

// Texts of the node's users must never become HTML.
TEST(DashboardFilesTest, OurScriptsMakeNoHtmlOfText) {
  for (const EmbeddedFile& one : dashboard_files()) {
    if (!one.name.ends_with(".js") || one.name == "dygraph.min.js") continue;
    for (const char* way :
         {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("}) {
      EXPECT_EQ(one.bytes.find(way), std::string_view::npos) << one.name << ": " << way;
    }
  }
}

TEST(AcceptsGzipTest, FollowsTheHeader) {
  const std::pair<const char*, bool> cases[] = {
      {"gzip", true},
      {"gzip, deflate, br", true},
      {"br;q=1.0, GZIP;q=0.5", true},
      {"deflate,gzip", true},
      {"gzip;q=0", false},
      {"gzip; q=0.000", false},
      {"gzip ; q=0.001", true},
      {"", false},
      {"identity", false},
      {"xgzip", false},
      {"deflate;q=1, , gzip", true},
      {",;=", false},
  };
  for (const auto& [header, expected] : cases) EXPECT_EQ(accepts_gzip(header), expected) << header;
}

TEST(ParseSamplesTest, ReadsWhatTheRegistryWrites) {
  MetricsRegistry registry;
  registry.counter("a_total", "A.", {{"odd", "x\"y\\z\nnew {,}="}, {"b", "2"}}).add(7);
  registry.gauge("b", "B.").set(-3);
  registry.callback_gauge("c", "C.", [] { return 0.25; });
  const auto samples = parse_samples(registry.render());
  ASSERT_EQ(samples.size(), 3u);
  EXPECT_EQ(samples[0].name, "a_total");
  EXPECT_EQ(samples[0].label("odd"), "x\"y\\z\nnew {,}=");
  EXPECT_EQ(samples[0].label("b"), "2");
  EXPECT_EQ(samples[0].label("absent"), "");
  EXPECT_EQ(samples[0].value, 7);
  EXPECT_EQ(samples[1].value, -3);
  EXPECT_EQ(samples[2].value, 0.25);
}

TEST(ParseSamplesTest, SkipsWhatIsNoSample) {
  for (const char* line :
       {"", "#", "name", "name x", "name{ 1", "name{a=\"b 1", "name{a} 1", "name{a=\"b\" 1", " "}) {
    EXPECT_TRUE(parse_samples(line).empty()) << line;
  }
  EXPECT_EQ(parse_samples("a 1\nbroken{ 2\nb 3").size(), 2u);
}

class SomeNamespaces final : public test::UnsupportedStore {
 public:
  std::vector<storage::Namespace> list_namespaces() const override { return namespaces; }
  Result<storage::NamespaceUsage> usage(storage::NamespaceNumber ns) const override {
    const auto found = usages.find(ns);
    if (found == usages.end()) return Status(Code::kNamespaceNotFound, "deleted");
    return found->second;
  }

  std::vector<storage::Namespace> namespaces;
  std::map<storage::NamespaceNumber, storage::NamespaceUsage> usages;
};

class RenderSnapshotTest : public testing::Test {
 protected:
  json::object snapshot() {
    return json::parse(render_snapshot(metrics, store, clock)).as_object();
  }

  MetricsRegistry metrics;
  SomeNamespaces store;
  const test::ManualClock clock{from_unix_ms(1'000'000), 1s};
};

TEST_F(RenderSnapshotTest, SumsFacesAndClasses) {
  metrics.counter("edged_kv_requests_total", "", {{"opcode", "get"}, {"class", "answered"}}).add(5);
  metrics
      .counter(
          "edged_kv_requests_total", "", {{"face", "rest"}, {"opcode", "get"}, {"class", "failed"}})
      .add(2);
  metrics.counter("edged_kv_keys_total", "", {{"result", "hit"}}).add(3);
  metrics.counter("edged_kv_keys_total", "", {{"face", "rest"}, {"result", "hit"}}).add(4);
  Histogram& seconds = metrics.histogram("edged_kv_request_seconds", "", {{"face", "rest"}});
  seconds.observe(60us);
  seconds.observe(60us);
  seconds.observe(90s);
  const json::object found = snapshot();
  EXPECT_EQ(found.at("now").as_int64(), 1'000'000);
  EXPECT_EQ(write_json(found.at("requests")), "{\"get\":7}");
  EXPECT_EQ(write_json(found.at("faces")), "{\"binary\":5,\"rest\":2}");
  EXPECT_EQ(write_json(found.at("classes")), "{\"answered\":5,\"failed\":2}");
  EXPECT_EQ(write_json(found.at("keys")), "{\"hit\":7}");
  const json::object& latency = found.at("latency").as_object();
  EXPECT_EQ(latency.at("bounds").as_array().size(), Histogram::kBoundsSeconds.size());
  EXPECT_EQ(write_json(latency.at("counts")), "{\"rest\":[0,2,0,0,0,0,0,0,0,0,0,0,0,0,1]}");
}

TEST_F(RenderSnapshotTest, KeepsFractionsAndLeavesOutWhatIsNoNumber) {
  metrics.callback_gauge("edged_a", "", [] { return 0.5; });
  metrics.callback_gauge("edged_b", "", [] { return std::nan(""); });
  EXPECT_EQ(write_json(snapshot().at("figures").at("edged_b")), "null");
  EXPECT_EQ(snapshot().at("figures").at("edged_a").as_double(), 0.5);
}

TEST_F(RenderSnapshotTest, PutsKeysIntoBandsByTheTimeTheyHaveLeft) {
  store.namespaces = {{.number = 1, .id = "one", .title = "a \"title\"\n</script>"}};
  const WallTime now = clock.wall_now();
  store.usages[1] = {28,
                     100,
                     {{now + 60s, 1, 1},
                      {now + 61s, 2, 1},
                      {now + 24h, 3, 1},
                      {now + 25h, 4, 1},
                      {now + 30 * 24h, 5, 1},
                      {now + 31 * 24h, 6, 1},
                      {std::nullopt, 7, 1}}};
  const json::object row = snapshot().at("namespaces").at(0).as_object();
  EXPECT_EQ(row.at("title").as_string(), "a \"title\"\n</script>");
  EXPECT_EQ(write_json(row.at("ttl")), "[1,2,3,4,5,6,7]");
}

TEST_F(RenderSnapshotTest, IsOneLineWithTheLargestNamespaces) {
  for (storage::NamespaceNumber number = 1; number <= 1000; ++number) {
    store.namespaces.push_back({.number = number, .id = std::to_string(number), .title = "t"});
    store.usages[number] = {1, number, {}};
  }
  store.namespaces.push_back({.number = 2000, .id = "deleted meanwhile", .title = "d"});
  const std::string text = render_snapshot(metrics, store, clock);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const json::object found = json::parse(text).as_object();
  EXPECT_EQ(found.at("namespaces_total").as_int64(), 1000);
  const json::array& rows = found.at("namespaces").as_array();
  ASSERT_EQ(rows.size(), kSnapshotNamespaces);
  EXPECT_EQ(rows[0].at("bytes").as_int64(), 1000);
  EXPECT_EQ(rows[kSnapshotNamespaces - 1].at("bytes").as_int64(),
            1001 - static_cast<int>(kSnapshotNamespaces));
}

}  // namespace
}  // namespace edged::kv_http
