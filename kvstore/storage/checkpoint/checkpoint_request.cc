// SPDX-License-Identifier: Apache-2.0
// See checkpoint_request.h.
#include "kvstore/storage/checkpoint/checkpoint_request.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "proto/base/hex.h"
#include "proto/base/read_file.h"

namespace edged::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNameBytes = 8;
constexpr std::size_t kReasonBytesMax = 64 * 1024;
constexpr std::chrono::milliseconds kPollInterval{20};

Status write_request(const std::string& path, const std::string& data_dir) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
    return Status();
  }
  const int error = errno;
  std::string message = "could not ask the node on \"";
  message += data_dir + "\" for a checkpoint: \"" + path + "\": " + std::strerror(error);
  if (error == ENOENT) return {Code::kNotFound, message};
  if (error == EACCES || error == EPERM) return {Code::kDenied, message};
  return {error == ENOSPC || error == EDQUOT ? Code::kDiskFull : Code::kIoError, message};
}

}  // namespace

bool is_checkpoint_name(std::string_view text) {
  return text.size() == 2 * kNameBytes &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<std::string> request_checkpoint(const std::string& data_dir,
                                       std::chrono::milliseconds patience) {
  const std::string directory = checkpoints_path(data_dir);
  const std::string path = directory + "/" + to_hex(random_bytes(kNameBytes));
  const std::string request = path + std::string(kRequestSuffix);
  const std::string failed = path + std::string(kFailedSuffix);
  if (Status asked = write_request(request, data_dir); !asked.ok()) return asked;
  const auto end = std::chrono::steady_clock::now() + patience;
  std::error_code ignored;
  while (std::chrono::steady_clock::now() < end) {
    if (fs::exists(path, ignored)) return path;
    if (fs::exists(failed, ignored)) {
      const auto reason = read_small_file(failed, kReasonBytesMax);
      fs::remove(failed, ignored);
      return Status(Code::kIoError, reason ? reason->bytes : reason.error().message());
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  fs::remove(request, ignored);
  std::string message = "the node on \"";
  message += data_dir + "\" made no checkpoint within " +
             std::to_string(std::chrono::duration_cast<std::chrono::seconds>(patience).count()) +
             " s: it does not run any more, is an older release, or its disk is very slow";
  return Status(Code::kUnavailable, std::move(message));
}

Status remove_checkpoint(const std::string& path) {
  std::error_code failed;
  fs::remove_all(path, failed);
  if (!failed) return Status();
  return {Code::kIoError, "could not remove checkpoint \"" + path + "\": " + failed.message()};
}

}  // namespace edged::storage
