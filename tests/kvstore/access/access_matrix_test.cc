// SPDX-License-Identifier: Apache-2.0
// The table "What needs which scope" of docs/protocol.md, read from the document: each operation
// with and without its flag, each set of scopes and each kind of limit, on one connection whose
// token changes and on fresh ones.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "kvstore/server/gate.h"
#include "kvstore/server/server.h"
#include "tests/kvstore/raw_client.h"
#include "tests/support/memory_store.h"
#include "tests/support/temp_dir.h"

namespace edged::server {
namespace {

using access::Scope;
using access::Scopes;
using wire::Opcode;

const std::map<std::string, Scope> kScopes{{"read", Scope::kRead},
                                           {"write", Scope::kWrite},
                                           {"delete", Scope::kDelete},
                                           {"list", Scope::kList},
                                           {"admin", Scope::kAdmin},
                                           {"metrics", Scope::kMetrics},
                                           {"queue", Scope::kQueue}};
const std::map<std::string, std::uint16_t> kFlags{{"LEASE", wire::kFlagLease},
                                                  {"WITH_VALUES", wire::kFlagWithValues}};

struct Row {
  Opcode opcode{};
  Scopes scopes;
  std::uint16_t flag = 0;
  Scopes with_flag;
  std::string judged_by;
};

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) {
    const std::size_t begin = part.find_first_not_of(' ');
    if (begin == std::string::npos) {
      parts.emplace_back();
    } else {
      parts.push_back(part.substr(begin, part.find_last_not_of(' ') - begin + 1));
    }
  }
  return parts;
}

Scopes scopes_of(const std::string& text) {
  Scopes scopes;
  for (const std::string& one : split(text, ',')) {
    if (!one.empty()) scopes.add(kScopes.at(one));
  }
  return scopes;
}

Opcode opcode_of(std::string name) {
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  for (int number = 0; number < 256; ++number) {
    const auto opcode = static_cast<Opcode>(number);
    if (wire::opcode_name(opcode) == name) return opcode;
  }
  ADD_FAILURE() << "docs/protocol.md names the operation " << name;
  return {};
}

std::vector<Row> read_table() {
  std::ifstream file(EDGED_SOURCE_DIR "/docs/protocol.md");
  std::vector<Row> rows;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| operation | scopes |")) inside = true;
    if (inside && !line.starts_with("|")) break;
    if (!inside || line.starts_with("| operation") || line.starts_with("| ---")) continue;
    const std::vector<std::string> cells = split(line.substr(1), '|');
    for (const std::string& name : split(cells.at(0), ',')) {
      Row row;
      row.opcode = opcode_of(name);
      row.scopes = scopes_of(cells.at(1));
      row.judged_by = cells.at(3);
      if (!cells.at(2).empty()) {
        const std::vector<std::string> flag = split(cells.at(2), ':');
        row.flag = kFlags.at(flag.at(0));
        row.with_flag = scopes_of(flag.at(1));
      }
      rows.push_back(row);
    }
  }
  return rows;
}

struct Limit {
  const char* name;
  bool other_namespace = false;  // the token is limited to another one
  bool own_namespace = false;    // to the one that is asked for
  const char* prefix = "";
  bool key_inside = true;
};

constexpr Limit kLimits[] = {{"none"},
                             {"its namespace", false, true},
                             {"another namespace", true},
                             {"a prefix that the key has", false, false, "a:"},
                             {"a prefix that the key lacks", false, false, "b:", false},
                             {"its namespace and a prefix", false, true, "a:"}};

// What the document says.
bool is_allowed(const Row& row, std::uint16_t flags, Scopes have, const Limit& limit) {
  if (!have.has_all(row.scopes)) return false;
  if ((flags & row.flag) != 0 && !have.has_all(row.with_flag)) return false;
  const bool prefixed = limit.prefix[0] != '\0';
  const bool namespaced = limit.own_namespace || limit.other_namespace;
  if (row.judged_by == "nothing") return true;
  if (row.judged_by == "node") return !prefixed && !namespaced;
  if (row.judged_by == "namespace" || row.judged_by == "new") {
    return !prefixed && !limit.other_namespace;
  }
  return !limit.other_namespace && limit.key_inside;  // key, prefix, items
}

class AccessMatrixTest : public ::testing::Test {
 protected:
  void SetUp() override {
    own_ = *store_.create_namespace("own", std::string(32, 'a'));
    other_ = *store_.create_namespace("other", std::string(32, 'b'));
    table_ = *access::AccessTable::open({access_file_, true}, clock_);
  }

  // The request of a row; OPEN names the token's namespaces by their handles elsewhere.
  wire::Request request_of(const Row& row, std::uint16_t flags) {
    wire::Request request;
    request.opcode = row.opcode;
    request.flags = flags;
    request.ns = own_.number;
    request.key = "a:key";
    if (row.judged_by == "nothing") request.key = {};
    if (row.judged_by == "new") request.fields.namespace_id = own_.id;
    if (row.judged_by == "items") {
      wire::Item item;
      item.key = "a:key";
      item.opcode = row.opcode == Opcode::kMultiGet      ? Opcode::kGet
                    : row.opcode == Opcode::kMultiDelete ? Opcode::kDelete
                                                         : Opcode::kPut;
      items_.clear();
      wire::append_item(item, items_);
      request.key = {};
      request.value = items_;
    }
    return request;
  }

  access::Grant grant_of(Scopes scopes, const Limit& limit) {
    access::Grant grant;
    grant.name = "token " + std::to_string(++names_);
    grant.scopes = scopes;
    grant.prefix = limit.prefix;
    if (limit.own_namespace) grant.namespaces = {own_.id};
    if (limit.other_namespace) grant.namespaces = {other_.id};
    return grant;
  }

