// SPDX-License-Identifier: Apache-2.0
// See credential.h.
#include "proto/net/credential.h"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include "proto/wire/limits.h"

namespace edged::net {

Result<std::string> read_credential_file(const std::string& path) {
  const auto unusable = [&path](const std::string& why) {
    return Status(Code::kInvalidArgument, "could not use the token in \"" + path + "\": " + why);
  };
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) {
    return unusable(std::system_category().message(errno));
  }
  if (!S_ISREG(found.st_mode)) {
    return unusable("it is not a file");
  }
  if ((found.st_mode & S_IROTH) != 0) {
    return unusable("everybody can read it; take that away with chmod o-rwx");
  }
  std::ifstream file(path);
  std::string token;
  if (!std::getline(file, token)) {
    return unusable(file.is_open() ? "it is empty" : "permission denied");
  }
  if (!token.empty() && token.back() == '\r') {
    token.pop_back();
  }
  if (token.empty()) {
    return unusable("its first line is empty");
  }
  if (token.size() > wire::kCredentialBytesMax) {
    return unusable("its first line is longer than any token");
  }
  return token;
}

}  // namespace edged::net
