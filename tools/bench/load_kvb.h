// SPDX-License-Identifier: Apache-2.0
// The KVB/1 dialect of load_dialect.h; the echo's sends the same requests.
#pragma once

#include <string>
#include <string_view>

#include "tools/bench/load_dialect.h"

namespace edged::bench {

class KvbDialect : public Dialect {
 public:
  KvbDialect(const DialectOptions& options, const Keys& keys);

  std::string greeting() const override;
  std::size_t greeting_answer_bytes() const override;
  bool has_ids() const override { return true; }
  void ask(const Exchange& exchange, std::uint32_t id, std::string& out) const override;
  Answer cut(std::string_view bytes, Scan& scan) const override;
  Verdict judge(std::string_view answer, Exchange& exchange) const override;

 private:
  Form form_of(const std::string& key, const std::string& value, bool put) const;
  Form multi_get_form(const std::string& key) const;
  Verdict judge_many(std::string_view answer, Exchange& exchange) const;
  Verdict judge_page(std::string_view answer, Exchange& exchange) const;

  Form get_, put_;  // put_ without its value
};

}  // namespace edged::bench
