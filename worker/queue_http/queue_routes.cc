// SPDX-License-Identifier: Apache-2.0
// See queue_routes.h.
#include "worker/queue_http/queue_routes.h"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "proto/http/bearer_secret.h"
#include "worker/queue/queue_admin.h"
#include "worker/queue/queue_directory.h"
#include "worker/queue/queue_peek.h"
#include "worker/queue/queue_pull.h"
#include "worker/queue_http/queue_answer.h"
#include "worker/queue_http/queue_json.h"

namespace edged::queue {
namespace {

namespace json = boost::json;
using boost::asio::awaitable;
using http::Request;
using http::Response;

constexpr const char* kPrefix = "/client/v4/accounts/";

Response no_route() {
  return error_answer(404, kCodeNoRoute, "there is no such route; see \"Over HTTP\" in queues.md");
}

Response wrong_method(std::string_view allowed) {
  std::string text = "this route knows ";
  text += allowed;
  text += " alone";
  Response response = error_answer(405, kCodeNoRoute, text);
  response.headers.emplace_back("Allow", std::string(allowed));
  return response;
}

// The segments of a path behind kPrefix: ACCOUNT, "queues", QUEUE, VERB, …
std::vector<std::string> segments_of(const std::string& path) {
  std::vector<std::string> segments;
  std::string_view rest = std::string_view(path).substr(std::string_view(kPrefix).size());
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    segments.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return segments;
}

class QueueApi : public std::enable_shared_from_this<QueueApi> {
 public:
  QueueApi(QueueRoutes routes, db::PgPool& pool, const Clock& clock)
      : routes_(std::move(routes)),
        directory_(pool),
        admin_(pool, clock),
        peek_(pool, clock),
        pull_(pool, clock) {}

  static awaitable<Response> serve(std::shared_ptr<QueueApi> self, Request request) {
    std::optional<Response> refused = self->refuse(request);
    if (refused) co_return std::move(*refused);
    std::vector<std::string> segments = segments_of(request.path);
    if (segments.size() < 2 || segments[1] != "queues") co_return no_route();
    Result<json::object> asked = parse_object(request.body);
    if (!asked) co_return error_answer(asked.error());
    Call call{request.method, std::move(request.query), std::move(*asked)};
    segments.erase(segments.begin(), segments.begin() + 2);
    if (segments.empty()) {
      Response response = co_await self->on_queues(std::move(call));
      co_return response;
    }
    Result<QueueInfo> queue = co_await self->directory_.find(segments[0]);
    if (!queue) co_return error_answer(queue.error());
    segments.erase(segments.begin());
    Response response =
        co_await self->on_queue(std::move(*queue), std::move(segments), std::move(call));
    co_return response;
  }

 private:
  struct Call {
    std::string method;
    std::map<std::string, std::string> query;
    json::object asked;
  };

  std::optional<Response> refuse(const Request& request) const {
    const std::string secret = routes_.secret();
    if (secret.empty()) {
      return error_answer(503,
                          kCodeUnauthorized,
                          "no secret is configured: set worker.queue_secret or "
                          "worker.queue_secret_file");
    }
    const auto header = request.headers.find("authorization");
    if (header != request.headers.end() && http::bearer_matches(header->second, secret)) {
      return std::nullopt;
    }
    Response response = error_answer(401,
                                     kCodeUnauthorized,
                                     "the header Authorization: Bearer SECRET is missing or "
                                     "wrong. SECRET is worker.queue_secret of the worker's "
                                     "configuration");
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
  }

  bool is_consumed(const QueueInfo& queue) const {
    return std::find(routes_.consumed.begin(), routes_.consumed.end(), queue.name) !=
           routes_.consumed.end();
  }

  awaitable<Response> on_queues(Call call) {
    if (call.method == "POST") {
      Response created = co_await create(std::move(call.asked));
      co_return created;
    }
    if (call.method != "GET" && call.method != "HEAD") co_return wrong_method("GET, POST");
    const Result<std::vector<QueueInfo>> queues = co_await directory_.list();
    if (!queues) co_return error_answer(queues.error());
    const auto wanted = call.query.find("name");
    json::array all;
    for (const QueueInfo& queue : *queues) {
      if (wanted != call.query.end() && wanted->second != queue.name) continue;
      all.push_back(describe_queue(queue));
    }
    co_return list_answer(std::move(all));
  }

  awaitable<Response> create(json::object asked) {
    const json::value* name = asked.if_contains("queue_name");
    if (name == nullptr || !name->is_string()) {
      co_return error_answer(400, kCodeInvalid, "\"queue_name\" is missing");
    }
    const std::string text(name->get_string());
    Result<QueueChange> change = parse_settings(asked);
    if (!change) co_return error_answer(change.error());
    const Status created = co_await directory_.create(text);
    if (!created.ok()) co_return error_answer(created);
    const Status configured = co_await directory_.configure(text, std::move(*change));
    if (!configured.ok()) co_return error_answer(configured);
    Response response = co_await tell(text);
    co_return response;
  }