  void try_all(Gate& gate, Scopes scopes, const Limit& limit, const std::vector<Row>& rows) {
    for (Row row : rows) {
      // A PUT in the batch needs its own scope.
      if (row.opcode == Opcode::kBatch) row.scopes = {Scope::kWrite};
      for (const std::uint16_t flags : {std::uint16_t{0}, row.flag}) {
        const Status status = gate.authorize(request_of(row, flags));
        EXPECT_EQ(status.ok(), is_allowed(row, flags, scopes, limit))
            << wire::opcode_name(row.opcode) << " with flags " << flags << ", scopes "
            << access::to_text(scopes) << ", limit " << limit.name << ": " << status.message();
        EXPECT_TRUE(status.ok() || status.code() == Code::kDenied) << status.to_string();
        ++tried_;
      }
    }
  }

  void ask_all(test::RawClient& client,
               Scopes scopes,
               const Limit& limit,
               const std::vector<Row>& rows) {
    // What would change the next answers is only asked for where it is refused.
    const std::set<Opcode> changing{Opcode::kAuth, Opcode::kWatch, Opcode::kNamespaceDelete};
    for (Row row : rows) {
      if (row.opcode == Opcode::kBatch) row.scopes = {Scope::kWrite};
      for (const std::uint16_t flags : {std::uint16_t{0}, row.flag}) {
        const bool allowed = is_allowed(row, flags, scopes, limit);
        if (allowed && changing.contains(row.opcode)) continue;
        wire::Request request = request_of(row, flags);
        request.id = static_cast<std::uint32_t>(++tried_);
        const test::RawClient::Reply reply = client.call(request);
        ASSERT_EQ(reply.header.id, request.id);
        EXPECT_EQ(reply.status() == Code::kDenied, !allowed)
            << wire::opcode_name(row.opcode) << " with flags " << flags << ", scopes "
            << access::to_text(scopes) << ", limit " << limit.name << ": "
            << code_name(reply.status());
      }
    }
  }

  static void authenticate(Gate& gate, const std::string& secret) {
    wire::Request request;
    request.opcode = Opcode::kAuth;
    request.fields.credential = secret;
    std::string out;
    ASSERT_EQ(gate.authenticate(request, reply_to(request, wire::kBodyBytesMax), out), Code::kOk);
  }

  SystemClock clock_;
  test::TempDir dir_;
  const std::string access_file_ = dir_.path() + "/tokens.json";
  test::MemoryStore store_{clock_};
  MetricsRegistry registry_;
  std::unique_ptr<access::AccessTable> table_;
  storage::Namespace own_, other_;
  std::string items_;
  int names_ = 0;
  std::size_t tried_ = 0;
};

TEST_F(AccessMatrixTest, TheDocumentHasEachOperationOnce) {
  std::map<Opcode, int> seen;
  for (const Row& row : read_table()) ++seen[row.opcode];
  for (int number = 0; number < 256; ++number) {
    const auto opcode = static_cast<Opcode>(number);
    if (wire::opcode_name(opcode) == "unknown") continue;
    EXPECT_EQ(seen[opcode], 1) << wire::opcode_name(opcode);
  }
}

TEST_F(AccessMatrixTest, EveryOperationFlagScopeAndLimitIsJudgedAsDocumented) {
  const std::vector<Row> rows = read_table();
  const AccessContext context{table_.get(), store_, registry_.counter("failures", "")};
  Gate one(context);  // shows one token after the other
  for (const Limit& limit : kLimits) {
    for (int bits = 1; bits < 64; ++bits) {
      Scopes scopes;
      int bit = 0;
      for (const auto& [name, scope] : kScopes) {
        if ((bits >> bit++ & 1) != 0) scopes.add(scope);
      }
      const access::NewToken made = *table_->create(grant_of(scopes, limit));
      authenticate(one, made.secret);
      try_all(one, scopes, limit, rows);
      Gate fresh(context);
      authenticate(fresh, made.secret);
      try_all(fresh, scopes, limit, rows);
    }
  }
  EXPECT_GT(tried_, 50'000u);
}

// Over TCP: the answer is `denied` exactly where the document says so.
TEST_F(AccessMatrixTest, TheSameHoldsOnOneConnectionAndOnFreshOnes) {
  ServerOptions options;
  options.listen = {"127.0.0.1:0"};
  options.io_threads = 1;
  options.access = table_.get();
  options.limits.auth_timeout = std::chrono::minutes(10);
  Server server(options, store_, clock_, registry_);
  ASSERT_TRUE(server.start().ok());
  const std::vector<Row> rows = read_table();
  test::RawClient one(server.addresses().front());
  std::vector<Scopes> sets(1);
  for (const auto& [name, scope] : kScopes) {
    sets.push_back({scope});
    sets.front().add(scope);
  }
  for (const Limit& limit : kLimits) {
    for (const Scopes scopes : sets) {
      const std::string secret = table_->create(grant_of(scopes, limit))->secret;
      test::RawClient fresh(server.addresses().front());
      for (test::RawClient* client : {&one, &fresh}) {
        wire::Request in;
        in.opcode = Opcode::kAuth;
        in.fields.credential = secret;
        ASSERT_EQ(client->call(in).status(), Code::kOk);
        ask_all(*client, scopes, limit, rows);
      }
    }
  }
  EXPECT_GT(tried_, 4'000u);
}

}  // namespace
}  // namespace edged::server
