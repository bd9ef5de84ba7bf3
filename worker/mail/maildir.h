// SPDX-License-Identifier: Apache-2.0
// Delivers mails into a maildir: a file per mail is written to tmp/, synced, renamed into new/, and
// the directory is synced. The file's name is made from the Message-ID alone, so a mail that is
// delivered again keeps one file. A repeated attempt also looks for a file that a mail reader has
// moved to cur/ and given flags; only then are the directories read, which may be large.
//
// The disk is waited for on threads of the transport, never on the caller's: deliver() may be
// called from an event loop, also while other deliveries are under way. Any thread; any number of
// processes on one directory.
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <string>
#include <string_view>

#include "worker/mail/transport.h"

namespace edged::mail {

// The name in new/ of the message with this id: safe characters of the id, then a hash of all of
// it.
std::string maildir_file_name(std::string_view message_id);

struct MaildirOptions {
  // Deliveries that write at once. They wait for the disk, which syncs several files together.
  std::size_t threads = 16;
  int deliveries_max = 64;  // under way, those that wait for a thread included
};

class MaildirTransport final : public Transport {
 public:
  explicit MaildirTransport(std::string path, MaildirOptions options = {});
  // Waits until the deliveries under way are on the disk, or have failed. Destroy the transport
  // before the event loops whose coroutines called deliver().
  ~MaildirTransport() override;
  MaildirTransport(const MaildirTransport&) = delete;
  MaildirTransport& operator=(const MaildirTransport&) = delete;

  // Creates the directory and tmp, new and cur in it, mode 0700, where they are missing. deliver()
  // does this too; call it at start-up to fail early. Blocks. Errors: kDiskFull; kIoError naming
  // the path.
  Status prepare() const;

  // Takes other users' rights away from the maildir and the mails in it, with a line in the log.
  // Once, at start-up: mails name students. Blocks.
  void close_to_others() const;

  std::string_view name() const override { return "maildir"; }
  Limits limits() const override;
  // prepare() and close_to_others().
  Status start() override;

  // A delivery that was begun is completed, also if the coroutine is cancelled meanwhile.
  // kTemporary also when deliveries_max are under way.
  boost::asio::awaitable<Delivery> deliver(Parcel parcel, Attempt attempt) override;

  // One mail, on the caller's thread. Blocks. Errors: kDiskFull, kIoError.
  Status store(const Message& message, Attempt attempt) const;

 private:
  const std::string path_;
  const MaildirOptions options_;
  std::atomic<int> under_way_{0};
  boost::asio::thread_pool threads_;
};

}  // namespace edged::mail
