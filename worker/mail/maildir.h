// SPDX-License-Identifier: Apache-2.0
// Delivery into a maildir: write tmp/NAME, fsync, rename to new/NAME unless that is there, fsync
// the directory. NAME is made from the Message-ID alone, so delivering the same message again keeps
// one file; a repeated attempt also looks for one that a mail reader has moved to cur/ and given
// flags. Only then is the whole maildir read, which may be large. Files are written on the caller's
// thread: a mail is a few kilobytes and there are few. Any thread, and any number of processes on
// one directory.
#pragma once

#include <string>
#include <string_view>

#include "worker/mail/transport.h"

namespace edged::mail {

// The name in new/ of the message with this id: safe characters of the id, then a hash of all of
// it.
std::string maildir_file_name(std::string_view message_id);

class MaildirTransport final : public Transport {
 public:
  explicit MaildirTransport(std::string path) : path_(std::move(path)) {}

  // Creates the directory and tmp, new and cur in it where they are missing. deliver() does this
  // too; call it at start-up to fail early. Errors: kDiskFull; kIoError naming the path.
  Status prepare() const;

  boost::asio::awaitable<Status> deliver(Message message, Attempt attempt) override;

  // deliver() without a coroutine.
  Status store(const Message& message, Attempt attempt) const;

 private:
  std::string path_;
};

}  // namespace edged::mail
