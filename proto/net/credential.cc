// SPDX-License-Identifier: Apache-2.0
// See credential.h.
#include "proto/net/credential.h"

#include <sys/stat.h>

#include "proto/base/read_file.h"
#include "proto/wire/limits.h"

namespace edged::net {
namespace {

// Its first line counts; some notes may stand below it.
constexpr std::size_t kFileBytesMax = 64 * 1024;

}  // namespace

Result<std::string> read_credential_file(const std::string& path) {
  const auto unusable = [&path](const std::string& why) {
    return Status(Code::kInvalidArgument, "could not use the token in \"" + path + "\": " + why);
  };
  const Result<FileContent> file = read_small_file(path, kFileBytesMax);
  if (!file) {
    return unusable(file.error().message());
  }
  if ((file->mode & S_IROTH) != 0) {
    return unusable("every user can read it. Run: chmod o-rwx");
  }
  if (file->bytes.empty()) {
    return unusable("it is empty");
  }
  std::string token = file->bytes.substr(0, file->bytes.find('\n'));
  if (!token.empty() && token.back() == '\r') {
    token.pop_back();
  }
  if (token.empty()) {
    return unusable("its first line is empty");
  }
  if (token.size() > wire::kCredentialBytesMax) {
    return unusable("its first line is longer than 1024 bytes");
  }
  return token;
}

}  // namespace edged::net
