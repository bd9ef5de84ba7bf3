// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/upstream_parts.h"

#include <functional>
#include <string>
#include <utility>

#include "proto/base/secret_file.h"
#include "worker/upstream/json_source.h"
#include "worker/upstream/scraper_source.h"

namespace edged {
namespace {

// The token of upstream.token_file, as it is now; null: there is no such file.
std::function<std::string()> current_token(const config::Upstream& from) {
  if (from.token_file.empty()) return nullptr;
  const auto file = std::make_shared<SecretFile>(from.token_file, "upstream.token_file");
  return [file] {
    const Result<std::string> secret = file->get();
    return secret ? *secret : std::string();
  };
}

}  // namespace

http::HttpClientOptions upstream_client_options(const config::Config& config) {
  http::HttpClientOptions options;
  options.ca_file = config.upstream.tls_ca;
  options.proxy = config.upstream.proxy;
  options.redirect_hosts = config.upstream.redirects;
  return options;
}

std::unique_ptr<upstream::AttemptSource> make_upstream_source(http::HttpClient& client,
                                                              const config::Config& config) {
  const config::Upstream& from = config.upstream;
  if (from.type == "json") {
    upstream::JsonReading reading{
        from.fields, from.defaults, {from.zero_words, from.cancelled_values}};
    upstream::JsonOptions options{
        from.url, from.token, std::move(reading), from.timeout, current_token(from)};
    return std::make_unique<upstream::JsonSource>(client, std::move(options));
  }
  upstream::ScraperOptions options{
      from.url, from.token, from.timeout, current_token(from), from.zero_words};
  return std::make_unique<upstream::ScraperSource>(client, std::move(options));
}

}  // namespace edged
