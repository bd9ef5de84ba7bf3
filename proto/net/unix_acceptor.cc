// SPDX-License-Identifier: Apache-2.0
#include "proto/net/unix_acceptor.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio.hpp>
#include <cerrno>
#include <utility>

namespace edged::net {
namespace {

namespace asio = boost::asio;
using Unix = asio::local::stream_protocol;
using Error = boost::system::error_code;

Status cannot_listen(const std::string& path, const std::string& why) {
  std::string message = "could not listen on \"";
  message.append(path).append("\": ").append(why);
  return {Code::kUnavailable, std::move(message)};
}

// True if somebody accepts connections there.
bool is_listening(const asio::any_io_executor& executor, const Unix::endpoint& endpoint) {
  Unix::socket probe(executor);
  Error error;
  probe.connect(endpoint, error);
  // A full backlog means a listener too.
  return !error || error == asio::error::try_again;
}

}  // namespace

Result<Unix::acceptor> open_unix_acceptor(const asio::any_io_executor& executor,
                                          const std::string& path,
                                          int backlog) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Status(
        Code::kInvalidArgument,
        "could not listen on \"" + path + "\": the path of a unix socket must have 1 to 107 bytes");
  }
  const Unix::endpoint endpoint(path);
  struct stat existing {};
  if (::lstat(path.c_str(), &existing) == 0) {
    if (!S_ISSOCK(existing.st_mode)) {
      return cannot_listen(path, "a file that is not a socket is there");
    }
    if (is_listening(executor, endpoint)) {
      return cannot_listen(path, "socket in use by another process");
    }
    ::unlink(path.c_str());
  }
  Unix::acceptor acceptor(executor);
  Error error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) {
    // Linux gives the file this mode less the umask: nobody else gets in before the chmod below.
    (void)::fchmod(acceptor.native_handle(), 0600);
    acceptor.bind(endpoint, error);
  }
  if (!error && ::chmod(path.c_str(), 0660) != 0) {
    error = Error(errno, boost::system::system_category());
  }
  if (!error) acceptor.listen(backlog, error);
  if (error) return cannot_listen(path, error.message());
  return acceptor;
}

}  // namespace edged::net
