// SPDX-License-Identifier: Apache-2.0
// TLS 1.3 for both ends of a connection, by OpenSSL: a server's certificate, which can be replaced
// while it serves, and what a client trusts. Nothing older than TLS 1.3 is spoken.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "proto/base/status.h"

namespace boost::asio::ssl {
class context;
}

namespace edged::net {

using TlsContext = boost::asio::ssl::context;

// "tls:0.0.0.0:4780" names an address where TLS is spoken; without the prefix it is "0.0.0.0:4780".
struct Address {
  std::string host_port;
  bool tls = false;
};
Address split_transport(const std::string& address);

// The certificate of a server. context() is safe from any thread; reload() from one at a time.
class ServerTls {
 public:
  struct Files {
    std::string certificate;  // PEM: the server's own first, then those that lead to its issuer
    std::string key;          // PEM, not encrypted, not readable by everybody
  };

  // Blocks on disk. Errors: kInvalidArgument, with the file and what is wrong with it; kDenied: the
  // key can be read by everybody.
  static Result<std::shared_ptr<ServerTls>> load(Files files);
  ~ServerTls();

  // Reads the files again, for connections from now on. Errors: as load(); then nothing changes.
  Status reload();

  // For one new connection, which keeps it.
  std::shared_ptr<TlsContext> context() const;
  std::chrono::system_clock::time_point expires_at() const;

 private:
  struct Loaded;
  explicit ServerTls(Files files);
  static Result<Loaded> read(const Files& files);

  const Files files_;
  mutable std::mutex mutex_;
  std::shared_ptr<TlsContext> context_;                 // guarded by mutex_
  std::chrono::system_clock::time_point expires_at_{};  // guarded by mutex_
};

// What a client believes: the authorities in `ca_file` (PEM), or those of the system if it is
// empty. Errors: kInvalidArgument.
Result<std::shared_ptr<TlsContext>> client_tls(const std::string& ca_file);

}  // namespace edged::net
