// SPDX-License-Identifier: Apache-2.0
// libcurl's multi socket interface on Asio: curl says which descriptors to watch and when to wake
// it; Asio does both. Descriptors belong to curl: a Watch holds one only between curl's "watch" and
// "remove" and then releases it without closing it. So no descriptor is closed twice, and a number
// that is used again gets a new Watch.
#include "worker/http/http_client.h"

#include <curl/curl.h>

#include <boost/asio.hpp>
#include <mutex>
#include <unordered_map>

#include "worker/http/http_transfer.h"

namespace edged::http {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t kSpareHandlesMax = 256;

struct Watch {
  Watch(const asio::any_io_executor& executor, int fd) : descriptor(executor, fd) {}
  asio::posix::stream_descriptor descriptor;
  bool wants_read = false, wants_write = false;
  bool reading = false, writing = false;  // a wait is under way
  bool removed = false;
};

void initialise_curl() {
  static std::once_flag once;
  std::call_once(once, [] { KV_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
}

}  // namespace

class HttpClient::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::any_io_executor executor, HttpClientOptions options)
      : executor_(std::move(executor)), options_(std::move(options)), timer_(executor_) {
    initialise_curl();
    multi_ = curl_multi_init();
    KV_CHECK(multi_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Impl::on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Impl::on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, options_.idle_connections_max);
  }

  ~Impl() { shut_down(); }

  void shut_down() {
    if (multi_ == nullptr) return;
    while (!transfers_.empty()) {
      Transfer* const transfer = transfers_.begin()->second.get();
      finish(transfer,
             Status(Code::kUnavailable, "could not send the request: the program is stopping"));
    }
    for (CURL* easy : spare_) curl_easy_cleanup(easy);
    spare_.clear();
    curl_multi_cleanup(multi_);
    multi_ = nullptr;
    for (auto& [fd, watch] : watches_) drop(*watch);
    watches_.clear();
    timer_.cancel();
  }

  // The transfer, started; or finished already if curl refused it.
  std::shared_ptr<Transfer> start(HttpRequest request) {
    auto transfer =
        std::make_shared<Transfer>(executor_, std::move(request), options_.body_bytes_max);
    if (multi_ == nullptr) {
      transfer->complete(
          Status(Code::kUnavailable, "could not send the request: the program is stopping"));
      return transfer;
    }
    CURL* const easy = take_handle();
    const Status prepared = transfer->prepare(easy, options_);
    if (!prepared.ok()) {
      give_back(easy);
      transfer->complete(prepared);
      return transfer;
    }
    transfers_.emplace(easy, transfer);
    if (const CURLMcode code = curl_multi_add_handle(multi_, easy); code != CURLM_OK) {
      finish(transfer.get(), Status(Code::kInternal, curl_multi_strerror(code)));
    }
    return transfer;
  }

