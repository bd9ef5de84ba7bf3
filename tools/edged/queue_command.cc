// SPDX-License-Identifier: Apache-2.0
// edged queue: queues by hand. docs/queues.md, "Operating".
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/log.h"
#include "proto/base/numbers.h"
#include "proto/json/write_json.h"
#include "proto/net/spawn.h"
#include "tools/edged/commands.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"
#include "tools/edged/postgres_options.h"
#include "tools/edged/queue_print.h"
#include "tools/edged/strict_options.h"
#include "worker/db/schema_check.h"
#include "worker/queue/queue_admin.h"

namespace edged {
namespace {

using boost::asio::awaitable;

struct QueueArguments {
  Flags flags;
  std::string queue;
  std::string body;
  std::string unique_key;
  std::optional<std::chrono::milliseconds> delay, retention;
  std::vector<std::string> ids;
  int limit = 20;
  bool json = false, yes = false, dead = false, text = false, all = false;
};

using Action = std::function<awaitable<Result<int>>(queue::QueueAdmin&, const QueueArguments&)>;

awaitable<Result<int>> run_on(db::PgPool* pool,
                              const Clock* clock,
                              const Action* action,
                              const QueueArguments* arguments) {
  db::DatabaseUse use;
  use.permanent_slot = false;
  use.queue = true;
  const Result<db::DatabaseFindings> database = co_await db::check_database(*pool, use);
  if (!database) co_return database.error();
  queue::QueueAdmin admin(*pool, *clock);
  Result<int> code = co_await (*action)(admin, *arguments);
  co_return code;
}

int run_queue(const std::string& verb, const QueueArguments& arguments, const Action& action) {
  const std::string name = "queue " + verb;
  const auto config = load_or_report(arguments.flags, name, config::Scope::kQueue);
  if (!config) return kExitUsage;
  boost::asio::io_context io(1);
  MetricsRegistry metrics;
  SystemClock clock;
  db::PgPoolOptions options = pool_options(*config, "edged queue");
  options.size = 1;
  db::PgPool pool(io.get_executor(), std::move(options), metrics);
  const Result<int> code = net::run_until_done(io, run_on(&pool, &clock, &action, &arguments));
  if (code) return *code;
  log::print("edged " + name + ": " + code.error().message());
  return exit_code_of(code.error().code());
}

awaitable<Result<int>> list(queue::QueueAdmin& admin, const QueueArguments& arguments) {
  std::optional<std::string> name;
  if (!arguments.queue.empty()) name = arguments.queue;
  const auto rows = co_await admin.list(std::move(name));
  if (!rows) co_return rows.error();
  print_queues(*rows, arguments.json);
  co_return kExitDone;
}

std::chrono::seconds whole_seconds(std::chrono::milliseconds time) {
  return std::chrono::ceil<std::chrono::seconds>(time);
}

awaitable<Result<int>> create(queue::QueueAdmin& admin, const QueueArguments& arguments) {
  queue::QueueChange change;
  if (arguments.delay) change.delivery_delay = whole_seconds(*arguments.delay);
  if (arguments.retention) change.message_retention = whole_seconds(*arguments.retention);
  const Status made = co_await admin.create(arguments.queue, std::move(change));
  if (!made.ok()) co_return made;
  print_done(
      "queue \"" + arguments.queue + "\" exists", {{"queue", arguments.queue}}, arguments.json);
  co_return kExitDone;
}

awaitable<Result<int>> peek(queue::QueueAdmin& admin, const QueueArguments& arguments) {
  const auto rows = co_await admin.peek(arguments.queue, arguments.limit);
  if (!rows) co_return rows.error();
  print_messages(*rows, arguments.json);
  co_return kExitDone;
}

awaitable<Result<int>> dead(queue::QueueAdmin& admin, const QueueArguments& arguments) {
  const auto rows = co_await admin.dead(arguments.queue, arguments.limit);
  if (!rows) co_return rows.error();
  print_dead(*rows, arguments.json);
  co_return kExitDone;
}

// The body as it was given, or from stdin.
Result<queue::OutgoingMessage> message_of(const QueueArguments& arguments) {
  queue::OutgoingMessage message;
  message.delay = arguments.delay;
  message.body = arguments.body;
  if (message.body == "-") {
    message.body.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  }
  if (arguments.text) {
    message.body = write_json_string(message.body);
    message.content_type = "text";
    return message;
  }
  boost::system::error_code error;
  boost::json::parse(message.body, error);
  if (!error) return message;
  return Status(Code::kInvalidArgument,
                "the message is not JSON. To send it as a text, add --text");
}

awaitable<Result<int>> send(queue::QueueAdmin& admin, const QueueArguments& arguments) {
  Result<queue::OutgoingMessage> message = message_of(arguments);
  if (!message) co_return message.error();
  std::optional<std::string> key;
  if (!arguments.unique_key.empty()) key = arguments.unique_key;
  const auto id = co_await admin.send(arguments.queue, *std::move(message), std::move(key));
  if (!id) co_return id.error();
  boost::json::object object{{"id", nullptr}};
  if (*id) object["id"] = **id;
  print_done(*id ? "sent as message " + **id
                 : "not sent: a live message has the unique key \"" + arguments.unique_key + "\"",
             object,
             arguments.json);
  co_return kExitDone;
}

awaitable<Result<int>> set_paused(queue::QueueAdmin* admin,
                                  const QueueArguments* arguments,
                                  bool paused) {
  const Status status = co_await admin->set_paused(arguments->queue, paused);
  if (!status.ok()) co_return status;
  print_done("queue \"" + arguments->queue + (paused ? "\" is paused" : "\" is not paused"),
             {{"queue", arguments->queue}, {"paused", paused}},
             arguments->json);
  co_return kExitDone;
}

awaitable<Result<int>> pause(queue::QueueAdmin& admin, const QueueArguments& arguments) {
  return set_paused(&admin, &arguments, true);
}

awaitable<Result<int>> resume(queue::QueueAdmin& admin, const QueueArguments& arguments) {
  return set_paused(&admin, &arguments, false);
}

awaitable<Result<int>> purge(queue::QueueAdmin& admin, const QueueArguments& arguments) {
  if (!arguments.yes) {
    co_return Status(Code::kInvalidArgument,
                     "nothing was done: add --yes to delete the messages of queue \"" +
                         arguments.queue + "\" for ever");
  }
  const auto count = co_await admin.purge(arguments.queue, arguments.dead);
  if (!count) co_return count.error();
  print_done(
      "deleted " + std::to_string(*count) + " messages", {{"deleted", *count}}, arguments.json);
  co_return kExitDone;
}

awaitable<Result<int>> replay(queue::QueueAdmin& admin, const QueueArguments& arguments) {
  std::vector<std::int64_t> ids;
  for (const std::string& text : arguments.ids) {
    const auto id = parse_int64(text);
    if (!id) co_return Status(Code::kInvalidArgument, "\"" + text + "\" is not a message's id");
    ids.push_back(*id);
  }
  if (ids.empty() == !arguments.all) {
    co_return Status(Code::kInvalidArgument,
                     "name the ids of dead messages, as \"edged queue dead " + arguments.queue +
                         "\" shows them, or pass --all");
  }
  const auto count = co_await admin.replay(arguments.queue, std::move(ids));
  if (!count) co_return count.error();
  print_done(
      "replayed " + std::to_string(*count) + " messages", {{"replayed", *count}}, arguments.json);
  const bool missed = !arguments.all && *count < static_cast<std::int64_t>(arguments.ids.size());
  co_return missed ? kExitNotFound : kExitDone;
}

struct Verb {
  CLI::App* command;
  std::shared_ptr<QueueArguments> arguments;
};

Verb add_verb(CLI::App& group,
              int& exit_code,
              const std::string& name,
              const std::string& description,
              const Action& action,
              bool needs_queue = true) {
  auto arguments = std::make_shared<QueueArguments>();
  CLI::App* command = group.add_subcommand(name, description);
  CLI::Option* queue = add_text(*command, "queue", arguments->queue, "The queue's name");
  if (needs_queue) queue->required();
  command->add_flag("--json", arguments->json, "Print the result as one JSON object");
  add_file_flags(*command, arguments->flags);
  command->callback(
      [arguments, &exit_code, name, action] { exit_code = run_queue(name, *arguments, action); });
  return {command, arguments};
}

void add_limit(const Verb& verb) {
  add_number(*verb.command,
             "--limit",
             verb.arguments->limit,
             "Print at most this number of messages (default 20)",
             {1, 10'000});
}

void add_create(CLI::App& group, int& exit_code) {
  const Verb verb = add_verb(group,
                             exit_code,
                             "create",
                             "Create a queue, or set what the flags name if it exists",
                             create);
  add_duration(*verb.command,
               "--delivery-delay",
               verb.arguments->delay,
               "Deliver messages that are sent without a delay after this time, at most 1d",
               DurationMin::kZero);
  add_duration(*verb.command,
               "--retention",
               verb.arguments->retention,
               "Delete messages that nobody took after this time, 1m to 14d (default 4d)");
}

void add_send(CLI::App& group, int& exit_code) {
  const Verb verb = add_verb(group, exit_code, "send", "Send a message, and print its id", send);
  add_argument(*verb.command, "body", verb.arguments->body, "The message: JSON, or \"-\" for stdin")
      ->required();
  verb.command->add_flag("--text", verb.arguments->text, "The message is a text, not JSON");
  add_duration(*verb.command,
               "--delay",
               verb.arguments->delay,
               "Deliver it after this time, at most 30d (default: the queue's delivery delay)",
               DurationMin::kZero);
  add_text(*verb.command,
           "--unique-key",
           verb.arguments->unique_key,
           "Send nothing if a message of the queue that has this key is still to be delivered")
      ->type_name("KEY");
}

}  // namespace

void add_queue_command(CLI::App& program, int& exit_code) {
  CLI::App* group =
      program.add_subcommand("queue", "Look into queues, and send, pause, purge or replay");
  group->require_subcommand(1);
  add_verb(
      *group, exit_code, "list", "Print the queues with their numbers of messages", list, false);
  add_create(*group, exit_code);
  add_limit(add_verb(*group, exit_code, "peek", "Print messages without consuming them", peek));
  add_send(*group, exit_code);
  add_verb(*group, exit_code, "pause", "Deliver no more messages, until resume", pause);
  add_verb(*group, exit_code, "resume", "Deliver messages again", resume);
  const Verb purged =
      add_verb(*group, exit_code, "purge", "Delete the messages that wait or are delayed", purge);
  purged.command->add_flag("-y,--yes", purged.arguments->yes, "Do it");
  purged.command->add_flag("--dead", purged.arguments->dead, "Delete the dead messages instead");
  add_limit(add_verb(*group, exit_code, "dead", "Print dead messages, the newest first", dead));
  const Verb replayed =
      add_verb(*group, exit_code, "replay", "Send dead messages again, as new ones", replay);
  add_texts(*replayed.command, "ids", replayed.arguments->ids, "Ids of dead messages");
  replayed.command->add_flag("--all", replayed.arguments->all, "All dead messages of the queue");
}

}  // namespace edged
