// SPDX-License-Identifier: Apache-2.0
// One request of the HTTP client: the request's memory while curl reads it, the bounded body, the
// options of its curl handle, and what curl's result means. Private to the client; one thread.
#pragma once

#include <curl/curl.h>

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "worker/http/http_client.h"
#include "worker/http/redirect_rule.h"

namespace edged::http {

class Transfer {
 public:
  Transfer(const boost::asio::any_io_executor& executor,
           HttpRequest request,
           std::size_t body_bytes_max);

  // Sets every option of `easy`, which must outlive the transfer or complete().
  // Errors: kInvalidArgument: the URL or a header cannot be used.
  Status prepare(CURL* easy, const HttpClientOptions& options);

  // The result of the finished transfer; reads the handle.
  Result<HttpAnswer> result(CURLcode code);

  // Stores the result and wakes wait(). The handle is forgotten.
  void complete(Result<HttpAnswer> result);
  bool done() const { return result_.has_value(); }
  // Returns when done, or when the waiting coroutine is cancelled.
  boost::asio::awaitable<void> wait();
  // Once, after done().
  Result<HttpAnswer> take_result() { return *std::move(result_); }

  // Null when curl does not work on it.
  CURL* easy() const { return easy_; }

 private:
  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self);
  bool take_header(std::string_view line);
  Status add_headers();
  Status failure(CURLcode code) const;

  const HttpRequest request_;
  const std::size_t body_bytes_max_;
  boost::asio::steady_timer wake_;
  CURL* easy_ = nullptr;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  std::string body_;
  bool body_too_large_ = false;
  std::optional<RedirectRule> redirects_;
  bool follows_redirects_ = true;
  bool redirecting_ = false;  // the headers that come now are those of a redirection
  Status refused_redirect_;
  std::optional<Result<HttpAnswer>> result_;
};

}  // namespace edged::http
