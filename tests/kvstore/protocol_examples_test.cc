// SPDX-License-Identifier: Apache-2.0
// The hex examples of docs/protocol.md, read from the document and executed in its order.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "proto/base/hex.h"
#include "tests/kvstore/server_fixture.h"

namespace edged::server {
namespace {

struct Example {
  std::string name, sent;
  std::vector<std::string> answer;  // two digits or ".." each
};

std::vector<Example> read_examples() {
  std::ifstream file(EDGED_SOURCE_DIR "/docs/protocol.md");
  std::vector<Example> examples;
  std::string line;
  bool inside = false;
  while (std::getline(file, line)) {
    if (line.starts_with("```hex ")) {
      examples.push_back({line.substr(7), "", {}});
      inside = true;
    } else if (line.starts_with("```")) {
      inside = false;
    } else if (inside) {
      std::istringstream words(line.substr(1));
      for (std::string word; words >> word;) {
        if (line[0] == '>') {
          examples.back().sent += from_hex(word).value();
        } else {
          examples.back().answer.push_back(word);
        }
      }
    }
  }
  return examples;
}

void expect_answer(const Example& example, const std::string& answer) {
  ASSERT_EQ(answer.size(), example.answer.size()) << example.name << ": " << to_hex(answer);
  for (std::size_t i = 0; i < answer.size(); ++i) {
    if (example.answer[i] != "..") {
      ASSERT_EQ(to_hex(answer.substr(i, 1)), example.answer[i])
          << example.name << ", byte " << i << " of " << to_hex(answer);
    }
  }
}

using ProtocolExamplesTest = ServerFixture;

TEST_F(ProtocolExamplesTest, TheDocumentTellsTheTruth) {
  test::RawClient client(address_, false);
  std::thread stopping;
  for (const Example& example : read_examples()) {
    if (example.name == "go away") {
      stopping = std::thread([this] { server_->stop(); });
    }
    EXPECT_TRUE(client.send(example.sent)) << example.name;
    expect_answer(example, client.receive(example.answer.size()));
    if (HasFatalFailure()) {
      break;
    }
  }
  ASSERT_TRUE(stopping.joinable()) << "the last example stops the server";
  stopping.join();
}

// STATS answers figures that no page can foretell.
TEST(ProtocolDocumentTest, HasAnExampleOfEveryOperation) {
  std::set<int> shown;
  for (const Example& example : read_examples()) {
    if (example.sent.size() >= wire::kHeaderBytes) {
      shown.insert(static_cast<unsigned char>(example.sent[1]));
    }
  }
  for (int opcode = 0; opcode < 256; ++opcode) {
    const auto asked = static_cast<wire::Opcode>(opcode);
    const bool without = asked == wire::Opcode::kStats || asked == wire::Opcode::kGoAway ||
                         asked == wire::Opcode::kCheckPresent ||
                         asked == wire::Opcode::kCheckAbsent ||
                         asked == wire::Opcode::kCheckVersion;
    if (wire::opcode_name(asked) != "unknown" && !without) {
      EXPECT_TRUE(shown.contains(opcode)) << wire::opcode_name(asked);
    }
  }
}

}  // namespace
}  // namespace edged::server
