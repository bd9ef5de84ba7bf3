// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "proto/json/write_json.h"
#include "proto/wire/limits.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/strict_options.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/json_text.h"

namespace edged::kvctl {
namespace {

struct PutArguments {
  std::string key, path, metadata;
  std::optional<std::string> value;
  std::optional<std::chrono::milliseconds> ttl;
  std::optional<std::uint64_t> if_version;
  bool if_absent = false;
  bool sync = false;
};

// At most one byte more than a value may have, so that a longer one is noticed.
Result<std::string> read_all(std::FILE* file, const std::string& name) {
  std::string bytes;
  char block[64 * 1024];
  while (bytes.size() <= wire::kValueBytesMax) {
    const std::size_t count = std::fread(block, 1, sizeof block, file);
    bytes.append(block, count);
    if (count < sizeof block) break;
  }
  if (std::ferror(file) != 0) {
    return Status(Code::kIoError, "could not read " + name + ": " + std::strerror(errno));
  }
  if (bytes.size() > wire::kValueBytesMax) {
    return Status(Code::kTooLarge,
                  name + " is larger than 25 MiB, which is the most a value may have");
  }
  return bytes;
}

Result<std::string> read_value(const PutArguments& arguments) {
  if (arguments.value && !arguments.path.empty()) {
    return Status(Code::kInvalidArgument, "put takes VALUE or --path FILE, not both");
  }
  if (!arguments.path.empty()) {
    std::FILE* file = std::fopen(arguments.path.c_str(), "rb");
    if (file == nullptr) {
      return Status(Code::kIoError,
                    "could not read \"" + arguments.path + "\": " + std::strerror(errno));
    }
    auto bytes = read_all(file, "\"" + arguments.path + "\"");
    std::fclose(file);
    return bytes;
  }
  if (!arguments.value) {
    return Status(Code::kInvalidArgument,
                  "the value is missing. Give VALUE, \"-\" to read it from stdin, or --path FILE");
  }
  if (*arguments.value == "-") return read_all(stdin, "stdin");
  return *arguments.value;
}

Result<net::PutItem> make_item(const PutArguments& arguments) {
  net::PutItem item;
  item.key = arguments.key;
  item.metadata = arguments.metadata;
  item.sync = arguments.sync;
  if (arguments.if_absent) item.mode = net::PutMode::kIfAbsent;
  if (arguments.if_version) {
    if (arguments.if_absent) {
      return Status(Code::kInvalidArgument, "put takes --if-absent or --if-version, not both");
    }
    item.mode = net::PutMode::kIfVersion;
    item.if_version = *arguments.if_version;
  }
  item.ttl = arguments.ttl;
  boost::json::error_code error;
  if (!item.metadata.empty()) boost::json::parse(item.metadata, error);
  if (error)
    return Status(Code::kInvalidArgument, "--metadata is not valid JSON: " + error.message());
  auto value = read_value(arguments);
  if (!value) return value.error();
  item.value = std::move(*value);
  return item;
}

int put(Context& context, const PutArguments& arguments) {
  auto item = make_item(arguments);
  if (!item) return fail(item.error());
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  const auto version = context.client->put(ns->id, std::move(*item));
  if (version.code() == Code::kExists) {
    return fail(
        {Code::kExists, "nothing stored: key \"" + shown(arguments.key) + "\" exists already"},
        "kvctl inspect shows its version");
  }
  if (version.code() == Code::kVersionMismatch) {
    return fail(
        {Code::kVersionMismatch,
         "nothing stored: key \"" + shown(arguments.key) + "\" has another version, or is absent"},
        "kvctl inspect shows its version");
  }
  if (!version)
    return fail(version.error().with_context("could not put \"" + shown(arguments.key) + "\""));
  if (context.json) {
    boost::json::object object;
    add_bytes(object, "key", arguments.key);
    object["version"] = *version;
    std::printf("%s\n", write_json(object).c_str());
  }
  return kExitDone;
}

}  // namespace

void add_put_command(CLI::App& program, Context& context, int& exit_code) {
  auto arguments = std::make_shared<PutArguments>();
  CLI::App* command = program.add_subcommand("put", "Store a value under a key");
  command->fallthrough();
  add_argument(*command, "key", arguments->key, "The key, 1 to 512 bytes")->required();
  add_argument(*command, "value", arguments->value, "The value; \"-\" reads it from stdin");
  add_text(*command, "--path", arguments->path, "Read the value from this file");
  add_duration(*command,
               "--ttl",
               arguments->ttl,
               "Let the key expire this long from now: 500ms, 60s, 1h, 7d (default: never)");
  command->add_flag("--if-absent", arguments->if_absent, "Only if the key does not exist");
  add_number(*command,
             "--if-version",
             arguments->if_version,
             "Only if the entry still has this version, as \"kvctl inspect\" shows it");
  add_text(*command,
           "--metadata",
           arguments->metadata,
           "JSON to keep beside the value, at most 1024 bytes");
  command->add_flag("--sync",
                    arguments->sync,
                    "Answer when the value is on disk, so that it survives a loss of power");
  command->callback([arguments, &context, &exit_code] { exit_code = put(context, *arguments); });
}

}  // namespace edged::kvctl
