// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "proto/base/hex.h"
#include "proto/json/write_json.h"
#include "tools/edged/exit_code.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/json_text.h"
#include "tools/kvctl/position.h"
#include "tools/kvctl/terminal.h"

namespace edged::kvctl {
namespace {

namespace json = boost::json;

// What STATS says of one mirrored namespace, with how far it is behind by the node's clock.
struct Mirror {
  std::string id, title, position;
  std::optional<WallTime> fresh_as_of;
  std::optional<std::int64_t> behind_ms;
  json::array rules;
};

Mirror mirror_of(const json::value& value, std::int64_t server_time_ms) {
  Mirror mirror;
  mirror.id = value.at("namespace").as_string();
  mirror.title = value.at("title").as_string();
  mirror.position = from_hex(std::string(value.at("position").as_string())).value_or("");
  if (!value.at("fresh_as_of_ms").is_null()) {
    const auto ms = value.at("fresh_as_of_ms").to_number<std::int64_t>();
    mirror.fresh_as_of = from_unix_ms(ms);
    mirror.behind_ms = server_time_ms - ms;
  }
  mirror.rules = value.at("rules").as_array();
  return mirror;
}

std::string seconds(std::int64_t ms) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3fs", static_cast<double>(ms) / 1000);
  return text;
}

// "fresh", "not loaded", "stale": what a reader of the rule's keys meets now.
std::string state_of(const Mirror& mirror, const json::value& rule) {
  if (!rule.at("loaded").as_bool()) return "not loaded";
  const auto ttl_ms = rule.at("ttl_ms").to_number<std::int64_t>();
  const bool late = mirror.behind_ms && ttl_ms > 0 && *mirror.behind_ms > ttl_ms;
  return !mirror.behind_ms || late ? "stale" : "fresh";
}

json::object to_json(const Mirror& mirror) {
  json::object object;
  object["namespace"] = mirror.id;
  object["title"] = mirror.title;
  add_freshness(object, mirror.fresh_as_of, mirror.position);
  object["behind_ms"] = nullptr;
  if (mirror.behind_ms) object["behind_ms"] = *mirror.behind_ms;
  json::array rules;
  for (const json::value& rule : mirror.rules) {
    json::object shown = rule.as_object();
    shown["state"] = state_of(mirror, rule);
    rules.push_back(std::move(shown));
  }
  object["rules"] = std::move(rules);
  return object;
}

void print_lines(const Mirror& mirror) {
  std::printf("namespace    %s (%s)\n", terminal_text(mirror.title).c_str(), mirror.id.c_str());
  std::printf("position     %s\n",
              mirror.position.empty() ? "not known" : show_position(mirror.position).c_str());
  if (mirror.fresh_as_of) {
    std::printf("fresh as of  %s, %s behind\n",
                format_rfc3339(*mirror.fresh_as_of).c_str(),
                seconds(*mirror.behind_ms).c_str());
  } else {
    std::printf("fresh as of  not known: reads of its keys are stale\n");
  }
  for (const json::value& rule : mirror.rules) {
    const json::value* prefix = rule.as_object().if_contains("prefix");
    const std::string name(prefix != nullptr ? prefix->as_string()
                                             : rule.at("prefix_hex").as_string());
    const auto ttl_ms = rule.at("ttl_ms").to_number<std::int64_t>();
    const std::string state = state_of(mirror, rule);
    std::printf("rule         %s  ttl %s  %s%s\n",
                name.c_str(),
                ttl_ms == 0 ? "none" : seconds(ttl_ms).c_str(),
                state.c_str(),
                state == "fresh" ? "" : ": reads of its keys are refused");
  }
}

int status(Context& context) {
  const Status connected = connect(context);
  if (!connected.ok()) return fail(connected);
  const auto text = context.client->stats();
  if (!text) return fail(text.error().with_context("could not read the mirrors' state"));
  json::error_code error;
  const json::value stats = json::parse(*text, error);
  const json::object* object = error ? nullptr : stats.if_object();
  if (object == nullptr || !object->contains("mirrors")) {
    return fail(
        {Code::kInternal,
         "could not read the mirrors' state: the answer of the node is not the expected JSON"});
  }
  const auto now_ms = stats.at("server_time_ms").to_number<std::int64_t>();
  json::array all;
  bool any = false;
  for (const json::value& one : stats.at("mirrors").as_array()) {
    const Mirror mirror = mirror_of(one, now_ms);
    if (context.json) {
      all.push_back(to_json(mirror));
    } else {
      if (any) std::printf("\n");
      print_lines(mirror);
    }
    any = true;
  }
  if (context.json) {
    std::printf("%s\n", write_json(all).c_str());
  } else if (!any) {
    std::printf("no namespace is mirrored\n");
  }
  return kExitDone;
}

}  // namespace

void add_mirror_commands(CLI::App& program, Context& context, int& exit_code) {
  CLI::App* mirror = program.add_subcommand(
      "mirror", "Show the namespaces whose keys mirror tables of PostgreSQL");
  mirror->require_subcommand(1);
  mirror->fallthrough();
  CLI::App* showing = mirror->add_subcommand(
      "status", "Show which keys are mirrored and how far the mirror is behind");
  showing->fallthrough();
  showing->callback([&context, &exit_code] { exit_code = status(context); });
}

}  // namespace edged::kvctl
