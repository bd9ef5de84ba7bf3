// SPDX-License-Identifier: Apache-2.0
#include "proto/http/router.h"

#include <utility>

namespace edged::http {

void Router::add(std::string method, std::string path, Handler handler) {
  paths_[std::move(path)][std::move(method)] = std::move(handler);
}

const Router::Methods* Router::methods_of(std::string_view path) const {
  if (const auto exact = paths_.find(path); exact != paths_.end()) return &exact->second;
  while (true) {
    const std::size_t slash = path.rfind('/', path.empty() ? 0 : path.size() - 1);
    if (path.empty() || slash == std::string_view::npos) return nullptr;
    // A root route "/" is the start page, not a net for every unknown path.
    if (slash == 0) return nullptr;
    if (const auto prefix = paths_.find(path.substr(0, slash + 1)); prefix != paths_.end()) {
      return &prefix->second;
    }
    path = path.substr(0, slash);
  }
}

Router::Match Router::find(std::string_view method, std::string_view path) const {
  Match match;
  const Methods* methods = methods_of(path);
  if (methods == nullptr) return match;
  for (const auto& [name, handler] : *methods) {
    match.allow += (match.allow.empty() ? "" : ", ") + name;
    if (name == "GET" && !methods->contains("HEAD")) match.allow += ", HEAD";
  }
  auto found = methods->find(method);
  if (found == methods->end() && method == "HEAD") found = methods->find("GET");
  if (found != methods->end()) match.handler = &found->second;
  return match;
}

}  // namespace edged::http
