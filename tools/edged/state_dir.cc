// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "kvstore/access/token.h"
#include "proto/base/atomic_file.h"
#include "proto/base/hex.h"
#include "proto/base/log.h"
#include "proto/base/private_files.h"

namespace edged {
namespace {

Status failure(const std::string& what, const std::string& path, int error) {
  return Status(error == ENOSPC ? Code::kDiskFull : Code::kIoError,
                "could not " + what + " \"" + path + "\": " + std::strerror(error));
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::string content;
  std::getline(file, content);
  return content;
}

// machine-id(5) is not to be shown: what is kept is made from it. Empty: the machine has none, as
// in many containers.
std::string machine_mark(const std::string& machine_id_file) {
  const std::string id = read_file(machine_id_file);
  return id.empty() ? id : to_hex(access::sha256("edged worker " + id));
}

}  // namespace

Result<StateDir> StateDir::open(const std::string& path, const std::string& machine_id_file) {
  const Status made = make_private_directory(path, "state directory");
  if (!made.ok()) return made;
  tighten_private_directory(path, {"lock", "worker-name", "machine", "worker-ports.json"});
  const std::string lock_path = path + "/lock";
  const int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return failure("open", lock_path, errno);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return Status(Code::kBusy,
                  "state directory \"" + path +
                      "\" is in use by another worker. Give each worker its own worker.state_dir");
  }
  StateDir dir(path, fd);
  dir.worker_name_ = read_file(path + "/worker-name");
  const std::string machine = machine_mark(machine_id_file);
  const std::string known = read_file(path + "/machine");
  const bool moved = !machine.empty() && !known.empty() && known != machine;
  if (moved)
    log::warn("the state directory was copied from another machine: this worker takes a new name");
  if (moved || !from_hex(dir.worker_name_) || dir.worker_name_.size() != 32) {
    dir.worker_name_ = to_hex(random_bytes(16));
    const Status status = dir.write("worker-name", dir.worker_name_ + "\n");
    if (!status.ok()) return status;
  }
  if (machine.empty() || known == machine) return dir;
  const Status marked = dir.write("machine", machine + "\n");
  if (!marked.ok()) return marked;
  return dir;
}

StateDir::~StateDir() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

StateDir::StateDir(StateDir&& other) noexcept
    : path_(std::move(other.path_)),
      lock_fd_(std::exchange(other.lock_fd_, -1)),
      worker_name_(std::move(other.worker_name_)) {}

Status StateDir::write(const std::string& name, const std::string& content) const {
  return replace_file(path_ + "/" + name, content);
}

void StateDir::remove(const std::string& name) const {
  ::unlink((path_ + "/" + name).c_str());
}

}  // namespace edged
