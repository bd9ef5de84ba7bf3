// SPDX-License-Identifier: Apache-2.0
// Where an answer may redirect a request to. Its body may hold what is not for others, and another
// address may be one that only this machine reaches (loopback, link-local, a cloud's metadata): so
// a request stays at the upstream's own host and port, unless the configuration allows more. One
// thread.
#pragma once

#include <string>
#include <vector>

#include "proto/base/status.h"

namespace edged::http {

class RedirectRule {
 public:
  // `url`: the request's. `hosts`: allowed besides, each HOST (any port) or HOST:PORT.
  RedirectRule(const std::string& url, const std::vector<std::string>& hosts);

  // Whether the answer to a request for `current` may redirect it to `location`, which may be
  // relative. From http to https of the same host is allowed where both have the default ports.
  // Errors: kDenied: another place, which the message names without user, path and query;
  // kCorruption: no URL.
  Status check(const std::string& current, const std::string& location) const;

 private:
  struct Place {
    std::string scheme, host, port;  // in lower case; port empty: any
  };
  static bool place_of(const std::string& base, const std::string& location, Place& place);

  Place own_;
  std::vector<Place> allowed_;
};

}  // namespace edged::http
