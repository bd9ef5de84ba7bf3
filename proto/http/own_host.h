// SPDX-License-Identifier: Apache-2.0
// Which hosts a request may be for, so that a web page cannot reach a server of this machine
// through the browser of somebody who works on it. A page may make its own name lead to 127.0.0.1
// (DNS rebinding): its requests then look as if they came from the server's own site, and only the
// name in Host tells. A name is therefore accepted only if the configuration has it. Numeric
// addresses and localhost are safe, because no page can have them as its own name elsewhere. Pure
// functions; any thread. Source: docs/security.md, "Web pages".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/http/message.h"
#include "proto/http/server.h"

namespace edged::http {

// The host and port of a Host header, of an absolute-form request target, or of an Origin.
struct Authority {
  std::string host;  // in lower case, without brackets and without a dot at the end
  bool bracketed = false;
  std::optional<std::uint16_t> port;
};

// Nothing if `text` is not HOST or HOST:PORT: with a user, a blank, a bad port, an open bracket or
// bytes that no host name has. "localhost:" has no port (RFC 3986 section 3.2.3).
std::optional<Authority> parse_authority(std::string_view text);

// True for a numeric address, localhost, and the names in `hosts` (see ServerOptions::hosts).
bool is_own_host(const Authority& authority, const std::vector<std::string>& hosts);

// True for what ServerOptions::hosts may hold: a host name without port.
bool is_host_name(std::string_view name);

// How a request named its host.
struct HostUse {
  // Of an absolute-form target, which replaces Host (RFC 9112 section 3.2.2), else empty.
  const std::optional<std::string>& target_authority;
  std::size_t hosts_seen = 0;  // how many Host headers there were
  bool needs_host = true;      // HTTP/1.1
  bool any_site = false;       // Server::add_linked_path
};

// The refusal of a request whose host is missing, doubled or malformed (400), that is for a host
// which is not ours, or that a browser made for another site (403), unless `any_site` allows the
// latter.
std::optional<Response> refuse_host(const RequestHead& request,
                                    const HostUse& use,
                                    const ServerOptions& options);

// True if a browser made the request for another site than `own`: a foreign Origin or
// Sec-Fetch-Site.
bool from_foreign_site(const RequestHead& request, const std::optional<Authority>& own);

}  // namespace edged::http