  awaitable<Response> tell(std::string name) {
    const Result<QueueInfo> queue = co_await directory_.find(std::move(name));
    co_return queue ? result_answer(describe_queue(*queue)) : error_answer(queue.error());
  }

  awaitable<Response> on_queue(QueueInfo queue, std::vector<std::string> path, Call call) {
    if (path.empty()) {
      Response response = co_await on_itself(std::move(queue), std::move(call));
      co_return response;
    }
    if (path[0] == "messages" && path.size() <= 2) {
      if (call.method != "POST") co_return wrong_method("POST");
      const std::string verb = path.size() == 2 ? path[1] : "";
      Response response = co_await on_messages(std::move(queue), verb, std::move(call.asked));
      co_return response;
    }
    if (path[0] == "purge" && path.size() == 1) {
      Response response = co_await on_purge(std::move(queue), std::move(call));
      co_return response;
    }
    if (path[0] == "metrics" && path.size() == 1) {
      if (call.method != "GET" && call.method != "HEAD") co_return wrong_method("GET");
      Response response = co_await on_metrics(queue.id);
      co_return response;
    }
    if (path[0] == "consumers" && path.size() <= 2) {
      const std::string id = path.size() == 2 ? path[1] : "";
      Response response = co_await on_consumers(std::move(queue), id, std::move(call));
      co_return response;
    }
    co_return no_route();
  }

  awaitable<Response> on_itself(QueueInfo queue, Call call) {
    if (call.method == "GET" || call.method == "HEAD") {
      co_return result_answer(describe_queue(queue));
    }
    if (call.method == "PUT" || call.method == "PATCH") {
      const json::value* name = call.asked.if_contains("queue_name");
      if (name != nullptr && (!name->is_string() || name->get_string() != queue.name)) {
        co_return error_answer(400, kCodeInvalid, "a queue cannot be renamed");
      }
      Result<QueueChange> change = parse_settings(call.asked);
      if (!change) co_return error_answer(change.error());
      Response response = co_await change_queue(std::move(queue), std::move(*change));
      co_return response;
    }
    if (call.method != "DELETE") co_return wrong_method("GET, PUT, PATCH, DELETE");
    if (is_consumed(queue)) {
      co_return error_answer(409,
                             kCodeConsumerExists,
                             "queue \"" + queue.name +
                                 "\" is consumed by the worker. Take it out of its configuration "
                                 "first");
    }
    const Status removed = co_await directory_.remove(queue.id);
    co_return removed.ok() ? result_answer(nullptr) : error_answer(removed);
  }

  awaitable<Response> change_queue(QueueInfo queue, QueueChange change) {
    const Status changed = co_await directory_.configure(queue.name, std::move(change));
    if (!changed.ok()) co_return error_answer(changed);
    Response response = co_await tell(queue.name);
    co_return response;
  }

  awaitable<Response> on_messages(QueueInfo queue, std::string verb, json::object asked) {
    Response response = no_route();
    if (verb.empty() || verb == "batch") {
      response = co_await send(std::move(queue), verb == "batch", std::move(asked));
    } else if (verb == "pull") {
      response = co_await pull(std::move(queue), std::move(asked));
    } else if (verb == "ack") {
      response = co_await settle(std::move(queue), std::move(asked));
    } else if (verb == "peek") {
      response = co_await peek(queue.id, std::move(asked));
    } else if (verb == "purge") {
      response = co_await purge_some(queue.id, std::move(asked));
    }
    co_return response;
  }

  awaitable<Response> send(QueueInfo queue, bool is_batch, json::object asked) {
    Result<std::vector<OutgoingMessage>> messages = std::vector<OutgoingMessage>();
    if (is_batch) {
      messages = parse_batch(asked);
    } else {
      Result<OutgoingMessage> one = parse_message(asked);
      if (!one) co_return error_answer(one.error());
      messages->push_back(std::move(*one));
    }
    if (!messages) co_return error_answer(messages.error());
    const std::int64_t id = queue.id;
    const Status sent = co_await pull_.send(std::move(queue), std::move(*messages));
    if (!sent.ok()) co_return error_answer(sent);
    json::object result;
    // The messages are sent, whatever becomes of the count.
    const Result<QueueBacklog> backlog = co_await pull_.backlog(id);
    if (backlog) result["metadata"] = describe_metadata(*backlog);
    co_return result_answer(std::move(result));
  }

  awaitable<Response> pull(QueueInfo queue, json::object asked) {
    const Result<PullAsked> pull = parse_pull(asked);
    if (!pull) co_return error_answer(pull.error());
    const Result<Pulled> pulled =
        co_await pull_.pull(std::move(queue), pull->batch_size, pull->visibility_timeout);
    co_return pulled ? result_answer(describe_pulled(*pulled)) : error_answer(pulled.error());
  }

