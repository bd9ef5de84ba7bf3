// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>

#include "tools/edged/exit_code.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/json_text.h"

namespace edged::kvctl {
namespace {

boost::json::object to_json(const net::KvNamespace& ns) {
  boost::json::object object;
  object["id"] = ns.id;
  object["title"] = ns.title;
  object["created_at"] = format_rfc3339(ns.created_at);
  return object;
}

struct CreateArguments {
  std::string title;
  std::string id;
  bool preview = false;
};

int create(Context& context, const CreateArguments& arguments) {
  const Status connected = connect(context);
  if (!connected.ok()) return fail(connected);
  // As wrangler names it.
  const std::string title = arguments.title + (arguments.preview ? "_preview" : "");
  const auto created = context.client->create_namespace(title, arguments.id);
  if (!created) {
    return fail(created.error().with_context("could not create namespace \"" + title + "\""),
                created.code() == Code::kExists ? "kvctl namespace list shows what exists" : "");
  }
  if (context.json) {
    std::printf("%s\n", boost::json::serialize(to_json(*created)).c_str());
    return kExitDone;
  }
  std::fprintf(stderr,
               "created namespace \"%s\"; add it to edged.jsonc or wrangler.jsonc:\n",
               title.c_str());
  std::printf(
      "{\n  \"kv_namespaces\": [\n    {\n      \"binding\": \"KV\",\n      \"%s\": \"%s\"\n"
      "    }\n  ]\n}\n",
      arguments.preview ? "preview_id" : "id",
      created->id.c_str());
  return kExitDone;
}

int list(Context& context) {
  const Status connected = connect(context);
  if (!connected.ok()) return fail(connected);
  const auto namespaces = context.client->list_namespaces();
  if (!namespaces) return fail(namespaces.error().with_context("could not list namespaces"));
  if (context.json) {
    boost::json::array array;
    for (const net::KvNamespace& ns : *namespaces) array.push_back(to_json(ns));
    std::printf("%s\n", boost::json::serialize(array).c_str());
    return kExitDone;
  }
  for (const net::KvNamespace& ns : *namespaces) {
    std::printf("%s  %s\n", ns.id.c_str(), ns.title.c_str());
  }
  return kExitDone;
}

}  // namespace

void add_namespace_commands(CLI::App& program, Context& context, int& exit_code) {
  CLI::App* group = program.add_subcommand("namespace", "Create and list namespaces");
  group->require_subcommand(1);
  group->fallthrough();
  auto arguments = std::make_shared<CreateArguments>();
  CLI::App* command =
      group->add_subcommand("create", "Create a namespace and print its configuration snippet");
  command->fallthrough();
  command->add_option("title", arguments->title, "Its unique title")->required();
  command->add_option("--id", arguments->id, "32 hexadecimal digits; random without it");
  command->add_flag("--preview", arguments->preview, "TITLE_preview, for the key preview_id");
  command->callback([arguments, &context, &exit_code] { exit_code = create(context, *arguments); });
  CLI::App* listing = group->add_subcommand("list", "List namespaces: id and title");
  listing->fallthrough();
  listing->callback([&context, &exit_code] { exit_code = list(context); });
}

}  // namespace edged::kvctl
