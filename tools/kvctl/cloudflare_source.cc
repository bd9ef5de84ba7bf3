// SPDX-License-Identifier: Apache-2.0
#include "tools/kvctl/cloudflare_source.h"

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/json.hpp>
#include <random>
#include <string_view>
#include <utility>

#include "proto/json/write_json.h"
#include "tools/kvctl/bulk_reader.h"

namespace edged::kvctl {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kAttemptsMax = 8;
constexpr seconds kRetryAfterMax{600};
constexpr milliseconds kRequestTimeout{120'000};
// bulk/get answers with at most 25 MB of values, which escapes may make longer.
constexpr std::size_t kBodyBytesMax = kBulkEntryBytesMax;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::int64_t kCursorRefused = 10041;

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char one : text) {
    const auto byte = static_cast<unsigned char>(one);
    const bool plain = (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z') ||
                       (one >= '0' && one <= '9') || one == '-' || one == '_' || one == '.' ||
                       one == '~';
    if (plain) {
      out += one;
    } else {
      out.append(1, '%').append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
    }
  }
  return out;
}

json::value parse(const std::string& text) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = kBulkDepthMax;
  json::value value = json::parse(text, error, {}, options);
  return error ? json::value() : value;
}

// The member of an object, or null.
const json::value& member(const json::value& value, std::string_view name) {
  static const json::value none;
  if (!value.is_object()) return none;
  const json::value* found = value.get_object().if_contains(name);
  return found == nullptr ? none : *found;
}

std::string text_of(const json::value& value) {
  if (!value.is_string()) return {};
  return {value.get_string().data(), value.get_string().size()};
}

std::optional<WallTime> time_of(const json::value& value) {
  json::error_code error;
  if (!value.is_number()) return std::nullopt;
  const auto number = value.to_number<std::int64_t>(error);
  return error || number < 1 ? std::nullopt : std::optional(WallTime(seconds(number)));
}

std::string metadata_of(const json::value& value) {
  return value.is_null() ? std::string() : write_json(value);
}

bool is_transient(int status) {
  return status == 429 || status >= 500;
}

// What the API's envelope says of a refusal.
Status refusal(const http::HttpAnswer& answer) {
  const json::value envelope = parse(answer.body);
  std::string message = "the API answered with HTTP status " + std::to_string(answer.status);
  std::int64_t number = 0;
  const json::value& errors = member(envelope, "errors");
  if (errors.is_array() && !errors.get_array().empty()) {
    const json::value& first = errors.get_array().front();
    const json::value& code = member(first, "code");
    json::error_code ignored;
    if (code.is_number()) number = code.to_number<std::int64_t>(ignored);
    message.append(": ").append(text_of(member(first, "message")));
    message.append(" (code ").append(std::to_string(number)).append(")");
  }
  Code code = Code::kInvalidArgument;
  if (answer.status == 401 || answer.status == 403) code = Code::kDenied;
  if (answer.status == 404) code = Code::kNamespaceNotFound;
  if (is_transient(answer.status)) code = Code::kUnavailable;
  if (number == kCursorRefused) code = Code::kStale;
  return {code, std::move(message)};
}

// The `result` of an envelope that says success.
Result<json::value> result_of(const http::HttpAnswer& answer) {
  if (answer.status != 200) return refusal(answer);
  json::value envelope = parse(answer.body);
  const json::value& success = member(envelope, "success");
  if (!success.is_bool() || !success.get_bool()) {
    return Status(Code::kCorruption, "the answer is none of Cloudflare's API. Is the URL right?");
  }
  return envelope;
}

Result<SourcePage> page_of(const json::value& envelope) {
  SourcePage page;
  const json::value& keys = member(envelope, "result");
  if (!keys.is_array()) return Status(Code::kCorruption, "the list of keys has no \"result\"");
  for (const json::value& key : keys.get_array()) {
    SourceKey one{text_of(member(key, "name"))};
    if (one.name.empty()) return Status(Code::kCorruption, "the list of keys has one without name");
    one.metadata = metadata_of(member(key, "metadata"));
    one.expires_at = time_of(member(key, "expiration"));
    page.keys.push_back(std::move(one));
  }
  page.cursor = text_of(member(member(envelope, "result_info"), "cursor"));
  return page;
}

net::PutItem item_of(const SourceKey& key) {
  net::PutItem item;
  item.key = key.name;
  item.metadata = key.metadata;
  item.expires_at = key.expires_at;
  return item;
}

// What bulk/get said of a key: its entry; kNotFound: gone; kUnsupported: to be read by itself,
// because its bytes may not be those of the text.
Result<net::PutItem> item_of(const SourceKey& key, const json::value& values) {
  const json::value& found = member(values, key.name);
  if (found.is_null()) return Status(Code::kNotFound, "gone");
  const json::value& value = member(found, "value");
  if (!value.is_string()) return Status(Code::kUnsupported, "no text");
  net::PutItem item = item_of(key);
  item.value = text_of(value);
  if (item.value.find(kReplacement) != std::string::npos) {
    return Status(Code::kUnsupported, "perhaps not text");
  }
  // The list may be older than the value.
  if (found.get_object().contains("metadata"))
    item.metadata = metadata_of(member(found, "metadata"));
  if (const auto expires_at = time_of(member(found, "expiration"))) item.expires_at = expires_at;
  return item;
}