  // Ends `transfer` if it is still under way.
  void finish(Transfer* transfer, Result<HttpAnswer> result) {
    CURL* const easy = transfer->easy();
    if (easy == nullptr) return;
    long opened = 0;
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &opened);
    connections_opened_ += static_cast<std::uint64_t>(opened);
    curl_multi_remove_handle(multi_, easy);
    transfer->complete(std::move(result));
    give_back(easy);
    transfers_.erase(easy);
  }

  std::size_t in_flight() const { return transfers_.size(); }
  std::uint64_t connections_opened() const { return connections_opened_; }

 private:
  CURL* take_handle() {
    if (spare_.empty()) {
      CURL* const easy = curl_easy_init();
      KV_CHECK(easy != nullptr);
      return easy;
    }
    CURL* const easy = spare_.back();
    spare_.pop_back();
    return easy;
  }

  void give_back(CURL* easy) {
    if (spare_.size() >= kSpareHandlesMax) {
      curl_easy_cleanup(easy);
      return;
    }
    curl_easy_reset(easy);
    spare_.push_back(easy);
  }

  static void drop(Watch& watch) {
    watch.removed = true;
    watch.descriptor.release();
  }

  void unwatch(curl_socket_t fd) {
    const auto found = watches_.find(fd);
    if (found == watches_.end()) return;
    drop(*found->second);
    watches_.erase(found);
  }

  // Called by curl: what to watch `fd` for from now on.
  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
    static_cast<Impl*>(self)->set_interest(fd, what);
    return 0;
  }

  void set_interest(curl_socket_t fd, int what) {
    if (what == CURL_POLL_REMOVE) return unwatch(fd);
    std::shared_ptr<Watch>& watch = watches_[fd];
    if (watch == nullptr) watch = std::make_shared<Watch>(executor_, fd);
    watch->wants_read = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
    watch->wants_write = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
    arm(watch, fd);
  }

  void arm(const std::shared_ptr<Watch>& watch, curl_socket_t fd) {
    if (watch->wants_read && !watch->reading) {
      watch->reading = true;
      watch->descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                   [weak = weak_from_this(), watch, fd](error_code error) {
                                     watch->reading = false;
                                     if (const auto self = weak.lock())
                                       self->on_ready(watch, fd, CURL_CSELECT_IN, error);
                                   });
    }
    if (watch->wants_write && !watch->writing) {
      watch->writing = true;
      watch->descriptor.async_wait(asio::posix::descriptor_base::wait_write,
                                   [weak = weak_from_this(), watch, fd](error_code error) {
                                     watch->writing = false;
                                     if (const auto self = weak.lock())
                                       self->on_ready(watch, fd, CURL_CSELECT_OUT, error);
                                   });
    }
  }

  void on_ready(const std::shared_ptr<Watch>& watch,
                curl_socket_t fd,
                int event,
                error_code error) {
    if (watch->removed || multi_ == nullptr) return;
    const bool wanted = event == CURL_CSELECT_IN ? watch->wants_read : watch->wants_write;
    if (!wanted) return;  // armed again when curl wants it again
    int running = 0;
    curl_multi_socket_action(multi_, fd, error ? CURL_CSELECT_ERR : event, &running);
    collect();
    if (!watch->removed && multi_ != nullptr) arm(watch, fd);
  }

  // Called by curl: wake it after `timeout_ms`; -1 stops the timer.
  static int on_timer(CURLM*, long timeout_ms, void* self) {
    static_cast<Impl*>(self)->set_timer(timeout_ms);
    return 0;
  }

  void set_timer(long timeout_ms) {
    const std::uint64_t round = ++timer_round_;
    if (timeout_ms < 0) {
      timer_.cancel();
      return;
    }
    timer_.expires_after(std::chrono::milliseconds(timeout_ms));
    timer_.async_wait([weak = weak_from_this(), round](error_code) {
      const auto self = weak.lock();
      if (self == nullptr || self->multi_ == nullptr || self->timer_round_ != round) return;
      int running = 0;
      curl_multi_socket_action(self->multi_, CURL_SOCKET_TIMEOUT, 0, &running);
      self->collect();
    });
  }

  // Completes what curl says is done.
  void collect() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const auto found = transfers_.find(message->easy_handle);
      KV_CHECK(found != transfers_.end());
      const std::shared_ptr<Transfer> transfer = found->second;
      finish(transfer.get(), transfer->result(message->data.result));
    }
  }

  asio::any_io_executor executor_;
  const HttpClientOptions options_;
  asio::steady_timer timer_;
  std::uint64_t timer_round_ = 0;
  CURLM* multi_ = nullptr;
  std::unordered_map<CURL*, std::shared_ptr<Transfer>> transfers_;
  std::unordered_map<curl_socket_t, std::shared_ptr<Watch>> watches_;
  std::vector<CURL*> spare_;
  std::uint64_t connections_opened_ = 0;
};

HttpClient::HttpClient(asio::any_io_executor executor, HttpClientOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options))) {}

HttpClient::~HttpClient() {
  impl_->shut_down();
}

std::size_t HttpClient::in_flight() const {
  return impl_->in_flight();
}

std::uint64_t HttpClient::connections_opened() const {
  return impl_->connections_opened();
}

asio::awaitable<Result<HttpAnswer>> HttpClient::perform(HttpRequest request) {
  // The frame keeps both alive and drops the request however it ends.
  struct Running {
    std::shared_ptr<Impl> impl;
    std::shared_ptr<Transfer> transfer;
    ~Running() {
      impl->finish(transfer.get(),
                   Status(Code::kUnavailable, "could not complete the request: it was cancelled"));
    }
  };
  Running running{impl_, impl_->start(std::move(request))};
  if (!running.transfer->done()) {
    co_await running.transfer->wait();
  }
  if (!running.transfer->done()) {
    running.impl->finish(
        running.transfer.get(),
        Status(Code::kUnavailable, "could not complete the request: it was cancelled"));
  }
  co_return running.transfer->take_result();
}

std::string printable_url(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::string(url);
  const std::size_t host = scheme + 3;
  const std::size_t path = std::min(url.find('/', host), url.size());
  const std::size_t user = url.substr(0, path).rfind('@');
  if (user == std::string_view::npos || user < host) return std::string(url);
  return std::string(url.substr(0, host)) + std::string(url.substr(user + 1));
}

}  // namespace edged::http
