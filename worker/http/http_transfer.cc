// SPDX-License-Identifier: Apache-2.0
// The options of one curl handle and the meaning of its result; see http_transfer.h.
#include "worker/http/http_transfer.h"

#include <algorithm>
#include <boost/asio.hpp>
#include <utility>

namespace edged::http {
namespace {

bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

}  // namespace

Transfer::Transfer(const boost::asio::any_io_executor& executor,
                   HttpRequest request,
                   std::size_t body_bytes_max)
    : request_(std::move(request)), body_bytes_max_(body_bytes_max), wake_(executor) {
  wake_.expires_at(boost::asio::steady_timer::time_point::max());
}

Status Transfer::add_headers() {
  // Without "Expect:" curl would wait a second for 100 Continue on large bodies.
  headers_.reset(curl_slist_append(nullptr, "Expect:"));
  for (const auto& [name, value] : request_.headers) {
    if (name.empty() || has_line_break(name) || has_line_break(value)) {
      return Status(Code::kInvalidArgument,
                    "could not send header \"" + name +
                        "\": its name is empty, or name or value hold a line break");
    }
    // curl drops a header whose text ends after the colon, unless it is spelt with ';'.
    const std::string line = value.empty() ? name + ";" : name + ": " + value;
    KV_CHECK(curl_slist_append(headers_.get(), line.c_str()) != nullptr);
  }
  return {};
}

Status Transfer::prepare(CURL* easy, const HttpClientOptions& options) {
  const bool http = request_.url.starts_with("http://") || request_.url.starts_with("https://");
  if (!http || has_line_break(request_.url) || has_line_break(request_.method)) {
    return Status(Code::kInvalidArgument,
                  "could not request \"" + printable_url(request_.url) +
                      "\": it is not an http or https URL");
  }
  const Status added = add_headers();
  if (!added.ok()) return added;
  const auto timeout_ms = std::max<std::int64_t>(1, request_.timeout.count());
  const auto connect_ms = std::min<std::int64_t>(timeout_ms, options.connect_timeout.count());
  curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  // A request that begins with TLS is not redirected to plain http.
  const bool secure = request_.url.starts_with("https://");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  follows_redirects_ = options.redirects_max > 0;
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, follows_redirects_ ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, options.redirects_max);
  redirects_.emplace(request_.url, options.redirect_hosts);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);  // a proxy's
  curl_easy_setopt(easy, CURLOPT_POSTREDIR, static_cast<long>(CURL_REDIR_POST_ALL));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options.ca_file.empty()) {
    // Trust these authorities only; without this curl also reads the system's directory.
    curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
  if (options.proxy == "none") {
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
  } else if (!options.proxy.empty()) {
    curl_easy_setopt(easy, CURLOPT_PROXY, options.proxy.c_str());
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");  // ignore the environment's no_proxy
  }
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // Without it the end of a transfer waits for its resolver thread, however long the DNS is silent.
  // The thread then frees what it has by itself (curl 7.88, asyn-thread.c).
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_ms));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_ms));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "edged");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text_.data());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  if (request_.method == "POST" || !request_.body.empty()) {
    curl_easy_setopt(
        easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request_.body.data());
  }
  if (request_.method != "GET" && request_.method != "POST") {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  easy_ = easy;
  return {};
}

std::size_t Transfer::on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto* const transfer = static_cast<Transfer*>(self);
  const std::size_t length = size * count;
  if (transfer->body_.size() + length > transfer->body_bytes_max_) {
    transfer->body_too_large_ = true;
    return 0;
  }
  transfer->body_.append(bytes, length);
  return length;
}

std::size_t Transfer::on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
  const std::size_t length = size * count;
  return static_cast<Transfer*>(self)->take_header({bytes, length}) ? length : 0;
}

// False ends the transfer before curl follows the redirection.
bool Transfer::take_header(std::string_view line) {
  constexpr std::string_view kLocation = "location:";
  if (line.starts_with("HTTP/")) {
    const std::size_t status = std::min(line.find(' '), line.size() - 1) + 1;
    redirecting_ = follows_redirects_ && status < line.size() && line[status] == '3';
    return true;
  }
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; };
  if (!redirecting_ || line.size() < kLocation.size() ||
      !std::equal(kLocation.begin(), kLocation.end(), line.begin(), [&](char name, char given) {
        return same(given, name);
      })) {
    return true;
  }
  line.remove_prefix(kLocation.size());
  const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  const std::size_t end = line.find_last_not_of(" \t\r\n") + 1;
  const std::string location(line.substr(begin, end > begin ? end - begin : 0));
  const char* current = nullptr;
  curl_easy_getinfo(easy_, CURLINFO_EFFECTIVE_URL, &current);
  refused_redirect_ = redirects_->check(current == nullptr ? request_.url : current, location);
  return refused_redirect_.ok();
}

Status Transfer::failure(CURLcode code) const {
  const std::string context =
      "could not " + request_.method + " " + printable_url(request_.url) + ": ";
  if (body_too_large_) {
    return Status(
        Code::kTooLarge,
        context + "the answer is larger than " + std::to_string(body_bytes_max_) + " bytes");
  }
  if (!refused_redirect_.ok()) {
    return Status(Code::kCorruption, context + refused_redirect_.message());
  }
  const char* const text = error_text_[0] != '\0' ? error_text_.data() : curl_easy_strerror(code);
  long sent_bytes = 0;
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &sent_bytes);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
      // curl's own words may hold the whole URL, password included.
      return Status(
          Code::kUnavailable,
          context + "could not use the proxy: its name has no address, or its URL is not valid");
    case CURLE_OPERATION_TIMEDOUT:
      return Status(Code::kDeadlineExceeded, context + text);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return Status(Code::kDenied, context + text);
    case CURLE_URL_MALFORMAT:
      return Status(Code::kInvalidArgument, context + text);
    case CURLE_UNSUPPORTED_PROTOCOL:  // also what curl calls an answer that is no HTTP
      return Status(sent_bytes > 0 ? Code::kCorruption : Code::kInvalidArgument, context + text);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_TOO_MANY_REDIRECTS:
      return Status(Code::kCorruption, context + text);
    default:
      return Status(Code::kUnavailable, context + text);
  }
}

Result<HttpAnswer> Transfer::result(CURLcode code) {
  if (code != CURLE_OK) return failure(code);
  HttpAnswer answer;
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  const char* content_type = nullptr;
  curl_easy_getinfo(easy_, CURLINFO_CONTENT_TYPE, &content_type);
  if (content_type != nullptr) answer.content_type = content_type;
  curl_off_t retry_after = 0;
  curl_easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &retry_after);
  if (retry_after > 0) answer.retry_after = std::chrono::seconds(retry_after);
  answer.body = std::move(body_);
  return answer;
}

void Transfer::complete(Result<HttpAnswer> result) {
  if (done()) return;
  easy_ = nullptr;
  result_.emplace(std::move(result));
  wake_.cancel();
}

boost::asio::awaitable<void> Transfer::wait() {
  co_await wake_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
}

}  // namespace edged::http
