// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string_view>

#include "proto/base/printable.h"
#include "proto/json/write_json.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/strict_options.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/json_text.h"
#include "tools/kvctl/terminal.h"

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

// Says which namespace has the title or the id already.
int fail_existing(Context& context, const std::string& title, const std::string& id) {
  const std::string start = "could not create namespace \"" + title + "\": ";
  const auto namespaces = context.client->list_namespaces();
  if (namespaces) {
    for (const net::KvNamespace& ns : *namespaces) {
      if (ns.id == id && ns.title == title) {
        return fail({Code::kExists, start + "it exists already, with this title and id"});
      }
    }
    for (const net::KvNamespace& ns : *namespaces) {
      if (ns.title == title) {
        return fail({Code::kExists, start + "the title exists already, with the id " + ns.id},
                    "to use that namespace, write this id in the configuration's kv_namespaces; "
                    "to create another, choose another title");
      }
      if (!id.empty() && ns.id == id) {
        return fail(
            {Code::kExists,
             start + "the id " + id + " exists already, with the title \"" + ns.title + "\""},
            "to use that namespace, name it with --ns; \"kvctl namespace rename\" changes its "
            "title");
      }
    }
  }
  return fail({Code::kExists, start + "the title or the id exists already"},
              "kvctl namespace list shows titles and ids");
}

int create(Context& context, const CreateArguments& arguments) {
  const Status connected = connect(context);
  if (!connected.ok()) return fail(connected);
  // As wrangler names it.
  const std::string title = arguments.title + (arguments.preview ? "_preview" : "");
  const auto created = context.client->create_namespace(title, arguments.id);
  if (created.code() == Code::kExists) return fail_existing(context, title, arguments.id);
  if (!created) {
    return fail(created.error().with_context("could not create namespace \"" + title + "\""));
  }
  if (context.json) {
    std::printf("%s\n", write_json(to_json(*created)).c_str());
    return kExitDone;
  }
  std::fprintf(stderr,
               "created namespace \"%s\". Add it to edged.jsonc or wrangler.jsonc:\n",
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
    std::printf("%s\n", write_json(array).c_str());
    return kExitDone;
  }
  for (const net::KvNamespace& ns : *namespaces) {
    std::printf("%s  %s\n", ns.id.c_str(), terminal_text(ns.title).c_str());
  }
  return kExitDone;
}

struct ChangeArguments {
  std::string name;   // id or title
  std::string title;  // the new one
  bool yes = false;
};

// The namespace with this id or title, whatever --ns says. A binding does not do here: the
// configuration may give the name to a namespace with another title.
Result<net::KvNamespace> open_named(Context& context, const std::string& name) {
  const Status connected = connect(context);
  if (!connected.ok()) return connected;
  context.settings.namespaces.clear();
  context.ns = name;
  return open_namespace(context);
}

int rename(Context& context, const ChangeArguments& arguments) {
  const auto ns = open_named(context, arguments.name);
  if (!ns) return fail(ns.error());
  const Status renamed = context.client->rename_namespace(ns->id, arguments.title);
  return renamed.ok()
             ? kExitDone
             : fail(renamed.with_context("could not rename namespace \"" + ns->title + "\""),
                    renamed.code() == Code::kExists ? "kvctl namespace list shows the titles in use"
                                                    : "");
}

// Asks on a terminal; elsewhere --yes is the answer.
bool confirmed(const std::string& what, bool yes) {
  if (yes || ::isatty(STDIN_FILENO) != 1) return yes;
  std::fprintf(stderr, "%s? Type \"yes\": ", printable(what).c_str());
  char answer[8] = {};
  return std::fgets(answer, sizeof answer, stdin) != nullptr && std::string_view(answer) == "yes\n";
}

int remove(Context& context, const ChangeArguments& arguments, bool with_namespace) {
  const auto ns = open_named(context, arguments.name);
  if (!ns) return fail(ns.error());
  const std::string verb = with_namespace ? "delete" : "clear";
  if (!confirmed(verb + " namespace \"" + ns->title + "\" with all its keys", arguments.yes)) {
    return fail({Code::kInvalidArgument,
                 "nothing was done: add --yes to " + verb + " namespace \"" + ns->title +
                     "\" with all its keys"});
  }
  const Status done = with_namespace ? context.client->delete_namespace(ns->id)
                                     : context.client->clear_namespace(ns->id);
  return done.ok()
             ? kExitDone
             : fail(done.with_context("could not " + verb + " namespace \"" + ns->title + "\""));
}

void add_remove_command(CLI::App& group, Context& context, int& exit_code, bool with_namespace) {
  auto arguments = std::make_shared<ChangeArguments>();
  CLI::App* command = with_namespace
                          ? group.add_subcommand("delete", "Delete a namespace and all its keys")
                          : group.add_subcommand("clear", "Delete all keys, keep the namespace");
  command->fallthrough();
  add_text(*command, "namespace", arguments->name, "Id or title of the namespace")->required();
  command->add_flag("-y,--yes", arguments->yes, "Do it without a question");
  command->callback([arguments, with_namespace, &context, &exit_code] {
    exit_code = remove(context, *arguments, with_namespace);
  });
}

}  // namespace

void add_namespace_commands(CLI::App& program, Context& context, int& exit_code) {
  CLI::App* group =
      program.add_subcommand("namespace", "Create, list, rename, clear and delete namespaces");
  group->require_subcommand(1);
  group->fallthrough();
  auto arguments = std::make_shared<CreateArguments>();
  CLI::App* command = group->add_subcommand(
      "create", "Create a namespace and print the lines for the configuration");
  command->fallthrough();
  add_text(*command, "title", arguments->title, "Title of the namespace, unique on the node")
      ->required();
  add_text(*command,
           "--id",
           arguments->id,
           "Id, 32 hexadecimal digits (default: one is made at random)");
  command->add_flag(
      "--preview", arguments->preview, "Create TITLE_preview, for the configuration's preview_id");
  command->callback([arguments, &context, &exit_code] { exit_code = create(context, *arguments); });
  CLI::App* listing = group->add_subcommand("list", "List the namespaces: id and title");
  listing->fallthrough();
  listing->callback([&context, &exit_code] { exit_code = list(context); });
  auto renamed = std::make_shared<ChangeArguments>();
  CLI::App* renaming = group->add_subcommand("rename", "Change the title of a namespace");
  renaming->fallthrough();
  add_text(*renaming, "namespace", renamed->name, "Id or title of the namespace")->required();
  add_text(*renaming, "title", renamed->title, "The new title")->required();
  renaming->callback([renamed, &context, &exit_code] { exit_code = rename(context, *renamed); });
  add_remove_command(*group, context, exit_code, false);
  add_remove_command(*group, context, exit_code, true);
}

}  // namespace edged::kvctl
