// SPDX-License-Identifier: Apache-2.0
// Executes commands in order over an overlay of the keys they name, and writes what they changed as
// one Write that is conditional on every key's version. If a key was changed meanwhile by another
// client, everything is read and executed again. A command by itself and an EXEC are the same here.
// The session's reactor only. It keeps itself and the session until it has answered.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kvstore/redis/command_table.h"
#include "kvstore/redis/overlay.h"
#include "kvstore/redis/pass.h"

namespace edged::redis {

class Session;

class Transaction : public std::enable_shared_from_this<Transaction> {
 public:
  struct Command {
    const CommandSpec* spec = nullptr;
    std::vector<std::string> args;
    std::size_t database = 0;
  };
  // Is called once, with the reply of each command behind the other, or one error.
  using Done = std::function<void(std::string replies)>;

  Transaction(std::shared_ptr<Session> session, std::vector<Command> commands, Done done);

  // Before start(). It is an EXEC: one reply with the commands' own in it, or null if a watched key
  // is not as it was; what concerns all commands is EXECABORT.
  struct WatchedVersion {
    Overlay::Name name;
    storage::Version version = 0;  // 0: absent
  };
  void make_exec(std::vector<WatchedVersion> watched);
  // Before start(): `then` is called once, when the keys were read.
  void on_loaded(std::function<void(Overlay&)> then) { on_loaded_ = std::move(then); }

  void start();

 private:
  // A command is executed so often if other clients change its keys each time; then it is an error.
  static constexpr int kAttemptsMax = 100;
  // The bytes of all values that one command or EXEC reads.
  static constexpr std::size_t kValuesBytesMax = 64 * 1024 * 1024;

  void make_databases();
  bool needs(std::size_t database) const;
  void load();
  void load_key(const Overlay::Name& name, bool keeps);
  bool watched_changed() const;
  void run_one(const Command& command, WallTime now, Reply& reply);
  void read_group();
  void read_one();
  void read_many();
  void run();
  void write();
  void on_written(const Pass::Written& written);
  void fail(const std::string& error);
  void finish(std::string replies);

  const std::shared_ptr<Session> session_;
  const std::vector<Command> commands_;
  Done done_;
  Overlay overlay_;
  std::vector<Overlay::Name> missing_;  // to be read from disk
  std::vector<Overlay::Name> group_;    // of these, what is being read
  std::string replies_;
  std::function<void(Overlay&)> on_loaded_;
  std::vector<WatchedVersion> watched_;
  std::vector<std::pair<std::string, std::string>> messages_;  // to be published by it
  bool is_exec_ = false;
  int attempts_ = 0;
};

}  // namespace edged::redis
