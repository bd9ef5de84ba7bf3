// SPDX-License-Identifier: Apache-2.0
// An SMTP server on 127.0.0.1 that does at each step what a test says, with a thread of its own.
// One connection at a time.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio.hpp>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace edged::mail {

class ScriptedSmtpServer {
 public:
  // Answers by step: "greeting", "EHLO", "AUTH", "AUTH2" (a line after AUTH), "MAIL", "RCPT",
  // "DATA", "." and "close" (after the answer to "."). "CUT" closes, "STALL" is silent until the
  // other side closes. What is not named is accepted.
  using Script = std::map<std::string, std::string>;

  explicit ScriptedSmtpServer(Script script) : script_(std::move(script)) {
    acceptor_.listen();
    thread_ = std::thread([this] { serve(); });
  }
  ~ScriptedSmtpServer() {
    stopping_ = true;
    thread_.join();
  }
  std::string url() const {
    return "smtp://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }
  int connections() const { return connections_; }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  std::vector<std::string> accepted() const {
    const std::lock_guard lock(mutex_);
    return accepted_;
  }

 private:
  bool readable(int fd) {
    while (!stopping_) {
      pollfd wait{fd, POLLIN, 0};
      if (::poll(&wait, 1, 20) > 0) return true;
    }
    return false;
  }
  void serve() {
    while (readable(acceptor_.native_handle())) {
      fd_ = ::accept(acceptor_.native_handle(), nullptr, nullptr);
      ++connections_;
      buffer_.clear();
      talk();
      ::close(fd_);
    }
  }
  bool fill() {
    char bytes[4096];
    if (!readable(fd_)) return false;
    const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }
  bool until(const std::string& end, std::string& text) {
    std::size_t at = 0;
    while ((at = buffer_.find(end)) == std::string::npos) {
      if (!fill()) return false;
    }
    text = buffer_.substr(0, at + end.size());
    buffer_.erase(0, at + end.size());
    return true;
  }
  // False: the connection ends.
  bool answer(const std::string& step, const std::string& usual) {
    const auto found = script_.find(step);
    const std::string reply = found == script_.end() ? usual : found->second;
    if (reply == "CUT") return false;
    if (reply == "STALL") {
      while (fill()) buffer_.clear();
      return false;
    }
    const std::string line = reply + "\r\n";
    return ::send(fd_, line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size());
  }
  void talk() {
    if (!answer("greeting", "220 test ESMTP")) return;
    std::string line;
    while (until("\r\n", line)) {
      {
        const std::lock_guard lock(mutex_);
        lines_.push_back(line.substr(0, line.size() - 2));
      }
      const std::string word = line.substr(0, 4);
      if (word == "EHLO") {
        if (!answer(word, "250-test\r\n250 AUTH PLAIN LOGIN")) return;
      } else if (word == "AUTH") {
        if (!answer(word, "334 ") || !until("\r\n", line)) return;
        if (!answer("AUTH2", "235 2.7.0 Ok")) return;
      } else if (word == "DATA") {
        if (!answer(word, "354 Go ahead")) return;
        if (script_.count(word) == 0 && !take_message()) return;
      } else if (word == "QUIT") {
        answer(word, "221 Bye");
        return;
      } else if (!answer(word, "250 2.1.0 Ok")) {
        return;
      }
    }
  }
  bool take_message() {
    std::string content;
    while (!content.ends_with("\r\n.\r\n")) {
      std::string line;
      if (!until("\r\n", line)) return false;
      content += line;
    }
    {
      const std::lock_guard lock(mutex_);
      accepted_.push_back(content);
    }
    return answer(".", "250 2.0.0 Queued as 42") && script_.count("close") == 0;
  }

  const Script script_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_{io_, {boost::asio::ip::address_v4::loopback(), 0}, true};
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  mutable std::mutex mutex_;
  std::vector<std::string> lines_, accepted_;  // guarded by mutex_
  int fd_ = -1;
  std::string buffer_;
  std::thread thread_;
};

}  // namespace edged::mail
