// SPDX-License-Identifier: Apache-2.0
// One client of the linearizability soak: a blocking connection to a node's unix socket that is
// made again when it breaks, and one operation at a time, recorded with its times. One thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "proto/wire/message.h"
#include "tests/soak/linear_history.h"

namespace edged::soak {

// Of the one clock that all times of a history come from.
std::int64_t linear_now();

// A connection; broken for good after the first failure.
class LinearLink {
 public:
  // Errors: kUnavailable.
  static Result<LinearLink> open(const std::string& path);
  LinearLink(LinearLink&& other) noexcept;
  LinearLink& operator=(LinearLink&&) = delete;
  ~LinearLink();

  struct Reply {
    Code code = Code::kOk;
    std::uint64_t version = 0;
    std::string value{};
  };
  // Nothing if the connection broke, or if `cut` ended it behind the request.
  std::optional<Reply> ask(wire::Request request, bool cut);

 private:
  explicit LinearLink(int socket) : socket_(socket) {}
  bool greet();
  bool send(const std::string& bytes);
  std::optional<Reply> receive(std::uint32_t id);

  int socket_;
  std::uint32_t ns_ = 0;
  std::uint32_t last_id_ = 0;
  wire::FrameReader reader_{wire::FrameReader::Peer::kServer, wire::kBodyBytesMax};
};

struct LinearClientOptions {
  std::string path;
  std::vector<std::string> keys;
  std::uint64_t client = 0;  // makes its values different from those of others
  std::uint64_t seed = 0;
  unsigned cut_one_in = 300;
};

// What the clients of a round share with the one that kills the node.
struct LinearProgress {
  std::atomic<std::uint64_t> operations{0};  // of all clients, answered or not
  std::atomic<bool> stop{false};
};

class LinearClient {
 public:
  explicit LinearClient(LinearClientOptions options)
      : options_(std::move(options)),
        random_(options_.seed),
        histories_(options_.keys.size()),
        versions_(options_.keys.size()) {}

  // Operations until `progress.stop`.
  void run(LinearProgress& progress);

  // Of each key, in the order of the options; `returned` of what was not answered is kNever.
  const std::vector<std::vector<LinearOp>>& histories() const { return histories_; }

 private:
  LinearOp choose(std::size_t key);
  void ask(LinearLink& link, std::size_t key);
  std::uint64_t pick(std::uint64_t count) { return random_() % count; }

  const LinearClientOptions options_;
  std::mt19937_64 random_;
  std::uint64_t last_value_ = 0;
  bool broken_ = false;
  std::vector<std::vector<LinearOp>> histories_;
  std::vector<std::uint64_t> versions_;  // the last one seen of each key
};

}  // namespace edged::soak
