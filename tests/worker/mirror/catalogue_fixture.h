// SPDX-License-Identifier: Apache-2.0
// A database of its own, and what the mirror finds in it. One thread.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/postgres_cluster.h"
#include "tests/support/run_awaitable.h"
#include "worker/mirror/catalogue.h"

namespace edged::mirror {

inline Rule rule_of(const std::string& table, const std::string& key, RowValue value = {}) {
  Rule rule;
  rule.table = *parse_table_name(table);
  rule.key = *KeyTemplate::parse(key);
  rule.value = std::move(value);
  return rule;
}

class CatalogueFixture : public testing::Test {
 protected:
  void sql(const std::string& text) { cluster_.query(database_, text); }
  std::unique_ptr<db::PgPool> pool() {
    db::PgPoolOptions options;
    options.url = url_.empty() ? cluster_.url(database_) : url_;
    options.size = 1;
    return std::make_unique<db::PgPool>(io_.get_executor(), options, metrics_);
  }
  Catalogue read(std::vector<Rule> rules) {
    const auto used = pool();
    auto catalogue = test::run_awaitable(io_, read_catalogue(*used, rules));
    EXPECT_TRUE(catalogue) << catalogue.error().to_string();
    return catalogue ? *std::move(catalogue) : Catalogue{};
  }
  std::vector<std::string> complaints(Rule rule) {
    std::vector<Rule> rules;
    rules.push_back(std::move(rule));
    return read(std::move(rules)).complaints;
  }
  ServerFacts facts() {
    const auto used = pool();
    auto found = test::run_awaitable(io_, read_server_facts(*used));
    EXPECT_TRUE(found) << found.error().to_string();
    return found ? *std::move(found) : ServerFacts{};
  }

  test::PostgresCluster& cluster_ = test::PostgresCluster::shared();
  std::string database_ = cluster_.create_database();
  std::string url_;  // empty: the superuser
  boost::asio::io_context io_;
  MetricsRegistry metrics_;
};

}  // namespace edged::mirror
