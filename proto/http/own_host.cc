// SPDX-License-Identifier: Apache-2.0
// See own_host.h.
#include "proto/http/own_host.h"

#include <algorithm>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <charconv>

#include "proto/http/request.h"

namespace edged::http {
namespace {

constexpr std::size_t kNameBytesMax = 253;  // RFC 1035 section 2.3.4, less its length bytes

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

std::string_view without_last_dot(std::string_view name) {
  return name.size() > 1 && name.back() == '.' ? name.substr(0, name.size() - 1) : name;
}

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

bool is_ipv6(const std::string& text) {
  boost::system::error_code error;
  boost::asio::ip::make_address_v6(text, error);
  return !error;
}

// "127.0.0.1" and no other spelling of it: a browser sends this one.
bool is_ipv4(const std::string& text) {
  boost::system::error_code error;
  boost::asio::ip::make_address_v4(text, error);
  return !error;
}

// The port behind a host, ":80"; false if it is none.
bool parse_port(std::string_view text, std::optional<std::uint16_t>& port) {
  if (text.empty() || text == ":") return true;
  std::uint16_t number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + 1, end, number);
  if (text.front() != ':' || parsed.ec != std::errc() || parsed.ptr != end) return false;
  port = number;
  return true;
}

std::string header(const RequestHead& request, const char* name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? std::string() : found->second;
}

Response not_ours(const Authority& authority) {
  // Its bytes are those of a host name: safe in JSON.
  return refusal(
      403,
      "requests for the host '" + authority.host +
          "' are refused: add it to http_hosts in the configuration if it is this server's name");
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  Authority authority;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    authority.host = lower(text.substr(1, end - 1));
    authority.bracketed = true;
    if (!is_ipv6(authority.host) || authority.host.find('%') != std::string::npos) {
      return std::nullopt;
    }
    return parse_port(text.substr(end + 1), authority.port) ? std::optional(authority)
                                                            : std::nullopt;
  }
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string_view name = text.substr(0, colon);
  if (!is_host_name(name) || !parse_port(text.substr(colon), authority.port)) return std::nullopt;
  authority.host = lower(without_last_dot(name));
  return authority;
}

bool is_host_name(std::string_view name) {
  name = without_last_dot(name);
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '.' &&
         name.find("..") == std::string_view::npos &&
         std::all_of(name.begin(), name.end(), is_name_byte);
}

bool is_own_host(const Authority& authority, const std::vector<std::string>& hosts) {
  if (authority.bracketed || is_ipv4(authority.host) || authority.host == "localhost") return true;
  return std::any_of(hosts.begin(), hosts.end(), [&](const std::string& own) {
    return equal_ignoring_case(without_last_dot(own), authority.host);
  });
}

std::optional<Response> refuse_host(const RequestHead& request,
                                    const HostUse& use,
                                    const ServerOptions& options) {
  const auto is_own = [&](const Authority& authority) {
    return is_own_host(authority, options.hosts) ||
           (options.is_own_name && options.is_own_name(authority.host));
  };
  const bool missing = use.hosts_seen == 0 && use.needs_host && !use.target_authority;
  if (use.hosts_seen > 1 || missing) {
    return refusal(400, "the request must have exactly one Host header");
  }
  std::optional<Authority> own;
  if (use.hosts_seen == 1) {
    own = parse_authority(header(request, "host"));
    if (!own) return refusal(400, "the Host header is not HOST or HOST:PORT");
    if (!is_own(*own)) return not_ours(*own);
  }
  if (use.target_authority) {
    own = parse_authority(*use.target_authority);
    if (!own) return refusal(400, "the host of the request target is not HOST or HOST:PORT");
    if (!is_own(*own)) return not_ours(*own);
  }
  if (!use.any_site && from_foreign_site(request, own)) {
    return refusal(403, "requests from other sites are refused");
  }
  return std::nullopt;
}

bool from_foreign_site(const RequestHead& request, const std::optional<Authority>& own) {
  const std::string site = header(request, "sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none") return true;
  if (!request.headers.contains("origin")) return false;
  const std::string origin = header(request, "origin");
  constexpr std::pair<std::string_view, std::uint16_t> kSchemes[] = {{"http://", 80},
                                                                     {"https://", 443}};
  for (const auto& [scheme, port] : kSchemes) {
    if (!equal_ignoring_case(std::string_view(origin).substr(0, scheme.size()), scheme)) continue;
    const auto from = parse_authority(std::string_view(origin).substr(scheme.size()));
    // A proxy before the server may speak TLS for it: Host without a port is that of the scheme.
    return !from || !own || from->host != own->host || from->bracketed != own->bracketed ||
           from->port.value_or(port) != own->port.value_or(port);
  }
  return true;  // "null" and every other scheme
}

}  // namespace edged::http