std::string bulk_question(const std::vector<SourceKey>& keys) {
  json::array names;
  for (const SourceKey& key : keys) names.emplace_back(key.name);
  json::object question;
  question["keys"] = std::move(names);
  question["type"] = "text";
  question["withMetadata"] = true;
  return write_json(question);
}

http::HttpClientOptions client_options() {
  http::HttpClientOptions options;
  options.body_bytes_max = kBodyBytesMax;
  options.redirects_max = 0;  // the token is for this address
  return options;
}

}  // namespace

CloudflareSource::CloudflareSource(asio::any_io_executor executor, SourceOptions options)
    : executor_(executor), options_(std::move(options)), client_(executor, client_options()) {}

http::HttpRequest CloudflareSource::request(std::string method, const std::string& path) const {
  http::HttpRequest request;
  request.method = std::move(method);
  request.url = options_.api;
  request.url.append("/accounts/").append(percent_encoded(options_.account));
  request.url.append("/storage/kv/namespaces/").append(percent_encoded(options_.ns)).append(path);
  request.headers.emplace_back("Authorization", std::string("Bearer ").append(options_.token));
  request.timeout = kRequestTimeout;
  return request;
}

asio::awaitable<Result<http::HttpAnswer>> CloudflareSource::perform(http::HttpRequest request) {
  std::mt19937_64 random{std::random_device{}()};
  for (int attempt = 0;; ++attempt) {
    Result<http::HttpAnswer> answer = co_await client_.perform(request);
    if (answer) reached_ = true;
    const bool again = answer ? is_transient(answer->status)
                              : reached_ && (answer.code() == Code::kUnavailable ||
                                             answer.code() == Code::kDeadlineExceeded);
    if (!again || attempt + 1 == kAttemptsMax) co_return answer;
    milliseconds pause = Backoff::delay(options_.pauses, attempt, random);
    if (answer && answer->retry_after) pause = std::min(*answer->retry_after, kRetryAfterMax);
    asio::steady_timer timer(executor_, pause);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<Result<SourcePage>> CloudflareSource::list(std::string prefix, std::string cursor) {
  std::string path = "/keys?limit=1000";
  if (!prefix.empty()) path.append("&prefix=").append(percent_encoded(prefix));
  if (!cursor.empty()) path.append("&cursor=").append(percent_encoded(cursor));
  http::HttpRequest asked = request("GET", path);
  Result<http::HttpAnswer> answer = co_await perform(std::move(asked));
  if (!answer) co_return answer.error();
  const Result<json::value> envelope = result_of(*answer);
  if (!envelope) co_return envelope.error();
  co_return page_of(*envelope);
}

asio::awaitable<Result<std::vector<net::PutItem>>> CloudflareSource::read(
    std::vector<SourceKey> keys) {
  http::HttpRequest asked = request("POST", "/bulk/get");
  asked.headers.emplace_back("Content-Type", "application/json");
  asked.body = bulk_question(keys);
  Result<http::HttpAnswer> answer = co_await perform(std::move(asked));
  if (!answer) co_return answer.error();
  // 400: one of the values is not text; 413: together they are too many bytes.
  const bool one_by_one = answer->status == 400 || answer->status == 413;
  json::value values;
  if (!one_by_one) {
    const Result<json::value> envelope = result_of(*answer);
    if (!envelope) co_return envelope.error();
    values = member(member(*envelope, "result"), "values");
    if (!values.is_object()) {
      co_return Status(Code::kCorruption, "the answer of bulk/get has no \"values\"");
    }
  }
  std::vector<net::PutItem> items;
  for (const SourceKey& key : keys) {
    Result<net::PutItem> item = Status(Code::kUnsupported, "read one by one");
    if (!one_by_one) item = item_of(key, values);
    if (item) items.push_back(*std::move(item));
    if (item || item.code() == Code::kNotFound) continue;
    Result<std::optional<net::PutItem>> found = co_await read_one(key);
    if (!found) co_return found.error();
    if (*found) items.push_back(**std::move(found));
  }
  co_return items;
}

asio::awaitable<Result<std::optional<net::PutItem>>> CloudflareSource::read_one(SourceKey key) {
  http::HttpRequest asked =
      request("GET", std::string("/values/").append(percent_encoded(key.name)));
  Result<http::HttpAnswer> answer = co_await perform(std::move(asked));
  if (!answer) co_return answer.error();
  if (answer->status == 404) co_return std::optional<net::PutItem>();
  if (answer->status != 200) co_return refusal(*answer);
  net::PutItem item = item_of(key);
  item.value = std::move(answer->body);
  co_return std::optional<net::PutItem>(std::move(item));
}

}  // namespace edged::kvctl
