// SPDX-License-Identifier: Apache-2.0
// The options of the curl handle, and what its end means. Curl's debug output is what tells the
// step: the result alone does not say whether the message was sent.
#include "worker/mail/smtp_session.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "proto/base/base64.h"
#include "proto/base/printable.h"
#include "worker/mail/hide_secret.h"

namespace edged::mail {
namespace {

using Outcome = Delivery::Outcome;

constexpr std::size_t kConversationBytesMax = 64 * 1024;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// A broken connection, not a peer that is not trusted or speaks no TLS.
bool is_cut(std::string_view text) {
  for (const std::string_view word : {"SYSCALL", "unexpected eof", "reset by peer", "timed out"}) {
    if (text.find(word) != std::string_view::npos) return true;
  }
  return false;
}

std::string_view without_line_end(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

std::string with_crlf(std::string_view content) {
  std::string out;
  out.reserve(content.size() + 2);
  for (std::size_t i = 0; i < content.size(); ++i) {
    const char c = content[i];
    if (c != '\r' && c != '\n') {
      out += c;
      continue;
    }
    if (c == '\r' && i + 1 < content.size() && content[i + 1] == '\n') ++i;
    out += "\r\n";
  }
  if (!out.ends_with("\r\n")) out += "\r\n";
  return out;
}

SmtpSession::SmtpSession(const SmtpOptions& options, const std::atomic<bool>& stopping)
    : options_(options), stopping_(stopping), easy_(curl_easy_init()) {
  KV_CHECK(easy_ != nullptr);
}

SmtpSession::~SmtpSession() {
  // Otherwise curl sends QUIT and waits for the answer of a server that may be silent.
  if (socket_ != CURL_SOCKET_BAD) ::shutdown(socket_, SHUT_RDWR);
  curl_easy_setopt(easy_, CURLOPT_VERBOSE, 0L);
  curl_easy_cleanup(easy_);
}

void SmtpSession::begin(const Message& message, const std::string& password) {
  content_ = with_crlf(message.content);
  sender_ = "<" + message.sender + ">";
  recipient_ = "<" + message.recipient + ">";
  user_ = options_.user;
  password_ = password;
  std::string plain(1, '\0');
  plain.append(user_).append(1, '\0').append(password_);
  secrets_.clear();
  if (!password_.empty()) secrets_ = {to_base64(plain), to_base64(password_), password_};
  conversation_.clear();
}

// A server that takes a login for a command may repeat it in its answer.
std::string SmtpSession::without_secrets(std::string text) const {
  for (const std::string& secret : secrets_) hide_secret(text, secret);
  return text;
}

void SmtpSession::set_security() {
  curl_easy_setopt(
      easy_, CURLOPT_USE_SSL, options_.requires_tls ? CURLUSESSL_ALL : CURLUSESSL_NONE);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options_.ca_file.empty()) {
    // Trust these authorities only; without this curl also reads the system's directory.
    curl_easy_setopt(easy_, CURLOPT_CAINFO, options_.ca_file.c_str());
    curl_easy_setopt(easy_, CURLOPT_CAPATH, nullptr);
  }
  if (user_.empty()) return;
  curl_easy_setopt(easy_, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
  curl_easy_setopt(easy_, CURLOPT_USERNAME, user_.c_str());
  curl_easy_setopt(easy_, CURLOPT_PASSWORD, password_.c_str());
}

void SmtpSession::set_options() {
  curl_easy_reset(easy_);  // keeps the connection
  curl_easy_setopt(easy_, CURLOPT_URL, options_.url.c_str());
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(easy_, CURLOPT_PROXY, "");
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);  // does not wait for a silent DNS
  curl_easy_setopt(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(
      easy_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
  curl_easy_setopt(
      easy_, CURLOPT_SERVER_RESPONSE_TIMEOUT, static_cast<long>(options_.reply_timeout.count()));
  // While the message goes out no reply is waited for: a byte a second at least.
  curl_easy_setopt(easy_, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(
      easy_, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.reply_timeout.count()));
  curl_easy_setopt(easy_, CURLOPT_MAIL_FROM, sender_.c_str());
  curl_easy_setopt(easy_, CURLOPT_UPLOAD, 1L);
  // Without CURLOPT_INFILESIZE: curl 7.88 would count the dots that it adds.
  curl_easy_setopt(easy_, CURLOPT_READFUNCTION, &SmtpSession::on_read);
  curl_easy_setopt(easy_, CURLOPT_READDATA, this);
  curl_easy_setopt(easy_, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy_, CURLOPT_XFERINFOFUNCTION, &SmtpSession::on_progress);
  curl_easy_setopt(easy_, CURLOPT_XFERINFODATA, this);
  curl_easy_setopt(easy_, CURLOPT_VERBOSE, 1L);
  curl_easy_setopt(easy_, CURLOPT_DEBUGFUNCTION, &SmtpSession::on_debug);
  curl_easy_setopt(easy_, CURLOPT_DEBUGDATA, this);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETFUNCTION, &SmtpSession::on_open);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy_, CURLOPT_CLOSESOCKETFUNCTION, &SmtpSession::on_close);
  curl_easy_setopt(easy_, CURLOPT_CLOSESOCKETDATA, this);
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_text_.data());
  set_security();
}

void SmtpSession::clear_answers() {
  read_ = 0;
  step_ = SmtpStep::kConnect;
  hides_ = over_ = false;
  replies_.clear();
  error_text_[0] = '\0';
}

CURLcode SmtpSession::perform(const Message& message) {
  const std::unique_ptr<curl_slist, FreeList> to(curl_slist_append(nullptr, recipient_.c_str()));
  KV_CHECK(to != nullptr);
  curl_easy_setopt(easy_, CURLOPT_MAIL_RCPT, to.get());
  clear_answers();
  const CURLcode code = curl_easy_perform(easy_);
  if (code == CURLE_OK) note("* ", "sent " + message.message_id);
  return code;
}

// A kept connection that the server has closed meanwhile, seen at the first command.
bool SmtpSession::should_try_again(CURLcode code) {
  if (code == CURLE_OK || stopping_.load()) return false;
  long opened = 0;
  curl_easy_getinfo(easy_, CURLINFO_NUM_CONNECTS, &opened);
  const bool at_first_command = step_ == SmtpStep::kConnect || step_ == SmtpStep::kMail;
  const int reply = replies_.reply().code;
  const bool is_closed = reply == 421 || (reply == 0 && code != CURLE_OPERATION_TIMEDOUT);
  return opened == 0 && at_first_command && is_closed;
}

Delivery SmtpSession::send(const Message& message,
                           const std::string& password,
                           bool wants_conversation) {
  wants_conversation_ = wants_conversation;
  begin(message, password);
  set_options();
  CURLcode code = perform(message);
  if (should_try_again(code)) {
    curl_easy_setopt(easy_, CURLOPT_FRESH_CONNECT, 1L);
    code = perform(message);
  }
  Delivery delivery = judge(code);
  delivery.conversation = std::move(conversation_);
  return delivery;
}

Delivery SmtpSession::probe(const std::string& password) {
  wants_conversation_ = false;
  begin({}, password);
  set_options();
  // Without an upload curl sends one command, after hello, TLS and login.
  curl_easy_setopt(easy_, CURLOPT_MAIL_FROM, nullptr);
  curl_easy_setopt(easy_, CURLOPT_UPLOAD, 0L);
  curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, "NOOP");
  clear_answers();
  const CURLcode code = curl_easy_perform(easy_);
  if (code != CURLE_OK) return judge(code);
  if (lacks_login()) {
    return {Outcome::kMisconfigured, "the server offers no login (AUTH), and mail.user is set", {}};
  }
  return {Outcome::kAccepted, printable(without_secrets(replies_.reply().to_string())), {}};
}

