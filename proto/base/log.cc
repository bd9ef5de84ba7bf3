// SPDX-License-Identifier: Apache-2.0
#include "proto/base/log.h"

#include <pthread.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "proto/base/log_writer.h"
#include "proto/base/printable.h"

namespace edged::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
    case Level::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

// How long a program that ends waits for the last lines to be written.
constexpr std::chrono::milliseconds kFlushTimeout{1000};
constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %n: %v";

std::string& component_name() {
  static std::string& name = *new std::string("edged");
  return name;
}

std::string lost_notice(std::uint64_t lines) {
  spdlog::pattern_formatter formatter(kPattern, spdlog::pattern_time_type::utc);
  const std::string text = std::to_string(lines) +
                           (lines == 1 ? " log line was lost" : " log lines were lost") +
                           ": stderr could not be written, or its reader was too slow";
  const spdlog::details::log_msg message(component_name(), spdlog::level::warn, text);
  spdlog::memory_buf_t line;
  formatter.format(message, line);
  return {line.data(), line.size()};
}

// Never destroyed: its thread may wait for a stalled stream when the program ends.
LogWriter& stderr_writer() {
  static LogWriter& writer = *[] {
    static LogWriter* const made = new LogWriter(STDERR_FILENO, lost_notice);
    ::pthread_atfork([] { made->before_fork(); },
                     [] { made->after_fork_in_parent(); },
                     [] { made->after_fork_in_child(); });
    return made;
  }();
  return writer;
}

class QueueSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    stderr_writer().write(std::string(line.data(), line.size()));
  }
  void flush_() override {}
};

// abort() calls this on the thread that aborts, which holds no lock of the writer.
void flush_on_abort(int) {
  stderr_writer().flush(kFlushTimeout);
}

[[noreturn]] void end_on_terminate() {
  std::string reason = "an exception of unknown type";
  if (const std::exception_ptr thrown = std::current_exception()) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& error) {
      reason = error.what();
    } catch (...) {  // the reason stays as it is
    }
  }
  error("the program ends because of an unexpected exception: " + reason);
  std::abort();
}

void flush_at_end() {
  static const bool done = [] {
    std::atexit([] { flush(kFlushTimeout); });
    struct sigaction before {};
    ::sigaction(SIGABRT, nullptr, &before);
    if (before.sa_handler == SIG_DFL) {  // a program's own handler stays
      struct sigaction action {};
      action.sa_handler = flush_on_abort;
      action.sa_flags = static_cast<int>(SA_RESETHAND);
      ::sigaction(SIGABRT, &action, nullptr);
    }
    std::set_terminate(end_on_terminate);
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace

bool parse_level(std::string_view text, Level& level) {
  static constexpr std::pair<std::string_view, Level> kNames[] = {
      {"debug", Level::kDebug},
      {"info", Level::kInfo},
      {"warn", Level::kWarn},
      {"error", Level::kError},
      {"off", Level::kOff},
  };
  for (const auto& [name, named] : kNames) {
    if (text == name) {
      level = named;
      return true;
    }
  }
  return false;
}

void init(std::string_view component, Level level) {
  component_name() = component;
  auto logger =
      std::make_shared<spdlog::logger>(std::string(component), std::make_shared<QueueSink>());
  logger->set_formatter(
      std::make_unique<spdlog::pattern_formatter>(kPattern, spdlog::pattern_time_type::utc));
  logger->set_level(to_spdlog(level));
  spdlog::set_default_logger(std::move(logger));
  flush_at_end();
}

void set_level(Level level) {
  spdlog::default_logger_raw()->set_level(to_spdlog(level));
}

bool enabled(Level level) {
  return spdlog::default_logger_raw()->should_log(to_spdlog(level));
}

void write(Level level, std::string_view message) {
  if (!enabled(level)) return;
  // Titles, keys and what peers say may be in it: one event is one line, and drives no terminal.
  const std::string line = is_printable(message) ? std::string() : printable(message);
  if (!line.empty()) message = line;
  spdlog::default_logger_raw()->log(to_spdlog(level),
                                    spdlog::string_view_t(message.data(), message.size()));
}

void print(std::string_view line) {
  stderr_writer().write(std::string(line) + "\n");
  flush_at_end();
}

bool flush(std::chrono::milliseconds timeout) {
  return stderr_writer().flush(timeout);
}

std::uint64_t lines_lost() {
  return stderr_writer().lines_lost();
}

}  // namespace edged::log
