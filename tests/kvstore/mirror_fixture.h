// SPDX-License-Identifier: Apache-2.0
// A store with a namespace whose mirror owns "m:", and what the mirror does to it. The clock is the
// test's. One thread, except where a test says otherwise.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/kvstore/store_fixture.h"
#include "tests/support/mirror_rules.h"

namespace edged::storage {

class MirrorFixture : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open();
  }

  // `age` before now; absent: the write carries no time.
  std::vector<WriteOutcome> mirror_write(
      std::vector<Operation> operations,
      std::string position = "",
      std::optional<std::chrono::milliseconds> age = std::nullopt) {
    Write write;
    write.operations = std::move(operations);
    write.atomic = true;
    write.mirror = MirrorMark{ns_, std::move(position), std::nullopt};
    if (age) write.mirror->fresh_as_of = clock_.wall_now() - *age;
    auto outcomes = write_and_wait(*store_, std::move(write));
    if (!outcomes) return {{outcomes.code(), outcomes.error().message(), 0, {}, {}}};
    return *std::move(outcomes);
  }
  Code mirror_put(std::string key, std::string value) {
    return mirror_write({put_of(std::move(key), std::move(value))}).front().code;
  }
  Code declare(const std::vector<test::RuleText>& rules) {
    return mirror_put(test::kRulesKey, test::rules_value(rules));
  }
  // "m:" is owned, loaded and fresh; "m:1" = "one".
  void mirror() {
    ASSERT_EQ(declare({{"m:", 5000, true}}), Code::kOk);
    ASSERT_EQ(mirror_write({put_of("m:1", "one")}, "p1", std::chrono::milliseconds(0)).front().code,
              Code::kOk);
  }

  std::string mirror_get(std::string_view key) const {
    const auto entry = store_->get(ns_, key, ReadTier::kDisk, Reader::kMirror);
    return entry ? entry->value : std::string(code_name(entry.code()));
  }
  std::string keys_of(std::string prefix, Reader reader) const {
    ListRequest request;
    request.ns = ns_;
    request.prefix = std::move(prefix);
    request.reader = reader;
    const auto page = store_->list(request);
    if (!page) return std::string(code_name(page.code()));
    std::string keys;
    for (const ListItem& item : page->items) keys += item.key + ' ';
    return keys;
  }
};

}  // namespace edged::storage