Delivery SmtpSession::judge(CURLcode code) {
  const SmtpReply& reply = replies_.reply();
  const bool is_complete = replies_.is_complete() && reply.code != 0;
  // Curl sends without a login if the server offers none.
  if (step_ >= SmtpStep::kMail && lacks_login()) {
    return {Outcome::kMisconfigured, "the server offers no login (AUTH), and mail.user is set", {}};
  }
  if (step_ == SmtpStep::kAccept && is_complete && reply.code / 100 == 2) {
    return {Outcome::kAccepted, without_secrets(reply.to_string()), {}};
  }
  if (is_complete && reply.code >= 400) {
    const std::string_view step = step_ == SmtpStep::kConnect ? "the greeting" : to_string(step_);
    std::string detail = without_secrets(reply.to_string());
    detail.append(" (answer to ").append(step).append(")");
    return {judge_refusal(step_, reply), printable(detail), {}};
  }
  return judge_broken(code);
}

// There was no refusal: the connection failed, or this program could not use it.
Delivery SmtpSession::judge_broken(CURLcode code) const {
  const char* const text = error_text_[0] != '\0' ? error_text_.data() : curl_easy_strerror(code);
  std::string detail = "the connection failed at ";
  detail.append(to_string(step_)).append(": ").append(printable(text));
  if (step_ == SmtpStep::kAccept) return {Outcome::kUnknown, detail, {}};
  if (stopping_.load()) return {Outcome::kTemporary, "the program is stopping", {}};
  switch (code) {
    case CURLE_USE_SSL_FAILED:
      return {Outcome::kMisconfigured, "the server offers no STARTTLS, which is required", {}};
    case CURLE_SSL_CONNECT_ERROR:
      return {is_cut(text) ? Outcome::kTemporary : Outcome::kMisconfigured, detail, {}};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_LOGIN_DENIED:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return {Outcome::kMisconfigured, detail, {}};
    default:
      return {Outcome::kTemporary, detail, {}};
  }
}

