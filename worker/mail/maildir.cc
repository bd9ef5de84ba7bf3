// SPDX-License-Identifier: Apache-2.0
// The maildir steps on POSIX calls. After a failure the file in tmp/ is removed. After a crash it
// stays, and mail readers delete it by its age, as the maildir rules say.
#include "worker/mail/maildir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <system_error>
#include <utility>

#include "proto/base/private_files.h"
#include "worker/mail/mime.h"

namespace edged::mail {
namespace {

constexpr std::size_t kReadablePartMax = 120;
constexpr int kTmpNameTriesMax = 100;

Status failed(std::string_view what, const std::string& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return Status(full ? Code::kDiskFull : Code::kIoError,
                "could not " + std::string(what) + " \"" + path +
                    "\": " + std::generic_category().message(error));
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() { static_cast<void>(close()); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }
  // 0 or errno.
  int close() {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 || ::close(fd) == 0 || errno == EINTR ? 0 : errno;
  }

 private:
  int fd_;
};

Status sync_directory(const std::string& path) {
  const File directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.fd() < 0) return failed("open directory", path, errno);
  return ::fsync(directory.fd()) == 0 ? Status() : failed("sync directory", path, errno);
}

// Whether `directory` holds `name`, alone or followed by a reader's flags (":2,S").
Result<bool> holds(const std::string& directory, const std::string& name) {
  DIR* const entries = ::opendir(directory.c_str());
  if (entries == nullptr) return failed("open directory", directory, errno);
  bool found = false;
  int error = 0;
  while (!found) {
    errno = 0;
    const dirent* const entry = ::readdir(entries);
    if (entry == nullptr) {
      error = errno;
      break;
    }
    found = std::string_view(entry->d_name).starts_with(name);
  }
  ::closedir(entries);
  if (error != 0) return failed("read directory", directory, error);
  return found;
}

Status write_all(File& file, const std::string& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.fd(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("write", path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.fd()) != 0) return failed("sync", path, errno);
  const int error = file.close();
  return error == 0 ? Status() : failed("close", path, error);
}

// Creates a file under a name that no one else uses; the process id tells two workers on one
// maildir apart. Returns its descriptor, or -1 with errno set.
int create_unique(const std::string& prefix, std::string& path) {
  static std::atomic<unsigned> counter{0};
  for (int attempt = 0; attempt < kTmpNameTriesMax; ++attempt) {
    path = prefix + "." + std::to_string(::getpid()) + "." + std::to_string(counter.fetch_add(1));
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0 || errno != EEXIST) return fd;
  }
  return -1;
}

// Whether an earlier attempt has delivered `name`. If so the directory is synced again, because
// that attempt may have died between its rename and its sync.
Result<bool> was_delivered(const std::string& maildir, const std::string& name) {
  // new/ before cur/: a reader moves files in that direction, so a file that moves meanwhile is
  // found.
  for (const char* folder : {"/new", "/cur"}) {
    const Result<bool> present = holds(maildir + folder, name);
    if (!present) return present;
    if (!*present) continue;
    const Status synced = sync_directory(maildir + folder);
    if (!synced.ok()) return synced;
    return true;
  }
  return false;
}

// Renames `from` to `to`. If `to` exists, it is the same message and stays, and `from` is removed.
// Some network file systems cannot rename like this, but make hard links.
Status publish(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  const bool unsupported = errno == EINVAL || errno == ENOSYS;
  const bool linked = unsupported && ::link(from.c_str(), to.c_str()) == 0;
  if (!linked && errno != EEXIST) return failed("rename to", to, errno);
  ::unlink(from.c_str());
  return {};
}

// Runs on a thread of the transport, which outlives it.
boost::asio::awaitable<Status> store_later(const MaildirTransport* transport,
                                           std::vector<Message> messages,
                                           Attempt attempt) {
  for (const Message& message : messages) {
    const Status stored = transport->store(message, attempt);
    if (!stored.ok()) co_return stored;
  }
  co_return Status();
}

}  // namespace

std::string maildir_file_name(std::string_view message_id) {
  std::string name = "edged.";
  for (const char c : message_id.substr(0, kReadablePartMax)) {
    const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '.' || c == '@';
    name += safe ? c : '_';
  }
  return name + "." + stable_hash(message_id);
}

MaildirTransport::MaildirTransport(std::string path, MaildirOptions options)
    : path_(std::move(path)), options_(options), threads_(options.threads) {}

MaildirTransport::~MaildirTransport() {
  threads_.join();
}

Status MaildirTransport::prepare() const {
  for (const char* folder : {"", "/tmp", "/new", "/cur"}) {
    const Status made = make_private_directory(path_ + folder);
    if (!made.ok()) return made;
  }
  return {};
}

Status MaildirTransport::start() {
  const Status prepared = prepare();
  if (prepared.ok()) close_to_others();
  return prepared;
}

void MaildirTransport::close_to_others() const {
  tighten_private_directory(path_, {"tmp", "new", "cur"});
}

Status MaildirTransport::store(const Message& message, Attempt attempt) const {
  const Status prepared = prepare();
  if (!prepared.ok()) return prepared;
  const std::string name = maildir_file_name(message.message_id);
  if (attempt == Attempt::kRepeated) {
    const Result<bool> delivered = was_delivered(path_, name);
    if (!delivered) return delivered.error();
    if (*delivered) return {};
  }
  std::string tmp_path;
  File file(create_unique(path_ + "/tmp/" + name, tmp_path));
  if (file.fd() < 0) return failed("create", tmp_path, errno);
  Status status = write_all(file, tmp_path, message.content);
  if (status.ok()) status = publish(tmp_path, path_ + "/new/" + name);
  if (!status.ok()) {
    ::unlink(tmp_path.c_str());
    return status;
  }
  return sync_directory(path_ + "/new");
}

Transport::Limits MaildirTransport::limits() const {
  // Two for each thread, so that it need not wait for the next.
  const int parallel = std::min(static_cast<int>(2 * options_.threads), options_.deliveries_max);
  return {.batch_max = 1, .parallel_max = parallel};
}

boost::asio::awaitable<Delivery> MaildirTransport::deliver(Parcel parcel, Attempt attempt) {
  struct UnderWay {
    explicit UnderWay(std::atomic<int>& count) : under_way(count), number(++count) {}
    ~UnderWay() { --under_way; }
    UnderWay(const UnderWay&) = delete;
    UnderWay& operator=(const UnderWay&) = delete;
    std::atomic<int>& under_way;
    const int number;
  };
  const UnderWay delivery(under_way_);
  if (delivery.number > options_.deliveries_max) {
    const Status busy(Code::kBusy,
                      "could not deliver into maildir \"" + path_ + "\": " +
                          std::to_string(options_.deliveries_max) + " deliveries are under way");
    co_return delivery_of(busy);
  }
  boost::asio::awaitable<Status> task = store_later(this, std::move(parcel.messages), attempt);
  const Status stored =
      co_await boost::asio::co_spawn(threads_, std::move(task), boost::asio::use_awaitable);
  co_return delivery_of(stored);
}

}  // namespace edged::mail
