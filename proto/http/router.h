// SPDX-License-Identifier: Apache-2.0
// Which handler answers a method and path. A path is exact; one that ends in '/' also matches all
// below it, the longest first. HEAD is answered by GET's handler. Filled before use, read-only
// after; the executor's thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "proto/http/server.h"

namespace edged::http {

class Router {
 public:
  void add(std::string method, std::string path, Handler handler);

  struct Match {
    const Handler* handler = nullptr;  // null: no such path, or not with this method
    std::string allow;                 // the path's methods, "GET, HEAD, POST"; empty: no such path
  };
  Match find(std::string_view method, std::string_view path) const;

 private:
  using Methods = std::map<std::string, Handler, std::less<>>;
  const Methods* methods_of(std::string_view path) const;

  std::map<std::string, Methods, std::less<>> paths_;
};

}  // namespace edged::http
