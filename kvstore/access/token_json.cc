// SPDX-License-Identifier: Apache-2.0
#include "kvstore/access/token_json.h"

#include <algorithm>
#include <boost/json.hpp>
#include <initializer_list>
#include <set>
#include <utility>

#include "proto/base/hex.h"
#include "proto/json/write_json.h"

namespace edged::access {
namespace {

namespace json = boost::json;

constexpr std::int64_t kFormat = 1;
// The year 9999: a time beyond it could not be printed.
constexpr std::int64_t kTimeMsMax = 253'402'300'799'000;
constexpr std::int64_t kYearMs = 366LL * 24 * 3600 * 1000;

Status invalid(std::string why) {
  return {Code::kInvalidArgument, std::move(why)};
}

// Takes the members of one object by name; the first complaint stays.
class Members {
 public:
  explicit Members(const json::value& value) : object_(value.if_object()) {
    if (object_ == nullptr) complain("it is not a JSON object");
  }

  std::string text(std::string_view name, bool required = true) {
    const json::value* found = take(name, required);
    if (found == nullptr) return {};
    if (const json::string* text = found->if_string()) return {text->data(), text->size()};
    complain("\"" + std::string(name) + "\" is not a string");
    return {};
  }

  std::vector<std::string> texts(std::string_view name, bool required = true) {
    std::vector<std::string> all;
    const json::value* found = take(name, required);
    if (found == nullptr) return all;
    const json::array* array = found->if_array();
    for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
      const json::string* text = (*array)[i].if_string();
      if (text == nullptr) array = nullptr;
      if (text != nullptr) all.emplace_back(text->data(), text->size());
    }
    if (array == nullptr) complain("\"" + std::string(name) + "\" is not an array of strings");
    return all;
  }

  // Nothing if it is absent or null.
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max) {
    const json::value* found = take(name, false);
    if (found == nullptr || found->is_null()) return std::nullopt;
    json::error_code error;
    const auto number = found->to_number<std::int64_t>(error);
    if (!error && number >= min && number <= max) return number;
    complain("\"" + std::string(name) + "\" is not a whole number from " + std::to_string(min) +
             " to " + std::to_string(max));
    return std::nullopt;
  }

  const json::array* array(std::string_view name) {
    const json::value* found = take(name, true);
    if (found == nullptr) return nullptr;
    if (!found->is_array()) complain("\"" + std::string(name) + "\" is not an array");
    return found->if_array();
  }

  void complain(std::string why) {
    if (status_.ok()) status_ = invalid(std::move(why));
  }

  const Status& status() const { return status_; }
  // Complains also about what was never taken.
  Status finish() {
    if (object_ == nullptr || !status_.ok()) return status_;
    for (const auto& member : *object_) {
      if (!taken_.contains(member.key())) {
        return invalid("\"" + std::string(member.key()) + "\" is not a known member");
      }
    }
    return {};
  }

 private:
  const json::value* take(std::string_view name, bool required) {
    taken_.insert(std::string(name));
    const json::value* found = object_ == nullptr ? nullptr : object_->if_contains(name);
    if (found == nullptr && required) complain("\"" + std::string(name) + "\" is missing");
    return found;
  }

  const json::object* object_;
  std::set<std::string, std::less<>> taken_;
  Status status_;
};

Result<json::value> parse(std::string_view text) {
  json::error_code error;
  json::value value = json::parse(text, error);
  if (error) return invalid("it is not JSON: " + error.message());
  return value;
}

Scopes take_scopes(Members& members) {
  Scopes scopes;
  for (const std::string& name : members.texts("scopes")) {
    const Status added = add_scope(name, scopes);
    if (!added.ok()) members.complain(added.message());
  }
  return scopes;
}

// What a request and a token say alike.
void add_grant(json::object& object, const Grant& grant) {
  object["name"] = grant.name;
  json::array& scopes = object["scopes"].emplace_array();
  for (const std::string_view name : scope_names(grant.scopes)) scopes.emplace_back(name);
  json::array& namespaces = object["namespaces"].emplace_array();
  for (const std::string& one : grant.namespaces) namespaces.emplace_back(one);
  object["prefix"] = grant.prefix;
}

json::object to_json(const Token& token) {
  const Grant& grant = token.grant;
  json::object object;
  object["id"] = grant.id;
  add_grant(object, grant);
  object["created_at_ms"] = to_unix_ms(token.created_at);
  object["expires_at_ms"] = nullptr;
  if (grant.expires_at) object["expires_at_ms"] = to_unix_ms(*grant.expires_at);
  return object;
}

Token take_token(Members& members) {
  Token token;
  Grant& grant = token.grant;
  grant.id = members.text("id");
  grant.name = members.text("name");
  grant.scopes = take_scopes(members);
  grant.namespaces = members.texts("namespaces");
  grant.prefix = members.text("prefix");
  const auto created = members.integer("created_at_ms", 0, kTimeMsMax);
  if (!created) members.complain("\"created_at_ms\" is missing");
  token.created_at = from_unix_ms(created.value_or(0));
  if (const auto expires = members.integer("expires_at_ms", 0, kTimeMsMax)) {
    grant.expires_at = from_unix_ms(*expires);
  }
  const auto id = from_hex(grant.id);
  if (!id || grant.id.size() != 16 || to_hex(*id) != grant.id) {
    members.complain("\"id\" is not 16 lower-case hexadecimal digits");
  }
  const Status checked = check_grant(grant);
  if (!checked.ok()) members.complain(checked.message());
  return token;
}

