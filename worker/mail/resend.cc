// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/resend.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <utility>

#include "proto/base/printable.h"
#include "proto/json/write_json.h"
#include "worker/mail/hide_secret.h"

namespace edged::mail {
namespace {

namespace json = boost::json;
using Outcome = Delivery::Outcome;

constexpr std::size_t kDetailBytesMax = 500;

json::object to_json(const Message& message) {
  json::object headers;
  headers["Message-ID"] = "<" + message.message_id + ">";
  for (const auto& [name, value] : message.headers) headers[name] = value;
  json::object mail;
  mail["from"] = message.from.empty() ? message.sender : message.from;
  mail["to"] = json::array{json::value(message.recipient)};
  mail["subject"] = message.subject;
  mail["text"] = message.text;
  if (!message.html.empty()) mail["html"] = message.html;
  mail["headers"] = std::move(headers);
  return mail;
}

std::string text_of(const json::value& body, std::string_view key) {
  const json::object* const object = body.if_object();
  const json::value* const value = object == nullptr ? nullptr : object->if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// Of one mail {"id": …}, of several {"data": [{"id": …}, …]}.
std::vector<std::string> read_ids(const json::value& body) {
  std::vector<std::string> ids;
  if (std::string id = text_of(body, "id"); !id.empty()) ids.push_back(std::move(id));
  const json::object* const object = body.if_object();
  const json::value* const data = object == nullptr ? nullptr : object->if_contains("data");
  if (data == nullptr || !data->is_array()) return ids;
  for (const json::value& one : data->get_array()) ids.push_back(text_of(one, "id"));
  return ids;
}

Outcome judge_status(int status, const std::string& name, const std::string& text, bool is_one) {
  if (status == 429) return Outcome::kTemporary;
  if (status == 409) {  // another request with this key is under way, or had another body
    return name == "invalid_idempotent_request" ? Outcome::kMessageBad : Outcome::kUnknown;
  }
  if (status == 400 || status == 422 || status == 413) {
    const bool of_address = is_one && text.find("`to`") != std::string::npos;
    if (name == "missing_api_key" || name == "invalid_api_key") return Outcome::kMisconfigured;
    if (text.find("`from`") != std::string::npos) return Outcome::kMisconfigured;
    return of_address ? Outcome::kAddressBad : Outcome::kMessageBad;
  }
  if (status >= 500 || status == 408) return Outcome::kUnknown;
  return Outcome::kMisconfigured;  // 401, 403, 404, a redirection
}

}  // namespace

Delivery judge_resend_answer(const http::HttpAnswer& answer, std::size_t mails) {
  boost::system::error_code error;
  const json::value body = json::parse(answer.body, error);
  Delivery delivery;
  delivery.detail = std::to_string(answer.status);
  const std::string text = error ? answer.body : text_of(body, "message");
  if (!text.empty()) {
    delivery.detail.append(" ").append(printable(text.substr(0, kDetailBytesMax)));
  }
  if (answer.status / 100 == 2) {
    delivery.outcome = Outcome::kAccepted;
    delivery.provider_ids = read_ids(body);
    if (delivery.provider_ids.size() != mails) delivery.provider_ids.clear();
    return delivery;
  }
  delivery.outcome = judge_status(answer.status, text_of(body, "name"), text, mails == 1);
  if (answer.retry_after) delivery.retry_after = *answer.retry_after;
  return delivery;
}

ResendTransport::ResendTransport(boost::asio::any_io_executor executor, ResendOptions options)
    : options_(std::move(options)),
      client_(std::move(executor), {.redirects_max = 0, .ca_file = options_.ca_file}) {}

std::string ResendTransport::freeze(const std::vector<Message>& messages) const {
  if (messages.size() == 1) return write_json(to_json(messages[0]));
  json::array mails;
  for (const Message& message : messages) mails.push_back(to_json(message));
  return write_json(mails);
}

boost::asio::awaitable<void> ResendTransport::wait_turn() {
  const auto turn = std::max(next_, std::chrono::steady_clock::now());
  next_ = turn + options_.request_gap;
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, turn);
  co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
}

boost::asio::awaitable<Delivery> ResendTransport::deliver(Parcel parcel, Attempt) {
  Result<std::string> token = Status(Code::kInvalidArgument, "mail.token is not set");
  if (options_.token) token = options_.token();
  if (!token) co_return Delivery{Outcome::kMisconfigured, token.error().message(), {}};
  const std::size_t mails = parcel.mails();
  http::HttpRequest request;
  request.method = "POST";
  request.url = options_.url + (mails == 1 ? "/emails" : "/emails/batch");
  request.headers = {{"Authorization", "Bearer " + *token},
                     {"Content-Type", "application/json"},
                     {"Idempotency-Key", parcel.key}};
  request.body = parcel.frozen.empty() ? freeze(parcel.messages) : std::move(parcel.frozen);
  request.timeout = options_.timeout;
  co_await wait_turn();
  Result<http::HttpAnswer> answer = co_await client_.perform(std::move(request));
  if (!answer) {
    // The key makes another request safe, whatever became of this one.
    const Code code = answer.error().code();
    const bool was_not_sent = code == Code::kInvalidArgument || code == Code::kDenied;
    const Outcome outcome = was_not_sent ? Outcome::kMisconfigured : Outcome::kUnknown;
    co_return Delivery{outcome, answer.error().message(), {}};
  }
  hide_secret(answer->body, *token);  // before a cut leaves a part of it
  Delivery delivery = judge_resend_answer(*answer, mails);
  hide_secret(delivery.detail, *token);  // was escaped in the JSON
  if (parcel.wants_conversation) {
    delivery.conversation =
        "> POST " + http::printable_url(options_.url) + "\n< " + delivery.detail + "\n";
  }
  co_return delivery;
}

}  // namespace edged::mail
