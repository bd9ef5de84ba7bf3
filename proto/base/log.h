// SPDX-License-Identifier: Apache-2.0
// The program's log: one line per event on stderr, "2026-11-24T14:33:35.123Z info node: listening
// …". spdlog is behind it and stays in log.cc. Any thread. Never pass secrets or values of keys.
//
// Logging never blocks and never fails: a thread writes the lines (log_writer.h). What cannot be
// written is lost and counted. A program that ends, by exit() or abort(), first waits up to a
// second for the lines that are queued.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace edged::log {

enum class Level { kDebug, kInfo, kWarn, kError, kOff };

// "debug", "info", "warn", "error", "off". False if `text` is none of them.
bool parse_level(std::string_view text, Level& level);

// Sets the component shown on each line ("node", "worker", "serve") and the level. Call once, from
// main, before threads start; set_level may be called at any time.
void init(std::string_view component, Level level);
void set_level(Level level);
bool enabled(Level level);

void write(Level level, std::string_view message);

// Puts `line` on stderr as it is, in order with the log: messages of commands to their user.
void print(std::string_view line);

// Waits until all lines are written, or lost. False if that takes longer than `timeout`.
bool flush(std::chrono::milliseconds timeout);

// How many lines were lost since the program began.
std::uint64_t lines_lost();

inline void debug(std::string_view message) {
  write(Level::kDebug, message);
}
inline void info(std::string_view message) {
  write(Level::kInfo, message);
}
inline void warn(std::string_view message) {
  write(Level::kWarn, message);
}
inline void error(std::string_view message) {
  write(Level::kError, message);
}

}  // namespace edged::log
