// SPDX-License-Identifier: Apache-2.0
// token create, list and revoke: through a running node, or with --data in a directory's
// tokens.json.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <vector>

#include "kvstore/access/token_file.h"
#include "kvstore/access/token_json.h"
#include "proto/base/units.h"
#include "tools/edged/exit_code.h"
#include "tools/kvctl/commands.h"

namespace edged::kvctl {
namespace {

struct TokenArguments {
  std::string data_dir, name, expires, id;
  std::vector<std::string> scopes, namespaces;
  std::string prefix;
};

constexpr const char* kReloadHint =
    "kvctl: a node that runs on this directory takes it up when it gets SIGHUP\n";

Result<access::Grant> make_grant(const TokenArguments& arguments, WallTime now) {
  access::Grant grant;
  grant.name = arguments.name;
  grant.namespaces = arguments.namespaces;
  grant.prefix = arguments.prefix;
  for (const std::string& text : arguments.scopes) {
    const Status added = access::add_scope(text, grant.scopes);
    if (!added.ok()) return added.with_context("--scope");
  }
  if (!arguments.expires.empty()) {
    const auto time = parse_duration(arguments.expires);
    if (!time) return time.error().with_context("--expires");
    grant.expires_at = now + *time;
  }
  const Status checked = access::check_grant(grant);
  if (!checked.ok()) return checked;
  return grant;
}

Result<access::NewToken> create_token(Context& context, const TokenArguments& arguments) {
  const WallTime now = SystemClock().wall_now();
  const auto grant = make_grant(arguments, now);
  if (!grant) return grant.error();
  if (arguments.data_dir.empty()) {
    const Status connected = connect(context);
    if (!connected.ok()) return connected;
    const auto answer = context.client->create_token(access::render_request(*grant, now));
    if (!answer) return answer.error();
    return access::parse_new_token(*answer);
  }
  access::NewToken made = access::make_token(*grant, now);
  const auto written = access::update_token_file(access::token_file_in(arguments.data_dir),
                                                 [&made](std::vector<access::Token>& tokens) {
                                                   return access::add_token(tokens, made.token);
                                                 });
  if (!written) return written.error();
  std::fputs(kReloadHint, stderr);
  return made;
}

int create(Context& context, const TokenArguments& arguments) {
  const auto made = create_token(context, arguments);
  if (!made) return fail(made.error().with_context("could not create token"));
  if (context.json) {
    std::printf("%s\n", access::render_new_token(*made).c_str());
    return kExitDone;
  }
  std::fprintf(stderr,
               "created token %s, \"%s\"; its secret is shown this once:\n",
               made->token.grant.id.c_str(),
               made->token.grant.name.c_str());
  std::printf("%s\n", made->secret.c_str());
  return kExitDone;
}

Result<std::vector<access::Token>> list_tokens(Context& context, const TokenArguments& arguments) {
  if (!arguments.data_dir.empty()) {
    auto tokens = access::read_token_file(access::token_file_in(arguments.data_dir));
    if (tokens.code() == Code::kNotFound) return std::vector<access::Token>();
    return tokens;
  }
  const Status connected = connect(context);
  if (!connected.ok()) return connected;
  const auto pages = context.client->list_tokens();
  if (!pages) return pages.error();
  std::vector<access::Token> all;
  for (const std::string& page : *pages) {
    const auto tokens = access::parse_list(page);
    if (!tokens) return tokens.error();
    all.insert(all.end(), tokens->begin(), tokens->end());
  }
  return all;
}

int list(Context& context, const TokenArguments& arguments) {
  const auto tokens = list_tokens(context, arguments);
  if (!tokens) return fail(tokens.error().with_context("could not list tokens"));
  std::string json;
  for (const access::Token& token : *tokens) {
    json += (json.empty() ? "" : ",") + access::render_token(token);
    if (context.json) continue;
    const access::Grant& grant = token.grant;
    std::string where;
    for (const std::string& ns : grant.namespaces) where += (where.empty() ? "" : ",") + ns;
    std::printf("%s  %-20s %s  namespaces %s%s%s  %s\n",
                grant.id.c_str(),
                grant.name.c_str(),
                access::to_text(grant.scopes).c_str(),
                where.empty() ? "all" : where.c_str(),
                grant.prefix.empty() ? "" : "  prefix ",
                grant.prefix.c_str(),
                grant.expires_at ? ("expires " + format_rfc3339(*grant.expires_at)).c_str()
                                 : "never expires");
  }
  if (context.json) std::printf("[%s]\n", json.c_str());
  return kExitDone;
}

Status revoke_token(Context& context, const TokenArguments& arguments) {
  if (!arguments.data_dir.empty()) {
    const auto written =
        access::update_token_file(access::token_file_in(arguments.data_dir),
                                  [&arguments](std::vector<access::Token>& tokens) {
                                    return access::remove_token(tokens, arguments.id);
                                  });
    if (written) std::fputs(kReloadHint, stderr);
    return written ? Status() : written.error();
  }
  const Status connected = connect(context);
  if (!connected.ok()) return connected;
  const auto answer = context.client->revoke_token(access::render_id(arguments.id));
  return answer ? Status() : answer.error();
}

int revoke(Context& context, const TokenArguments& arguments) {
  const Status revoked = revoke_token(context, arguments);
  return revoked.ok()
             ? kExitDone
             : fail(revoked.with_context("could not revoke token"),
                    revoked.code() == Code::kNotFound ? "kvctl token list shows the ids" : "");
}

}  // namespace

void add_token_commands(CLI::App& program, Context& context, int& exit_code) {
  auto arguments = std::make_shared<TokenArguments>();
  CLI::App* group = program.add_subcommand("token", "Create, list and revoke access tokens");
  group->require_subcommand(1);
  group->fallthrough();
  group->add_option("--data",
                    arguments->data_dir,
                    "Work on this data directory, whether a node runs on it or not");
  CLI::App* creating = group->add_subcommand("create", "Create a token and print its secret");
  creating->fallthrough();
  creating->add_option("name", arguments->name, "Its unique name")->required();
  creating->add_option("--scope", arguments->scopes, "read, write, delete, list, admin, metrics")
      ->delimiter(',')
      ->required();
  creating->add_option("--only", arguments->namespaces, "Only in this namespace, by id or title")
      ->delimiter(',');
  creating->add_option("--prefix", arguments->prefix, "Only keys that begin with this");
  creating->add_option("--expires", arguments->expires, "Ends after this time: 12h, 90d");
  creating->callback(
      [arguments, &context, &exit_code] { exit_code = create(context, *arguments); });
  CLI::App* listing = group->add_subcommand("list", "List tokens, without their secrets");
  listing->fallthrough();
  listing->callback([arguments, &context, &exit_code] { exit_code = list(context, *arguments); });
  CLI::App* revoking = group->add_subcommand("revoke", "End a token");
  revoking->fallthrough();
  revoking->add_option("id", arguments->id, "Its id")->required();
  revoking->callback(
      [arguments, &context, &exit_code] { exit_code = revoke(context, *arguments); });
}

}  // namespace edged::kvctl
