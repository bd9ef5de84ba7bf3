// SPDX-License-Identifier: Apache-2.0
// A configuration file in the making: begins with what the file holds, or with a commented
// template, and takes one setting after the other. Secrets stand in it until it is saved, which
// puts them into files of their own. Blocks on disk; one thread.
#pragma once

#include <string>
#include <vector>

#include "proto/base/status.h"
#include "tools/edged/config_parse.h"

namespace edged {

class InitDraft {
 public:
  // `path`: where the configuration will be. Errors: kInvalidArgument: the file is there and is no
  // JSONC; kIoError.
  static Result<InitDraft> open(std::string path);

  const std::string& path() const { return path_; }
  bool is_new() const { return is_new_; }
  bool changed() const { return text_ != text_before_; }

  // The text at "mail.url" as it is written, ${NAME} included; empty: there is none.
  std::string get(const std::string& key) const;
  bool has(const std::string& key) const;
  void set(const std::string& key, const std::string& text);
  void set_json(const std::string& key, const std::string& json);
  void remove(const std::string& key);

  // The configuration as the programs would read it, read by the same code: from a file in a
  // directory of its own that is gone afterwards.
  Result<config::Loaded> load() const;

  // Writes secrets and configuration, mode 0600, for `owner` (a user's name; empty: this user).
  // Returns the paths of the files, in the order in which they were written. Errors: kIoError;
  // kDiskFull; kNotFound: there is no such user.
  Result<std::vector<std::string>> save(const std::string& owner);

 private:
  InitDraft(std::string path, std::string text, bool is_new);
  std::string without_empty() const;

  std::string path_;
  std::string text_, text_before_;
  bool is_new_;
};

}  // namespace edged
