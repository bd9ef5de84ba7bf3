// SPDX-License-Identifier: Apache-2.0
// The commands that this face knows: shape, keys, and who executes them; and the names of Redis's
// commands that it does not have. Constant; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/redis/command_context.h"
#include "kvstore/redis/command_parser.h"

namespace edged::redis {

class Session;
using SessionHandler = void (Session::*)(Arguments, Reply&);

enum CommandFlag : std::uint32_t {
  kWrites = 1,           // may change keys
  kReads = 2,            // reads keys
  kWithoutAuth = 4,      // a peer that has shown no token may ask for it
  kWhileSubscribed = 8,  // also by a subscriber of protocol version 2
  kNotInMulti = 16,      // cannot be queued by MULTI
  kRunsInMulti = 32,     // is executed at once between MULTI and EXEC
  kPassWrite = 64,       // may have a short way: one write without reading
  kAdministers = 128,
};

struct CommandSpec {
  std::string_view name;  // in lower case
  int arity;              // of the words with the name; negative: at least
  std::uint32_t flags;
  int first_key, last_key, key_step;  // as COMMAND answers; 0: none
  RunCommand run;                     // over an overlay, or
  SessionHandler handle;              // of the session

  bool has(CommandFlag flag) const { return (flags & flag) != 0; }
};

// Whether a command may have so many words.
bool fits(int arity, Arguments args);
// Null if there is no such command.
const CommandSpec* find_command(std::string_view name);
std::span<const CommandSpec> all_commands();
// Reads keys and answers OK: for WATCH.
const CommandSpec& command_to_watch();

// For a command that has subcommands, such as CLIENT: the error's text if the subcommand is unknown
// or has a wrong number of words. Empty if it is right.
std::string check_subcommand(const CommandSpec& spec, Arguments args);

// The family of a command of Redis that this face does not have, such as "lists". Empty if Redis
// has no such command.
std::string_view missing_family(std::string_view name);

// A key that a command names, in the database with this number.
struct CommandKey {
  std::size_t database = 0;
  std::string_view key;
};
void append_keys(const CommandSpec& spec,
                 Arguments args,
                 std::size_t database,
                 std::vector<CommandKey>& keys);

}  // namespace edged::redis
