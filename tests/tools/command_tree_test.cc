// SPDX-License-Identifier: Apache-2.0
// The man page and the completions of a table with descriptions that would break either.
#include "tools/edged/command_tree.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <string>

namespace edged {
namespace {

using ::testing::Test;

class CommandTreeTest : public Test {
 protected:
  CommandTreeTest() {
    program_.set_version_flag("--version", "tool 1.2.3\ncommit abc");
    program_
        .add_option("-a,--address", address_, "Where it is: [HOST]:PORT, it's \"there\" \\ or not")
        ->type_name("ADDRESS")
        ->envname("TOOL_ADDRESS");
    CLI::App* outer = program_.add_subcommand("outer", "A group");
    CLI::App* inner = outer->add_subcommand("inner-most", ".SH is no request\n'nor is this");
    inner->fallthrough();
    inner->add_option("--mode", mode_, "How")->type_name("fast|slow");
    inner->add_option("--kind", mode_, "What")
        ->check(CLI::IsMember({"one", "two"}))
        ->type_name("KIND");
    inner->add_option("--out-file", file_, "Where to")->type_name("TEXT");
    inner->add_option("key", key_, "The key")->required();
    inner->add_option("rest", rest_, "More");
    inner->add_option("--secret", file_, "Not shown")->group("");
    program_.add_subcommand("hidden", "Not shown")->group("");
  }

  CLI::App program_{"tool: does things", "tool"};
  std::string address_, mode_, file_, key_;
  std::vector<std::string> rest_;
};

const CommandOption* find(const std::vector<CommandOption>& options, const std::string& name) {
  for (const CommandOption& option : options) {
    if (option.names.back() == name) return &option;
  }
  return nullptr;
}

TEST_F(CommandTreeTest, HasEveryCommandAndOptionThatIsNotHidden) {
  const Command tool = describe_commands(program_);
  ASSERT_EQ(tool.commands.size(), 1U);
  ASSERT_EQ(tool.commands[0].commands.size(), 1U);
  const Command& inner = tool.commands[0].commands[0];
  EXPECT_EQ(inner.path, "tool outer inner-most");
  EXPECT_EQ(synopsis_of(inner), "tool outer inner-most [OPTIONS] key [rest...]");
  EXPECT_EQ(find(inner.options, "--secret"), nullptr);
  ASSERT_NE(find(inner.options, "--mode"), nullptr);
  EXPECT_EQ(find(inner.options, "--mode")->words, (std::vector<std::string>{"fast", "slow"}));
  ASSERT_NE(find(inner.options, "--kind"), nullptr);
  EXPECT_EQ(find(inner.options, "--kind")->words, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(find(inner.options, "--kind")->type, "KIND");
  EXPECT_EQ(find(inner.options, "--out-file")->kind, ValueKind::kFile);
  const CommandOption* address = find(tool.options, "--address");
  ASSERT_NE(address, nullptr);
  EXPECT_EQ(address->names, (std::vector<std::string>{"-a", "--address"}));
  EXPECT_EQ(address->environment, "TOOL_ADDRESS");
}

TEST_F(CommandTreeTest, OnlyACommandThatFallsThroughInherits) {
  const Command tool = describe_commands(program_);
  EXPECT_TRUE(tool.commands[0].inherited.empty());
  // `outer` does not fall through, so --address may not follow it; its own options may.
  EXPECT_EQ(find(tool.commands[0].commands[0].inherited, "--version"), nullptr);
}

TEST_F(CommandTreeTest, TheManPageHasNoRequestFromADescription) {
  const std::string page =
      man_page(describe_commands(program_), program_.version(), "'quoted\n.footer");
  EXPECT_NE(page.find("\n\\&.SH is no request\n\\&'nor is this\n"), std::string::npos);
  EXPECT_NE(page.find("\n\\&'quoted\n\\&.footer\n"), std::string::npos);
  EXPECT_NE(page.find("it's \"there\" \\e or not"), std::string::npos);
  EXPECT_NE(page.find(".TH \"TOOL\" 1 \"\" \"tool 1.2.3\""), std::string::npos);
  EXPECT_NE(page.find(".SS \"tool outer inner\\-most [OPTIONS] key [rest...]\""),
            std::string::npos);
  EXPECT_EQ(page.find("Not shown"), std::string::npos);
}

TEST_F(CommandTreeTest, ZshGetsQuotedDescriptions) {
  const std::string text = zsh_completion(describe_commands(program_));
  EXPECT_NE(text.find("'--address=[Where it is\\: \\[HOST\\]\\:PORT, it'\\''s \"there\" \\\\ or "
                      "not]:ADDRESS: '"),
            std::string::npos);
  EXPECT_NE(text.find("'--mode=[How]:fast|slow:(fast slow)'"), std::string::npos);
  EXPECT_NE(text.find("_tool__outer__inner-most() {"), std::string::npos);
}

TEST_F(CommandTreeTest, BashKnowsTheKindsOfValues) {
  const std::string text = bash_completion(describe_commands(program_));
  EXPECT_NE(text.find("commands=' inner-most'"), std::string::npos);
  EXPECT_NE(text.find(" --mode=fast|slow --kind=one|two --out-file=file"), std::string::npos);
  EXPECT_NE(text.find(" -a=any --address=any"), std::string::npos);
  EXPECT_EQ(text.find("hidden"), std::string::npos);
}

}  // namespace
}  // namespace edged
