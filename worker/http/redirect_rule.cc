// SPDX-License-Identifier: Apache-2.0
// See redirect_rule.h. curl's own parser takes the URLs apart, since curl is what follows them.
#include "worker/http/redirect_rule.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "proto/base/check.h"

namespace edged::http {
namespace {

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string result(text);
  curl_free(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  // A name's last dot changes nothing.
  if (part == CURLUPART_HOST && result.size() > 1 && result.back() == '.') result.pop_back();
  return result;
}

}  // namespace

bool RedirectRule::place_of(const std::string& base, const std::string& location, Place& place) {
  constexpr unsigned kAsCurlFollows =
      CURLU_URLENCODE | CURLU_ALLOW_SPACE | CURLU_NON_SUPPORT_SCHEME;
  const std::unique_ptr<CURLU, FreeUrl> url(curl_url());
  KV_CHECK(url != nullptr);
  if (curl_url_set(url.get(), CURLUPART_URL, base.c_str(), kAsCurlFollows) != CURLUE_OK)
    return false;
  if (!location.empty() &&
      curl_url_set(url.get(), CURLUPART_URL, location.c_str(), kAsCurlFollows) != CURLUE_OK) {
    return false;
  }
  place.scheme = part_of(url.get(), CURLUPART_SCHEME);
  place.host = part_of(url.get(), CURLUPART_HOST);
  place.port = part_of(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  return true;
}

RedirectRule::RedirectRule(const std::string& url, const std::vector<std::string>& hosts) {
  place_of(url, "", own_);
  for (const std::string& host : hosts) {
    Place place;
    // A port that is not written is any, rather than http's.
    const bool has_port =
        host.find(':', host.starts_with('[') ? host.find(']') : 0) != std::string::npos;
    if (!place_of("http://" + host, "", place)) continue;
    if (!has_port) place.port.clear();
    allowed_.push_back(std::move(place));
  }
}

Status RedirectRule::check(const std::string& current, const std::string& location) const {
  Place to;
  if (!place_of(current, location, to)) return {Code::kCorruption, "it redirects to no valid URL"};
  const bool upgraded =
      own_.scheme == "http" && own_.port == "80" && to.scheme == "https" && to.port == "443";
  if (to.host == own_.host && (to.port == own_.port || upgraded)) return {};
  const bool allowed = std::any_of(allowed_.begin(), allowed_.end(), [&](const Place& place) {
    return place.host == to.host && (place.port.empty() || place.port == to.port);
  });
  if (allowed) return {};
  return {Code::kDenied,
          "it redirects to another server, " + to.scheme + "://" + to.host + ":" + to.port +
              ", which upstream.redirects does not allow"};
}

}  // namespace edged::http
