// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/dashboard_page.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proto/http/request.h"

namespace edged::kv_http {
namespace {

using boost::asio::awaitable;

constexpr std::string_view kPage = "index.html";
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string_view content_type(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {".html", "text/html; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".svg", "image/svg+xml"},
  };
  for (const auto& [ending, type] : kTypes) {
    if (name.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  const std::size_t end = text.find_last_not_of(" \t");
  return end == std::string_view::npos ? std::string_view() : text.substr(begin, end + 1 - begin);
}

http::Response answer(const EmbeddedFile& file, const http::Request& request) {
  http::Response response;
  response.content_type = content_type(file.name);
  response.headers = {{"Content-Security-Policy", kPolicy},
                      {"Referrer-Policy", "no-referrer"},
                      {"Vary", "Accept-Encoding"}};
  const auto accepted = request.headers.find("accept-encoding");
  if (accepted != request.headers.end() && accepts_gzip(accepted->second)) {
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.body = file.gzip;
  } else {
    response.body = file.bytes;
  }
  return response;
}

}  // namespace

bool accepts_gzip(std::string_view header) {
  while (!header.empty()) {
    const std::size_t comma = std::min(header.find(','), header.size());
    const std::string_view item = header.substr(0, comma);
    header.remove_prefix(std::min(comma + 1, header.size()));
    const std::size_t semicolon = std::min(item.find(';'), item.size());
    if (!http::equal_ignoring_case(trim(item.substr(0, semicolon)), "gzip")) continue;
    // "q=0", "q=0.000": not allowed.
    const std::string_view weight = trim(item.substr(std::min(semicolon + 1, item.size())));
    if (!http::equal_ignoring_case(weight.substr(0, 3), "q=0")) return true;
    return weight.find_first_not_of(".0", 3) != std::string_view::npos;
  }
  return false;
}

void add_dashboard_page(http::Server& server) {
  // It holds no data, so links from anywhere may lead to it.
  server.add_linked_path("/");
  for (const EmbeddedFile& file : dashboard_files()) {
    std::string path = "/";
    if (file.name != kPage) path.append("dashboard/").append(file.name);
    server.route(
        "GET", std::move(path), [file](http::Request request) -> awaitable<http::Response> {
          co_return answer(file, request);
        });
  }
}

}  // namespace edged::kv_http