std::size_t SmtpSession::on_read(char* to, std::size_t size, std::size_t count, void* self) {
  auto* const session = static_cast<SmtpSession*>(self);
  if (session->lacks_login()) return CURL_READFUNC_ABORT;
  const std::size_t length = std::min(size * count, session->content_.size() - session->read_);
  std::memcpy(to, session->content_.data() + session->read_, length);
  session->read_ += length;
  if (length > 0) return length;
  // From here on the server may accept the message. Its answer may take longer than others.
  session->step_ = SmtpStep::kAccept;
  session->replies_.clear();
  session->note("> ", "[the message]\n.");
  const long patience = static_cast<long>(session->options_.accept_timeout.count());
  curl_easy_setopt(session->easy_, CURLOPT_SERVER_RESPONSE_TIMEOUT, patience);
  curl_easy_setopt(session->easy_, CURLOPT_LOW_SPEED_TIME, patience);
  return 0;
}

void SmtpSession::take_command(std::string_view line) {
  if (line.starts_with("QUIT")) {
    over_ = true;
    return note("> ", line);
  }
  const SmtpStep step = step_of_command(line);
  if (step != SmtpStep::kConnect && !hides_) {
    step_ = step;
    if (step == SmtpStep::kAuth) {
      hides_ = true;
      // The mechanism is no secret; a response after it is.
      const std::size_t blank = line.find(' ', 5);
      note("> ", line.substr(0, blank));
      if (blank != std::string_view::npos) note("> ", "[hidden]");
      return replies_.clear();
    }
  }
  replies_.clear();
  note("> ", hides_ ? std::string_view("[hidden]") : line);
}

int SmtpSession::on_debug(CURL*, curl_infotype kind, char* bytes, std::size_t size, void* self) {
  auto* const session = static_cast<SmtpSession*>(self);
  const std::string_view text = without_line_end({bytes, size});
  switch (kind) {
    case CURLINFO_TEXT:
      session->note("* ", text);
      break;
    case CURLINFO_HEADER_OUT:
      session->take_command(text);
      break;
    case CURLINFO_HEADER_IN:
      if (session->over_) break;
      session->note("< ", session->without_secrets(std::string(text)));
      if (session->replies_.take_line(text) && session->replies_.reply().code != 334) {
        session->hides_ = false;
        if (session->replies_.reply().code == 235) session->logged_in_ = true;
      }
      break;
    default:  // the message, and TLS records
      break;
  }
  return 0;
}

int SmtpSession::on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto* const session = static_cast<const SmtpSession*>(self);
  return session->stopping_.load() ? 1 : 0;
}

curl_socket_t SmtpSession::on_open(void* self, curlsocktype, curl_sockaddr* address) {
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  static_cast<SmtpSession*>(self)->socket_ = fd < 0 ? CURL_SOCKET_BAD : fd;
  static_cast<SmtpSession*>(self)->logged_in_ = false;
  return fd < 0 ? CURL_SOCKET_BAD : fd;
}

int SmtpSession::on_close(void* self, curl_socket_t fd) {
  auto* const session = static_cast<SmtpSession*>(self);
  if (session->socket_ == fd) session->socket_ = CURL_SOCKET_BAD;
  return ::close(fd);
}

void SmtpSession::note(std::string_view prefix, std::string_view text) {
  if (!wants_conversation_ || conversation_.size() + text.size() > kConversationBytesMax) return;
  while (true) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    conversation_.append(prefix).append(printable(without_line_end(text.substr(0, end))));
    conversation_ += '\n';
    if (end == text.size()) return;
    text.remove_prefix(end + 1);
  }
}

}  // namespace edged::mail
