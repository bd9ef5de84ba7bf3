// SPDX-License-Identifier: Apache-2.0
// The echo's dialect of load_dialect.h: the first 8 bytes of a request of KVB/1 say how many bytes
// it has and how many it wants back; an answer's first 4 bytes say how many it has. u32,
// little-endian.
#include <cstring>

#include "proto/wire/limits.h"
#include "tools/bench/load_kvb.h"

namespace edged::bench {
namespace {

constexpr std::size_t kVersionTlvBytes = 12;  // of the answer to a PUT

class EchoDialect : public KvbDialect {
 public:
  using KvbDialect::KvbDialect;
  std::string greeting() const override { return {}; }
  std::size_t greeting_answer_bytes() const override { return 0; }
  bool has_ids() const override { return false; }

  void ask(const Exchange& exchange, std::uint32_t id, std::string& out) const override {
    const std::size_t start = out.size();
    KvbDialect::ask(exchange, id, out);
    const std::uint32_t sizes[2] = {static_cast<std::uint32_t>(out.size() - start),
                                    answer_bytes(exchange)};
    std::memcpy(out.data() + start, sizes, sizeof sizes);
  }

  Answer cut(std::string_view bytes, Scan& /*scan*/) const override {
    std::uint32_t size = 0;
    if (bytes.size() < sizeof size) return {};
    std::memcpy(&size, bytes.data(), sizeof size);
    if (size < sizeof size) return {0, {}, true};
    if (bytes.size() < size) return {};
    return {size, {}, false};
  }

  Verdict judge(std::string_view answer, Exchange& exchange) const override {
    exchange.items = keys_each();
    return answer.size() == answer_bytes(exchange) ? Verdict::kRight : Verdict::kWrong;
  }

 private:
  std::uint32_t answer_bytes(const Exchange& exchange) const {
    std::size_t body = options_.value_bytes;
    if (options_.work == Work::kMultiGet) body = (body + wire::kItemHeaderBytes) * options_.items;
    if (exchange.operation.put) body = kVersionTlvBytes;
    return static_cast<std::uint32_t>(wire::kHeaderBytes + body);
  }
};

}  // namespace

std::unique_ptr<Dialect> echo_dialect(const DialectOptions& options, const Keys& keys) {
  return std::make_unique<EchoDialect>(options, keys);
}

}  // namespace edged::bench