// Of a whole table: what is fine by itself may still repeat another.
Status check_unique(const std::vector<Token>& tokens) {
  std::set<std::string_view> ids, names;
  for (const Token& token : tokens) {
    if (!ids.insert(token.grant.id).second) {
      return invalid("two tokens have the id \"" + token.grant.id + "\"");
    }
    if (!names.insert(token.grant.name).second) {
      return invalid("two tokens have the name \"" + token.grant.name + "\"");
    }
  }
  return {};
}

// `more` takes further members of each token. `strict`: there may be no others.
template <typename More>
Result<std::vector<Token>> take_tokens(Members& members, bool strict, More more) {
  std::vector<Token> tokens;
  const json::array* array = members.array("tokens");
  if (array != nullptr && array->size() > kTokensMax) {
    members.complain("there are more than " + std::to_string(kTokensMax) + " tokens");
  }
  const Status checked = strict ? members.finish() : members.status();
  if (!checked.ok()) return checked;
  for (const json::value& value : *array) {
    Members one(value);
    Token token = take_token(one);
    more(one, token);
    const Status status = strict ? one.finish() : one.status();
    if (!status.ok()) {
      return status.with_context("token " + std::to_string(tokens.size() + 1));
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace

std::string render_file(const std::vector<Token>& tokens) {
  // A line per token, for people who look into it.
  std::string text = "{\"version\":" + std::to_string(kFormat) + ",\"tokens\":[";
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    json::object object = to_json(tokens[i]);
    object["sha256"] = to_hex(tokens[i].sha256);
    text += (i == 0 ? "\n" : ",\n") + write_json(object);
  }
  return text + "\n]}\n";
}

Result<std::vector<Token>> parse_file(std::string_view text) {
  const auto value = parse(text);
  if (!value) return value.error();
  Members members(*value);
  if (members.integer("version", 0, 1'000'000) != kFormat) {
    members.complain("\"version\" is not 1");
  }
  auto tokens = take_tokens(members, true, [](Members& one, Token& token) {
    const std::string text_of_hash = one.text("sha256");
    const auto hash = from_hex(text_of_hash);
    if (!hash || hash->size() != 32) one.complain("\"sha256\" is not 64 hexadecimal digits");
    token.sha256 = hash.value_or("");
  });
  if (!tokens) return tokens;
  const Status unique = check_unique(*tokens);
  return unique.ok() ? std::move(tokens) : Result<std::vector<Token>>(unique);
}

Result<Grant> parse_request(std::string_view text, WallTime now) {
  const auto value = parse(text);
  if (!value) return value.error();
  Members members(*value);
  Grant grant;
  grant.name = members.text("name");
  grant.scopes = take_scopes(members);
  grant.namespaces = members.texts("namespaces", false);
  grant.prefix = members.text("prefix", false);
  if (const auto lives_ms = members.integer("expires_in_ms", 1, 100 * kYearMs)) {
    grant.expires_at = now + std::chrono::milliseconds(*lives_ms);
  }
  Status status = members.finish();
  if (status.ok()) status = check_grant(grant);
  return status.ok() ? std::move(grant) : Result<Grant>(status);
}

std::string render_request(const Grant& grant, WallTime now) {
  json::object object;
  add_grant(object, grant);
  if (grant.expires_at) object["expires_in_ms"] = (*grant.expires_at - now).count();
  return write_json(object);
}

std::string render_token(const Token& token) {
  return write_json(to_json(token));
}

std::string render_new_token(const NewToken& made) {
  json::object object = to_json(made.token);
  object["secret"] = made.secret;
  return write_json(object);
}

std::string render_list(const std::vector<Token>& tokens,
                        std::string_view after_id,
                        std::size_t limit,
                        std::size_t bytes_max,
                        std::string& more) {
  std::vector<const Token*> ordered;
  for (const Token& token : tokens) {
    if (token.grant.id > after_id) ordered.push_back(&token);
  }
  std::sort(ordered.begin(), ordered.end(), [](const Token* a, const Token* b) {
    return a->grant.id < b->grant.id;
  });
  std::string text = "{\"tokens\":[";
  more.clear();
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    const std::string one = render_token(*ordered[i]);
    if (i == limit || text.size() + one.size() + 3 > bytes_max) {
      more = i == 0 ? std::string() : ordered[i - 1]->grant.id;
      break;
    }
    text += (i == 0 ? "" : ",") + one;
  }
  return text + "]}";
}

std::string render_id(std::string_view id) {
  json::object object;
  object["id"] = id;
  return write_json(object);
}

Result<std::string> parse_id(std::string_view text) {
  const auto value = parse(text);
  if (!value) return value.error();
  Members members(*value);
  std::string id = members.text("id");
  const Status status = members.finish();
  return status.ok() ? std::move(id) : Result<std::string>(status);
}

Result<Token> parse_token(std::string_view text) {
  const auto value = parse(text);
  if (!value) return value.error();
  Members members(*value);
  Token token = take_token(members);
  const Status status = members.status();
  return status.ok() ? std::move(token) : Result<Token>(status);
}

Result<NewToken> parse_new_token(std::string_view text) {
  const auto value = parse(text);
  if (!value) return value.error();
  Members members(*value);
  NewToken made;
  made.token = take_token(members);
  made.secret = members.text("secret");
  const Status status = members.status();
  return status.ok() ? std::move(made) : Result<NewToken>(status);
}

Result<std::vector<Token>> parse_list(std::string_view text) {
  const auto value = parse(text);
  if (!value) return value.error();
  Members members(*value);
  return take_tokens(members, false, [](Members&, Token&) {});
}

}  // namespace edged::access
