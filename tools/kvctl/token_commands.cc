// SPDX-License-Identifier: Apache-2.0
// token create, list and revoke: through a running node, or with --data in a directory's
// tokens.json.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <vector>

#include "kvstore/access/token_file.h"
#include "kvstore/access/token_json.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/strict_options.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/terminal.h"

namespace edged::kvctl {
namespace {

struct TokenArguments {
  std::string data_dir, name, id, prefix;
  std::optional<std::chrono::milliseconds> expires;
  std::vector<std::string> scopes, namespaces;
};

struct Created {
  access::NewToken token;
  bool first = false;  // the node had none before: it was open to everyone who reached it
};

void say_where(const TokenArguments& arguments) {
  std::fprintf(
      stderr,
      "kvctl: changed %s. A node that runs on this directory reads it when it gets SIGHUP\n",
      access::token_file_in(arguments.data_dir).c_str());
}

// A mistyped --data would look like a node without tokens.
Status check_directory(const TokenArguments& arguments) {
  std::error_code ignored;
  if (std::filesystem::is_directory(arguments.data_dir, ignored)) return {};
  return {Code::kNotFound, "--data: there is no directory \"" + arguments.data_dir + "\""};
}

// The first token closes every face of the node, so its maker learns which programs need one now.
constexpr const char* kFirstToken =
    "This is the first token of the node: from now on every client must show a token.\n"
    "  edged worker     write a token into a file and name the file in worker.token_file. Scopes:\n"
    "                   read,write,delete,list, and admin if it mirrors tables\n"
    "  kvctl            set EDGED_TOKEN to a token, or name its file with --token-file\n"
    "  Prometheus       send \"Authorization: Bearer TOKEN\" to /metrics. Scope: metrics\n"
    "  other clients    send the token with AUTH, the first request on a connection\n"
    "No token is needed on the unix socket by root and the node's own user, nor for /healthz and "
    "/readyz.\n"
    "More tokens: kvctl token create NAME --scope SCOPES. When the last one is revoked, a node "
    "that "
    "listens\non loopback only is open again.\n";

Result<access::Grant> make_grant(const TokenArguments& arguments, WallTime now) {
  access::Grant grant;
  grant.name = arguments.name;
  grant.namespaces = arguments.namespaces;
  grant.prefix = arguments.prefix;
  for (const std::string& text : arguments.scopes) {
    const Status added = access::add_scope(text, grant.scopes);
    if (!added.ok()) return added.with_context("--scope");
  }
  if (arguments.expires) grant.expires_at = now + *arguments.expires;
  const Status checked = access::check_new_grant(grant);
  if (!checked.ok()) return checked;
  return grant;
}

Result<std::vector<access::Token>> list_tokens(Context& context, const TokenArguments& arguments) {
  if (!arguments.data_dir.empty()) {
    const Status there = check_directory(arguments);
    if (!there.ok()) return there;
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

Result<Created> create_in_file(const TokenArguments& arguments,
                               const access::Grant& grant,
                               WallTime now) {
  Created created{access::make_token(grant, now)};
  const auto written = access::update_token_file(
      access::token_file_in(arguments.data_dir), [&created](std::vector<access::Token>& tokens) {
        created.first = tokens.empty();
        return access::add_token(tokens, created.token.token);
      });
  if (!written) return written.error();
  say_where(arguments);
  return created;
}

Result<Created> create_token(Context& context, const TokenArguments& arguments) {
  const WallTime now = SystemClock().wall_now();
  const auto grant = make_grant(arguments, now);
  if (!grant) return grant.error();
  if (!arguments.data_dir.empty()) return create_in_file(arguments, *grant, now);
  const auto before = list_tokens(context, arguments);
  if (!before) return before.error();
  const auto answer = context.client->create_token(access::render_request(*grant, now));
  if (!answer) return answer.error();
  auto token = access::parse_new_token(*answer);
  if (!token) return token.error();
  return Created{*std::move(token), before->empty()};
}

int create(Context& context, const TokenArguments& arguments) {
  const auto created = create_token(context, arguments);
  if (!created) return fail(created.error().with_context("could not create token"));
  const access::NewToken& made = created->token;
  if (context.json) {
    std::printf("%s\n", access::render_new_token(made).c_str());
  } else {
    std::fprintf(stderr,
                 "created token %s, \"%s\". Its secret is shown only now:\n",
                 made.token.grant.id.c_str(),
                 made.token.grant.name.c_str());
    std::printf("%s\n", made.secret.c_str());
    std::fflush(stdout);
  }
  if (created->first) std::fputs(kFirstToken, stderr);
  return kExitDone;
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
    for (const std::string& ns : grant.namespaces)
      where += (where.empty() ? "" : ",") + terminal_text(ns);
    std::printf("%s  %-20s %s  namespaces %s%s%s  %s\n",
                grant.id.c_str(),
                terminal_text(grant.name).c_str(),
                access::to_text(grant.scopes).c_str(),
                where.empty() ? "all" : where.c_str(),
                grant.prefix.empty() ? "" : "  prefix ",
                terminal_text(grant.prefix).c_str(),
                grant.expires_at ? ("expires " + format_rfc3339(*grant.expires_at)).c_str()
                                 : "never expires");
  }
  if (context.json) std::printf("[%s]\n", json.c_str());
  return kExitDone;
}

Status revoke_token(Context& context, const TokenArguments& arguments) {
  if (!arguments.data_dir.empty()) {
    const Status there = check_directory(arguments);
    if (!there.ok()) return there;
    const auto written =
        access::update_token_file(access::token_file_in(arguments.data_dir),
                                  [&arguments](std::vector<access::Token>& tokens) {
                                    return access::remove_token(tokens, arguments.id);
                                  });
    if (written) say_where(arguments);
    return written ? Status() : written.error();
  }
  const Status connected = connect(context);
  if (!connected.ok()) return connected;
  const auto answer = context.client->revoke_token(access::render_id(arguments.id));
  return answer ? Status() : answer.error();
}

int revoke(Context& context, const TokenArguments& arguments) {
  const Status revoked = revoke_token(context, arguments);
  return revoked.ok() ? kExitDone
                      : fail(revoked.with_context("could not revoke token"),
                             revoked.code() == Code::kNotFound
                                 ? "kvctl token list shows the ids of the tokens"
                                 : "");
}

}  // namespace

void add_token_commands(CLI::App& program, Context& context, int& exit_code) {
  auto arguments = std::make_shared<TokenArguments>();
  CLI::App* group = program.add_subcommand("token", "Create, list and revoke access tokens");
  group->require_subcommand(1);
  group->fallthrough();
  add_text(*group,
           "--data",
           arguments->data_dir,
           "Change the tokens in this data directory, not through a node: for a node that is "
           "stopped or not reachable");
  CLI::App* creating = group->add_subcommand(
      "create",
      "Create a token and print its secret. The first one closes the node to clients "
      "without a token");
  creating->fallthrough();
  add_text(*creating, "name", arguments->name, "Name of the token, unique on the node")->required();
  add_texts(*creating,
            "--scope",
            arguments->scopes,
            "What its holder may do, with commas between: read, write, delete, list, admin, "
            "metrics, queue",
            ',')
      ->required();
  add_texts(*creating,
            "--only",
            arguments->namespaces,
            "Limit it to this namespace, by id or title; may be repeated",
            ',');
  add_text(*creating, "--prefix", arguments->prefix, "Limit it to keys that begin with this text");
  add_duration(*creating,
               "--expires",
               arguments->expires,
               "Let it expire this long from now: 12h, 90d (default: never)");
  creating->callback(
      [arguments, &context, &exit_code] { exit_code = create(context, *arguments); });
  CLI::App* listing = group->add_subcommand("list", "List the tokens, without their secrets");
  listing->fallthrough();
  listing->callback([arguments, &context, &exit_code] { exit_code = list(context, *arguments); });
  CLI::App* revoking = group->add_subcommand("revoke", "Revoke a token: it is refused from now on");
  revoking->fallthrough();
  add_text(*revoking, "id", arguments->id, "Id of the token, as \"kvctl token list\" shows it")
      ->required();
  revoking->callback(
      [arguments, &context, &exit_code] { exit_code = revoke(context, *arguments); });
}

}  // namespace edged::kvctl
