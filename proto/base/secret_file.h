// SPDX-License-Identifier: Apache-2.0
// A secret kept in a file of its own, so that it is on no command line and in no configuration, and
// can be replaced without a restart. Blocks on disk for a moment.
#pragma once

#include <sys/stat.h>

#include <string>

#include "proto/base/status.h"

namespace edged {

// The file's first line without blanks at its ends. Errors: kInvalidArgument: there is no such
// regular file, everybody can read it, or its first line is empty, too long or holds a control
// character. The message names the file, never what is in it.
Result<std::string> read_secret_file(const std::string& path);

// The secret of a file, read anew whenever the file has changed. While the file cannot be used, the
// secret that was read last stays, and the log says so once. One thread.
class SecretFile {
 public:
  // `what`: its name in the log, for example "upstream.token_file".
  SecretFile(std::string path, std::string what);

  // The secret; an error only as long as none was ever read.
  Result<std::string> get();

 private:
  bool has_changed();

  const std::string path_;
  const std::string what_;
  struct stat seen_ {};
  bool usable_ = false;  // when it was looked at last
  Result<std::string> secret_;
  std::string complaint_;  // as it was logged last
};

}  // namespace edged
