// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/config_secrets.h"

#include <string_view>

namespace edged::config {
namespace {

enum class Kind { kSecret, kUrl };

constexpr struct {
  std::string_view section, key;
  Kind kind;
} kKeys[] = {{"postgres", "url", Kind::kUrl},
             {"mirror", "url", Kind::kUrl},
             {"node", "worker_secret", Kind::kSecret},
             {"worker", "cron_secret", Kind::kSecret},
             {"worker", "queue_secret", Kind::kSecret},
             {"upstream", "token", Kind::kSecret},
             {"upstream", "url", Kind::kUrl},
             {"upstream", "proxy", Kind::kUrl},
             {"mail", "url", Kind::kUrl},
             {"mail", "password", Kind::kSecret},
             {"mail", "token", Kind::kSecret},
             {"mail", "unsubscribe_secret", Kind::kSecret}};

// `text` without ${NAME}: what is there has its secret elsewhere.
std::string without_variables(std::string_view text) {
  std::string rest;
  while (!text.empty()) {
    const std::size_t begin = text.find("${");
    const std::size_t end = begin == std::string_view::npos ? begin : text.find('}', begin);
    if (end == std::string_view::npos) break;
    rest += text.substr(0, begin);
    text.remove_prefix(end + 1);
  }
  return rest + std::string(text);
}

// A password in "scheme://user:password@host" or as "password=...", of libpq's keywords or of a
// query.
bool has_password(const std::string& url) {
  if (const std::size_t word = url.find("password="); word != std::string::npos) {
    const std::size_t value = word + 9;
    if (value < url.size() && url[value] != '&' && url[value] != ' ') return true;
  }
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return false;
  const std::size_t authority = scheme + 3;
  const std::size_t at = url.substr(0, url.find_first_of("/?#", authority)).rfind('@');
  const std::size_t colon = url.find(':', authority);
  return at != std::string::npos && at >= authority && colon != std::string::npos && colon + 1 < at;
}

}  // namespace

void warn_of_secrets(const Json& document, ReadContext& context) {
  std::string keys;
  const auto add = [&](const std::string& key) { keys += (keys.empty() ? "" : ", ") + key; };
  for (const auto& [section, key, kind] : kKeys) {
    const Json* const object = document.find(section);
    const Json* const value = object == nullptr ? nullptr : object->find(key);
    if (value == nullptr || value->kind != Json::Kind::kString) continue;
    const std::string text = without_variables(value->text);
    if (kind == Kind::kUrl ? !has_password(text) : text.empty()) continue;
    add(std::string(section) + "." + std::string(key));
  }
  if (const Json* const array = document.find("queue_push")) {
    for (std::size_t i = 0; i < array->elements.size(); ++i) {
      const std::string path = "queue_push[" + std::to_string(i) + "].";
      const Json* const secret = array->elements[i].find("secret");
      if (secret != nullptr && !without_variables(secret->text).empty()) add(path + "secret");
      const Json* const url = array->elements[i].find("url");
      if (url != nullptr && has_password(without_variables(url->text))) add(path + "url");
    }
  }
  if (keys.empty()) return;
  context.warnings.push_back(context.file +
                             ": everybody can read this file, and it holds secrets (" + keys +
                             "). Run: chmod o-rwx " + context.file +
                             ", or write them as ${NAME} and put them into the environment");
}

}  // namespace edged::config