  awaitable<Response> settle(QueueInfo queue, json::object asked) {
    Result<SettleAsked> settle = parse_settle(asked);
    if (!settle) co_return error_answer(settle.error());
    const Result<Settled> settled = co_await pull_.settle(
        std::move(queue), std::move(settle->acks), std::move(settle->retries));
    co_return settled ? result_answer(describe_settled(*settled)) : error_answer(settled.error());
  }

  awaitable<Response> peek(std::int64_t queue_id, json::object asked) {
    const Result<int> count = parse_batch_size(asked);
    if (!count) co_return error_answer(count.error());
    const Result<std::vector<PeekedMessage>> peeked = co_await peek_.peek(queue_id, *count);
    co_return peeked ? result_answer(describe_peeked(*peeked)) : error_answer(peeked.error());
  }

  awaitable<Response> purge_some(std::int64_t queue_id, json::object asked) {
    Result<std::vector<std::string>> refs = parse_refs(asked);
    if (!refs) co_return error_answer(refs.error());
    const Result<std::vector<std::string>> missed =
        co_await peek_.purge(queue_id, std::move(*refs));
    co_return missed ? result_answer(describe_purged(*missed)) : error_answer(missed.error());
  }

  awaitable<Response> on_metrics(std::int64_t queue_id) {
    const Result<QueueBacklog> backlog = co_await directory_.backlog(queue_id);
    co_return backlog ? result_answer(describe_metrics(*backlog)) : error_answer(backlog.error());
  }

  awaitable<Response> on_purge(QueueInfo queue, Call call) {
    if (call.method == "GET" || call.method == "HEAD") {
      // A purge is over when its request is answered.
      co_return result_answer(json::object{{"completed", "true"}, {"started_at", nullptr}});
    }
    if (call.method != "POST") co_return wrong_method("GET, POST");
    const json::value* sure = call.asked.if_contains("delete_messages_permanently");
    if (sure == nullptr || !sure->is_bool() || !sure->get_bool()) {
      co_return error_answer(400, kCodeInvalid, "\"delete_messages_permanently\" is not true");
    }
    const Result<std::int64_t> purged = co_await admin_.purge(queue.name, false);
    co_return purged ? result_answer(describe_queue(queue)) : error_answer(purged.error());
  }

  awaitable<Response> on_consumers(QueueInfo queue, std::string id, Call call) {
    const bool reads = call.method == "GET" || call.method == "HEAD";
    if (id.empty() && reads) {
      json::array all;
      if (queue.is_pulled) all.push_back(describe_consumer(queue));
      co_return list_answer(std::move(all));
    }
    if (id.empty()) {
      if (call.method != "POST") co_return wrong_method("GET, POST");
      if (queue.is_pulled || is_consumed(queue)) {
        co_return error_answer(
            409, kCodeConsumerExists, "queue \"" + queue.name + "\" has a consumer already");
      }
      Response response = co_await set_consumer(std::move(queue), std::move(call.asked));
      co_return response;
    }
    if (!queue.is_pulled || id != queue_id_text(queue.id)) {
      co_return error_answer(404, kCodeNoRoute, "there is no such consumer");
    }
    if (reads) co_return result_answer(describe_consumer(queue));
    if (call.method == "PUT") {
      Response response = co_await set_consumer(std::move(queue), std::move(call.asked));
      co_return response;
    }
    if (call.method != "DELETE") co_return wrong_method("GET, PUT, DELETE");
    QueueChange change;
    change.is_pulled = false;
    const Status changed = co_await directory_.configure(queue.name, std::move(change));
    co_return changed.ok() ? result_answer(nullptr) : error_answer(changed);
  }

  awaitable<Response> set_consumer(QueueInfo queue, json::object asked) {
    Result<ConsumerAsked> consumer = parse_consumer(asked);
    if (!consumer) co_return error_answer(consumer.error());
    if (consumer->type != "http_pull") {
      co_return error_answer(
          400, kCodeInvalid, "\"type\" is not \"http_pull\": edged runs no Workers");
    }
    const std::string dead = consumer->change.dead_letter_queue.value_or("");
    if (!dead.empty()) {
      QueueChange nothing;
      const Status created = co_await directory_.configure(dead, std::move(nothing));
      if (!created.ok()) co_return error_answer(created);
    }
    consumer->change.is_pulled = true;
    const Status changed = co_await directory_.configure(queue.name, std::move(consumer->change));
    if (!changed.ok()) co_return error_answer(changed);
    const Result<QueueInfo> now = co_await directory_.find(queue.name);
    co_return now ? result_answer(describe_consumer(*now)) : error_answer(now.error());
  }

  const QueueRoutes routes_;
  QueueDirectory directory_;
  QueueAdmin admin_;
  QueuePeek peek_;
  QueuePull pull_;
};

}  // namespace

void add_queue_routes(http::Server& server,
                      QueueRoutes routes,
                      db::PgPool& pool,
                      const Clock& clock) {
  const auto api = std::make_shared<QueueApi>(std::move(routes), pool, clock);
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    server.route(method, kPrefix, [api](Request request) {
      return QueueApi::serve(api, std::move(request));
    });
  }
}

}  // namespace edged::queue
