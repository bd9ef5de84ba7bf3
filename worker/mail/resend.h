// SPDX-License-Identifier: Apache-2.0
// Sends mails through Resend's HTTP interface, or one that is like it: up to 100 mails a request,
// each request under an Idempotency-Key, so that a parcel that is delivered again within 24 hours
// arrives once. One thread, as http/http_client.h says.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "worker/http/http_client.h"
#include "worker/mail/transport.h"

namespace edged::mail {

struct ResendOptions {
  std::string url = "https://api.resend.com";
  std::function<Result<std::string>()> token;  // asked for each request
  std::string ca_file;                         // PEM; empty: the system's authorities
  std::chrono::milliseconds timeout{30'000};
  std::chrono::milliseconds request_gap{500};  // Resend takes two requests a second
};

// What an answer to a request with so many mails means. Pure.
Delivery judge_resend_answer(const http::HttpAnswer& answer, std::size_t mails);

class ResendTransport final : public Transport {
 public:
  ResendTransport(boost::asio::any_io_executor executor, ResendOptions options);

  std::string_view name() const override { return "resend"; }
  Limits limits() const override { return {.batch_max = 100, .parallel_max = 2}; }
  bool is_idempotent() const override { return true; }
  std::string freeze(const std::vector<Message>& messages) const override;
  boost::asio::awaitable<Delivery> deliver(Parcel parcel, Attempt attempt) override;

 private:
  boost::asio::awaitable<void> wait_turn();

  const ResendOptions options_;
  http::HttpClient client_;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace edged::mail
