// SPDX-License-Identifier: Apache-2.0
// See tls.h.
#include "proto/net/tls.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <cerrno>
#include <ctime>
#include <system_error>
#include <utility>

namespace edged::net {
namespace {

namespace ssl = boost::asio::ssl;
using Error = boost::system::error_code;

// The authorities of a system are a quarter of a MiB.
constexpr off_t kPemBytesMax = 16 << 20;

Status unusable(const std::string& what, const std::string& file, const std::string& why) {
  return {Code::kInvalidArgument, "could not use the " + what + " \"" + file + "\": " + why};
}

// What OpenSSL says without its file, line and library.
std::string reason(const Error& error) {
  const char* text = ERR_reason_error_string(static_cast<unsigned long>(error.value()));
  const bool from_openssl = error.category() == boost::asio::error::get_ssl_category();
  return from_openssl && text != nullptr ? text : error.message();
}

// OpenSSL hides "no such file" behind "system lib".
Status readable(const std::string& what, const std::string& file, struct stat& found) {
  if (file.empty()) {
    return {Code::kInvalidArgument, "could not use the " + what + ": no file is named"};
  }
  if (::stat(file.c_str(), &found) != 0) {
    return unusable(what, file, std::system_category().message(errno));
  }
  if (!S_ISREG(found.st_mode)) {
    return unusable(what, file, "it is not a file");
  }
  if (found.st_size > kPemBytesMax) {
    return unusable(what, file, "it is larger than 16 MiB");
  }
  return {};
}

bool speak_only_tls_1_3(ssl::context& context) {
  SSL_CTX* native = context.native_handle();
  // No tickets: connections live long, and a ticket outlives the certificate it was given under.
  return SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_num_tickets(native, 0) == 1;
}

std::chrono::system_clock::time_point not_after(ssl::context& context) {
  const X509* certificate = SSL_CTX_get0_certificate(context.native_handle());
  std::tm when{};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &when) != 1) {
    return std::chrono::system_clock::time_point::max();
  }
  return std::chrono::system_clock::from_time_t(::timegm(&when));
}

}  // namespace

struct ServerTls::Loaded {
  std::shared_ptr<TlsContext> context;
  std::chrono::system_clock::time_point expires_at;
};

Address split_transport(const std::string& address) {
  constexpr std::string_view kTls = "tls:";
  if (address.starts_with(kTls)) {
    return {address.substr(kTls.size()), true};
  }
  return {address, false};
}

ServerTls::ServerTls(Files files) : files_(std::move(files)) {}
ServerTls::~ServerTls() = default;

Result<ServerTls::Loaded> ServerTls::read(const Files& files) {
  struct stat found {};
  Status status = readable("certificate", files.certificate, found);
  if (status.ok()) {
    status = readable("key", files.key, found);
  }
  if (!status.ok()) {
    return status;
  }
  if ((found.st_mode & S_IROTH) != 0) {
    return Status(
        Code::kDenied,
        "could not use the key \"" + files.key + "\": every user can read it. Run: chmod o-rwx");
  }
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  Error error;
  // Otherwise OpenSSL asks for a password at the terminal.
  context->set_password_callback([](std::size_t, ssl::context::password_purpose) { return ""; },
                                 error);
  context->use_certificate_chain_file(files.certificate, error);
  if (error) {
    return unusable("certificate", files.certificate, reason(error));
  }
  context->use_private_key_file(files.key, ssl::context::pem, error);
  if (error) {
    return unusable("key", files.key, reason(error));
  }
  if (!speak_only_tls_1_3(*context)) {
    return Status(Code::kInvalidArgument, "could not set up TLS: this OpenSSL has no TLS 1.3");
  }
  return Loaded{context, not_after(*context)};
}

Result<std::shared_ptr<ServerTls>> ServerTls::load(Files files) {
  std::shared_ptr<ServerTls> tls(new ServerTls(std::move(files)));
  Status loaded = tls->reload();
  if (!loaded.ok()) {
    return loaded;
  }
  return tls;
}

Status ServerTls::reload() {
  Result<Loaded> loaded = read(files_);
  if (!loaded) {
    return loaded.error();
  }
  const std::lock_guard lock(mutex_);
  context_ = std::move(loaded->context);
  expires_at_ = loaded->expires_at;
  return {};
}

std::shared_ptr<TlsContext> ServerTls::context() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

std::chrono::system_clock::time_point ServerTls::expires_at() const {
  const std::lock_guard lock(mutex_);
  return expires_at_;
}

Result<std::shared_ptr<TlsContext>> client_tls(const std::string& ca_file) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  Error error;
  if (ca_file.empty()) {
    context->set_default_verify_paths(error);
    if (error) {
      return Status(Code::kInvalidArgument,
                    "could not use the system's certificate authorities: " + reason(error));
    }
  } else {
    struct stat found {};
    Status status = readable("certificate authorities", ca_file, found);
    if (!status.ok()) {
      return status;
    }
    context->load_verify_file(ca_file, error);
    if (error) {
      return unusable("certificate authorities", ca_file, reason(error));
    }
  }
  context->set_verify_mode(ssl::verify_peer, error);
  if (error || !speak_only_tls_1_3(*context)) {
    return Status(Code::kInvalidArgument, "could not set up TLS: this OpenSSL has no TLS 1.3");
  }
  return context;
}

}  // namespace edged::net
