// SPDX-License-Identifier: Apache-2.0
#include "kvstore/access/token_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include "kvstore/access/token_json.h"
#include "proto/base/atomic_file.h"
#include "proto/base/private_files.h"

namespace edged::access {
namespace {

constexpr std::chrono::milliseconds kLockPause{20};
constexpr int kLockTries = 250;  // 5 s
// Far above what kTokensMax tokens of ordinary size need.
constexpr std::size_t kFileBytesMax = 16u << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Status failed(const char* what, const std::string& path, int error) {
  return {Code::kIoError,
          std::string("could not ") + what + " \"" + path + "\": " + std::strerror(error)};
}

Status unusable(const std::string& path, const std::string& why, Code code) {
  return {code, "could not use tokens \"" + path + "\": " + why};
}

Result<std::string> read_all(int fd, const std::string& path) {
  std::string text;
  char block[16 * 1024];
  for (;;) {
    const ssize_t count = ::read(fd, block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("read tokens", path, errno);
    if (count == 0) return text;
    text.append(block, static_cast<std::size_t>(count));
    if (text.size() > kFileBytesMax) {
      return unusable(path, "it is larger than 16 MiB", Code::kInvalidArgument);
    }
  }
}

Result<Descriptor> lock(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) return failed("lock tokens with", path, errno);
  for (int tries = 0; ::flock(file.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
    if (errno != EWOULDBLOCK && errno != EINTR) return failed("lock tokens with", path, errno);
    if (tries == kLockTries) {
      return Status(Code::kBusy,
                    "could not change tokens: another process has locked \"" + path + "\"");
    }
    std::this_thread::sleep_for(kLockPause);
  }
  return file;
}

// What root writes into somebody's data directory must be readable for the node that runs there.
void give_to_owner_of(const std::string& directory, const std::string& path) {
  struct stat facts {};
  if (::geteuid() != 0 || ::stat(directory.c_str(), &facts) != 0 || facts.st_uid == 0) return;
  // A node that cannot read it says so at its start.
  if (::chown(path.c_str(), facts.st_uid, facts.st_gid) != 0) return;
}

// This process's user, root, and the owner of the data directory, who decides what is in it.
bool is_trusted_owner(uid_t owner, const std::string& path) {
  if (owner == ::geteuid() || owner == 0) return true;
  struct stat facts {};
  const std::string directory = std::filesystem::path(path).parent_path().string();
  return ::stat(directory.c_str(), &facts) == 0 && owner == facts.st_uid;
}

}  // namespace

std::string token_file_in(const std::string& data_dir) {
  return data_dir + "/tokens.json";
}

Result<std::vector<Token>> read_token_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0 && errno == ENOENT) {
    return Status(Code::kNotFound, "there are no tokens: \"" + path + "\" does not exist");
  }
  if (file.get() < 0) return failed("open tokens", path, errno);
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return failed("look at tokens", path, errno);
  if (!S_ISREG(facts.st_mode)) return unusable(path, "it is not a file", Code::kInvalidArgument);
  if (!is_trusted_owner(facts.st_uid, path)) {
    return unusable(path,
                    "it belongs to another user (uid " + std::to_string(facts.st_uid) +
                        "), whose tokens it may hold. Look at it, then: chown " +
                        std::to_string(::geteuid()) + " " + path,
                    Code::kDenied);
  }
  if ((facts.st_mode & 077) != 0) {
    return unusable(path, "other users may open it. Run: chmod 600 " + path, Code::kDenied);
  }
  const auto text = read_all(file.get(), path);
  if (!text) return text.error();
  auto tokens = parse_file(*text);
  if (!tokens) return unusable(path, tokens.error().message(), Code::kInvalidArgument);
  return tokens;
}

Result<std::vector<Token>> update_token_file(const std::string& path, const ChangeTokens& change) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const Status made = make_private_directory(directory, "data directory");
  if (!made.ok()) return made;
  const std::string lock_path = directory + "/tokens.lock";
  const auto locked = lock(lock_path);
  if (!locked) return locked.error();
  give_to_owner_of(directory, lock_path);
  auto read = read_token_file(path);
  if (!read && read.code() != Code::kNotFound) return read;
  std::vector<Token> tokens = read ? *std::move(read) : std::vector<Token>();
  Status status = change(tokens);
  if (!status.ok()) return status;
  const std::string text = render_file(tokens);
  if (tokens.size() > kTokensMax || text.size() > kFileBytesMax) {
    return Status(Code::kTooLarge,
                  "could not change tokens: there would be more than " +
                      std::to_string(kTokensMax) + ", or 16 MiB of them");
  }
  status = replace_file(path, text, 0600);
  if (!status.ok()) return status;
  give_to_owner_of(directory, path);
  return tokens;
}

Status add_token(std::vector<Token>& tokens, Token token) {
  for (const Token& other : tokens) {
    if (other.grant.name != token.grant.name) continue;
    return {Code::kExists,
            "a token with the name \"" + token.grant.name + "\" exists already: " + other.grant.id};
  }
  tokens.push_back(std::move(token));
  return {};
}

Status remove_token(std::vector<Token>& tokens, std::string_view id) {
  const auto found = std::find_if(
      tokens.begin(), tokens.end(), [id](const Token& one) { return one.grant.id == id; });
  if (found == tokens.end()) {
    return {Code::kNotFound, "no token has the id \"" + std::string(id.substr(0, 64)) + "\""};
  }
  tokens.erase(found);
  return {};
}

}  // namespace edged::access
