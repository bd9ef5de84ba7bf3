// SPDX-License-Identifier: Apache-2.0
// See connection_url.h. PostgreSQL 15 documentation, section 34.1.
#include "worker/db/connection_url.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "worker/db/pg_target.h"

namespace edged::db {
namespace {

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;
using Values = std::map<std::string, std::string>;

constexpr std::string_view kEncodeHint =
    ". If the password holds one of / ? # : @ % or a blank, write that character percent-encoded "
    "(@ as %40, / as %2F, % as %25)";

Status wrong(std::string why) {
  return Status(Code::kInvalidArgument, std::move(why));
}

// True for a word that is safe to show: what a parameter is called, or one of its fixed values.
bool is_plain(std::string_view word) {
  return !word.empty() && word.size() <= 40 && std::all_of(word.begin(), word.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
  });
}

std::string lower(std::string_view word) {
  std::string text(word);
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Parameters that other libraries understand, by lower-case name, and what to do about them.
struct Foreign {
  std::string_view name, advice;
};
constexpr std::string_view kSetPoolSize = "remove it, and set postgres.pool_size";
constexpr std::string_view kSetTimeout = "remove it, and set postgres.statement_timeout";
constexpr std::string_view kNoSchema =
    "remove it: edged names the schema of every table that it uses";
constexpr std::string_view kSetPrepared =
    "remove it; to have no prepared statements, set postgres.prepared_statements to false";
constexpr std::string_view kSetSslMode =
    "write sslmode=verify-full, or sslmode=require to encrypt without checking the certificate";
constexpr std::array kForeign{
    Foreign{"pgbouncer", "remove it, and set postgres.session_state to false"},
    Foreign{"connection_limit", kSetPoolSize},
    Foreign{"pool", kSetPoolSize},
    Foreign{"pool_size", kSetPoolSize},
    Foreign{"pool_max_conns", kSetPoolSize},
    Foreign{"max_pool_size", kSetPoolSize},
    Foreign{"pool_timeout", kSetTimeout},
    Foreign{"socket_timeout", kSetTimeout},
    Foreign{"statement_timeout", kSetTimeout},
    Foreign{"query_timeout", kSetTimeout},
    Foreign{"schema", kNoSchema},
    Foreign{"currentschema", kNoSchema},
    Foreign{"search_path", kNoSchema},
    Foreign{"statement_cache_size", kSetPrepared},
    Foreign{"prepared_statements", kSetPrepared},
    Foreign{"prepared_statement_cache_size", kSetPrepared},
    Foreign{"preparethreshold", kSetPrepared},
    Foreign{"default_query_exec_mode", kSetPrepared},
    Foreign{"ssl", kSetSslMode},
    Foreign{"sslaccept", kSetSslMode},
    Foreign{"applicationname", "write application_name"},
};

const Foreign* find_foreign(std::string_view name) {
  const std::string folded = lower(name);
  const auto found = std::find_if(
      kForeign.begin(), kForeign.end(), [&](const Foreign& one) { return one.name == folded; });
  return found == kForeign.end() ? nullptr : &*found;
}

std::string advice_for(std::string_view name, const std::set<std::string>& known) {
  const std::string folded = lower(name);
  if (known.contains(folded)) return "write \"" + folded + "\"";
  const Foreign* foreign = find_foreign(name);
  return std::string(foreign == nullptr ? "remove it" : foreign->advice);
}

Options parse(const std::string& url) {
  char* error = nullptr;
  Options options(PQconninfoParse(url.c_str(), &error), PQconninfoFree);
  PQfreemem(error);  // it may quote the URL, password included
  return options;
}

std::set<std::string> known_parameters() {
  std::set<std::string> known;
  const Options options = parse("");
  for (const PQconninfoOption* one = options.get(); one != nullptr && one->keyword; ++one) {
    known.insert(one->keyword);
  }
  return known;
}

Status unknown_parameters(const std::vector<std::string>& names,
                          const std::set<std::string>& known) {
  std::string text;
  // What follows a password may be the rest of it.
  bool after_password = false;
  for (const std::string& name : names) {
    const bool shown = is_plain(name) && (!after_password || find_foreign(name) != nullptr);
    after_password = after_password || name == "password" || name == "sslpassword";
    if (known.contains(name)) continue;
    text += text.empty() ? "has a parameter that libpq does not know: " : "; and ";
    text += shown ? "\"" + name + "\": " + advice_for(name, known)
                  : "one that is not shown, because it may be a part of the password";
  }
  return text.empty() ? Status() : wrong(std::move(text));
}

bool has_uri_scheme(std::string_view url) {
  return url.starts_with("postgresql://") || url.starts_with("postgres://");
}

// The query of a URI: what follows its first "?", or if that seems to stand in the password, the
// first one after the "@".
std::string_view query_of(std::string_view uri, const std::set<std::string>& known) {
  const std::size_t first = uri.find('?');
  if (first != std::string_view::npos) {
    const std::string_view query = uri.substr(first + 1);
    const std::string name(query.substr(0, query.find('=')));
    if (known.contains(name) || find_foreign(name) != nullptr) return query;
  }
  const std::size_t at = uri.rfind('@');
  const std::size_t mark = uri.find('?', at == std::string_view::npos ? 0 : at);
  return mark == std::string_view::npos ? std::string_view() : uri.substr(mark + 1);
}

// Names of a query's parameters; an error if one has no value.
Result<std::vector<std::string>> query_names(std::string_view query) {
  std::vector<std::string> names;
  bool after_password = false;
  while (!query.empty()) {
    const std::string_view one = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(one.size() + 1, query.size()));
    const std::size_t equals = one.find('=');
    const std::string name(one.substr(0, equals));
    if (equals == std::string_view::npos || one.find('=', equals + 1) != std::string_view::npos) {
      const bool is_shown = is_plain(name) && !after_password;
      const std::string shown = is_shown ? " \"" + name + "\"" : "";
      return wrong("has a parameter" + shown +
                   " that is not NAME=VALUE. Write a \"=\" or \"&\" in a value as %3D or %26");
    }
    after_password = after_password || name == "password" || name == "sslpassword";
    names.push_back(name);
  }
  return names;
}

// Names of a keyword string's parameters, as far as it can be read.
std::vector<std::string> keyword_names(std::string_view text) {
  std::vector<std::string> names;
  const auto is_blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  std::size_t i = 0;
  while (i < text.size()) {
    while (i < text.size() && is_blank(text[i])) ++i;
    const std::size_t begin = i;
    while (i < text.size() && text[i] != '=' && !is_blank(text[i])) ++i;
    const std::string name(text.substr(begin, i - begin));
    while (i < text.size() && is_blank(text[i])) ++i;
    if (i >= text.size() || text[i] != '=') break;
    names.push_back(name);
    for (++i; i < text.size() && is_blank(text[i]);) ++i;
    const bool quoted = i < text.size() && text[i] == '\'';
    if (quoted) ++i;
    while (i < text.size() && (quoted ? text[i] != '\'' : !is_blank(text[i]))) {
      i += text[i] == '\\' ? 2 : 1;
    }
    if (quoted) ++i;
  }
  return names;
}

bool is_hex(std::string_view text) {
  return text.size() == 2 && std::isxdigit(static_cast<unsigned char>(text[0])) != 0 &&
         std::isxdigit(static_cast<unsigned char>(text[1])) != 0;
}

Status check_percent_encoding(std::string_view uri) {
  const std::size_t last_at = uri.rfind('@');
  for (std::size_t at = uri.find('%'); at != std::string_view::npos; at = uri.find('%', at + 1)) {
    const std::string_view digits = uri.substr(at + 1, 2);
    if (is_hex(digits) && digits != "00") continue;
    const bool in_user = last_at != std::string_view::npos && at < last_at;
    return wrong(std::string("has a \"%\" that begins no percent-encoded character, in ") +
                 (in_user ? "the user or the password" : "what follows the user and password") +
                 ". Write % itself as %25");
  }
  return {};
}

// Why libpq does not take it at all.
Status explain_refusal(const std::string& url) {
  if (has_uri_scheme(url)) {
    const Status encoding = check_percent_encoding(url);
    if (!encoding.ok()) return encoding;
    std::set<std::string> known = known_parameters();
    const auto names = query_names(query_of(url, known));
    if (!names) return names.error();
    if (url.find("ssl=true") != std::string::npos) known.insert("ssl");  // libpq takes just that
    const Status unknown = unknown_parameters(*names, known);
    if (!unknown.ok()) return unknown;
    return wrong(
        "is not a URL that libpq understands: check the host, and the brackets around an "
        "IPv6 address" +
        std::string(kEncodeHint));
  }
  const std::size_t scheme = url.find("://");
  if (scheme != std::string::npos && url.find('=') > scheme) {
    std::string shown = url.substr(0, scheme);
    std::replace(shown.begin(), shown.end(), ':', '.');
    std::replace(shown.begin(), shown.end(), '+', '.');
    return wrong(
        (is_plain(shown) ? "begins with \"" + url.substr(0, scheme) + "://\""
                         : std::string("begins with a scheme")) +
        ", which libpq does not know. Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE");
  }
  const Status unknown = unknown_parameters(keyword_names(url), known_parameters());
  if (!unknown.ok()) return unknown;
  return wrong(
      "is neither a URL, postgresql://USER:PASSWORD@HOST:PORT/DATABASE, nor a keyword "
      "string, host=HOST dbname=DATABASE user=USER. Check the quotes around values that "
      "hold blanks");
}

// Parameters with a fixed list of values: libpq looks at them only when it connects.
struct Choice {
  std::string_view name;
  std::vector<std::string_view> values;
};
const std::vector<Choice>& choices() {
  static const std::vector<Choice> all{
      {"sslmode", {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}},
      {"gssencmode", {"disable", "prefer", "require"}},
      {"channel_binding", {"disable", "prefer", "require"}},
      {"target_session_attrs",
       {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}},
      {"ssl_min_protocol_version", {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}},
      {"ssl_max_protocol_version", {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}}};
  return all;
}

Status check_choices(const Values& values) {
  for (const Choice& choice : choices()) {
    const auto found = values.find(std::string(choice.name));
    if (found == values.end()) continue;
    if (std::find(choice.values.begin(), choice.values.end(), found->second) !=
        choice.values.end()) {
      continue;
    }
    std::string list;
    for (const std::string_view one : choice.values) {
      list += (list.empty() ? "" : ", ") + std::string(one);
    }
    std::string text = "has " + std::string(choice.name) +
                       (is_plain(found->second) ? "=" + found->second : " with a value") +
                       ", which libpq does not know; it is one of " + list;
    if (choice.name == "sslmode" && found->second == "no-verify") {
      text += ". To encrypt without checking the certificate, write sslmode=require";
    }
    return wrong(std::move(text));
  }
  return {};
}

bool is_number(std::string_view text, std::size_t digits_max) {
  return !text.empty() && text.size() <= digits_max &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_port(std::string_view text) {
  if (text.empty()) return true;
  return is_number(text, 5) && std::stoi(std::string(text)) >= 1 &&
         std::stoi(std::string(text)) <= 65535;
}

Status check_numbers(const Values& values) {
  for (const char* name : {"keepalives",
                           "keepalives_idle",
                           "keepalives_interval",
                           "keepalives_count",
                           "tcp_user_timeout",
                           "connect_timeout"}) {
    const auto found = values.find(name);
    if (found != values.end() && !is_number(found->second, 9)) {
      return wrong("has " + std::string(name) + " with a value that is not a number");
    }
  }
  return {};
}

// What libpq reads without complaint, and nobody can have meant: the signs of a password whose
// special characters are not percent-encoded.
Status check_places(const Values& values, bool is_uri) {
  const auto value = [&](const char* name) {
    const auto found = values.find(name);
    return found == values.end() ? std::string() : found->second;
  };
  if (value("replication") != "") {
    return wrong("has the parameter \"replication\": remove it, edged sets it where it is needed");
  }
  PgSettings settings(values.begin(), values.end());
  const Result<std::vector<PgHost>> hosts = list_hosts(settings);
  if (!hosts) {
    return wrong(
        "names hosts, addresses and ports that differ in number. Give one port for all "
        "hosts, or one for each");
  }
  for (const PgHost& host : *hosts) {
    if (!is_port(host.port)) {
      return wrong("has a port that is not a number from 1 to 65535" + std::string(kEncodeHint));
    }
    const bool is_socket = host.host.starts_with('/') || host.host.starts_with('@');
    if (!is_socket && host.host.find_first_of("@ \t\r\n") != std::string::npos) {
      return wrong("has a host name with \"@\" or a blank in it" + std::string(kEncodeHint));
    }
  }
  if (is_uri && value("user").empty() && value("dbname").find('@') != std::string::npos) {
    return wrong("has no user, and an \"@\" in the name of the database" +
                 std::string(kEncodeHint));
  }
  return {};
}

}  // namespace

Status check_connection_url(const std::string& url) {
  const auto is_odd = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  if (url.empty()) return wrong("is empty");
  if (url.front() == ' ' || url.back() == ' ' || std::any_of(url.begin(), url.end(), is_odd)) {
    return wrong("has a blank at its beginning or end, or a line break or tab in it: remove it");
  }
  const Options options = parse(url);
  if (options == nullptr) return explain_refusal(url);
  Values values;
  for (const PQconninfoOption* one = options.get(); one->keyword != nullptr; ++one) {
    if (one->val != nullptr && one->val[0] != '\0') values[one->keyword] = one->val;
  }
  const Status chosen = check_choices(values);
  if (!chosen.ok()) return chosen;
  const Status numbers = check_numbers(values);
  if (!numbers.ok()) return numbers;
  return check_places(values, has_uri_scheme(url));
}

}  // namespace edged::db
