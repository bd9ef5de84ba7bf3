// SPDX-License-Identifier: Apache-2.0
// An upstream that does what a test tells it: a keep-alive HTTP server on 127.0.0.1 with its own
// thread. A script function answers each request, or misbehaves: cuts the answer, talks garbage,
// never answers. The script runs on the server's thread; the counters may be read from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace edged::test {

struct ScriptedRequest {
  std::size_t number = 0;  // 0 for the first request the server ever read
  std::string method, target;
  std::string head;  // all header lines
  std::string body;

  // The value of a header, or empty.
  std::string header(const std::string& name) const;
};

struct ScriptedAnswer {
  enum class Fault {
    kNone,
    kCut,          // close after the headers and half of the body
    kClose,        // close without a byte
    kGarbage,      // bytes that are no HTTP, then close
    kNeverAnswer,  // keep the connection open and silent
  };
  int status = 200;
  std::string body = {};  // the initialisers keep short braces free of warnings
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::chrono::milliseconds delay{0};
  bool chunked = false;
  Fault fault = Fault::kNone;
  // Not answered before so many requests have been in flight at one time.
  std::size_t held_until_in_flight = 0;
};

class ScriptedHttpServer {
 public:
  using Script = std::function<ScriptedAnswer(const ScriptedRequest&)>;

  explicit ScriptedHttpServer(Script script);
  ~ScriptedHttpServer();
  ScriptedHttpServer(const ScriptedHttpServer&) = delete;
  ScriptedHttpServer& operator=(const ScriptedHttpServer&) = delete;

  // "http://127.0.0.1:40123".
  std::string url() const;

  std::size_t requests() const;
  std::size_t connections() const;
  // The most requests that were read and not yet answered at one time.
  std::size_t in_flight_max() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace edged::test
