// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/unsubscribe_http.h"

#include <memory>
#include <optional>
#include <utility>

#include "proto/base/log.h"
#include "worker/mail/mime.h"
#include "worker/mail/unsubscribe.h"

namespace edged::mail {
namespace {

using boost::asio::awaitable;
using http::Request;
using http::Response;

// Holds nothing but itself: no scripts, no other addresses, no frames around it.
Response page(int status, const std::string& title, const std::string& inner) {
  Response response;
  response.status = status;
  response.content_type = "text/html; charset=utf-8";
  response.body =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<meta name=\"color-scheme\" content=\"light dark\"><meta name=\"robots\" "
      "content=\"noindex\"><title>";
  response.body.append(title).append(
      "</title><style>body{font:16px/1.5 sans-serif;max-width:32em;margin:3em auto;padding:0 1em}"
      "button{font:inherit;padding:.5em 1em}</style></head>\n<body>\n<h1>");
  response.body.append(title).append("</h1>\n").append(inner).append("</body>\n</html>\n");
  response.headers = {{"Cache-Control", "no-store"},
                      {"Referrer-Policy", "no-referrer"},
                      {"Content-Security-Policy",
                       "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
                       "frame-ancestors 'none'"}};
  return response;
}

std::optional<std::string> address_of(const Request& request, const std::string& secret) {
  const auto text = [&](const char* name) {
    const auto found = request.query.find(name);
    return found == request.query.end() ? std::string() : found->second;
  };
  return read_unsubscribe_link(secret, text("a"), text("s"));
}

Response not_valid() {
  return page(404,
              "This link is not valid",
              "<p>Maybe it was cut short. Copy the whole link out of the mail.</p>\n");
}

// The form has no action: it goes to the address of the page, signature and all.
Response ask(const std::string& address) {
  std::string inner("<p>Stop all mails to <b>");
  inner.append(html_escape(one_line(address, 254)));
  inner.append("</b>?</p>\n<form method=\"post\"><button>Unsubscribe</button></form>\n");
  return page(200, "Unsubscribe", inner);
}

awaitable<Response> act(std::shared_ptr<const UnsubscribeRoutes> routes, std::string address) {
  std::string copy = address;
  const Status done = co_await routes->suppress(std::move(copy));
  if (!done.ok()) {
    log::error("[MAIL] could not unsubscribe an address: " + done.message());
    co_return page(503, "That did not work", "<p>Please try again in a few minutes.</p>\n");
  }
  std::string inner("<p>No more mails go to <b>");
  inner.append(html_escape(one_line(address, 254))).append("</b>.</p>\n");
  co_return page(200, "You are unsubscribed", inner);
}

awaitable<Response> answer(std::shared_ptr<const UnsubscribeRoutes> routes,
                           Request request,
                           bool is_act) {
  const std::optional<std::string> address = address_of(request, routes->secret());
  if (!address) co_return not_valid();
  if (!is_act) co_return ask(*address);
  std::string copy = *address;
  Response response = co_await act(std::move(routes), std::move(copy));
  co_return response;
}

}  // namespace

void add_unsubscribe_routes(http::Server& server, UnsubscribeRoutes given) {
  const auto routes = std::make_shared<const UnsubscribeRoutes>(std::move(given));
  // Readers come from their webmail. The signature is what counts, whoever brings it.
  server.add_linked_path(kUnsubscribePath);
  server.route("GET", kUnsubscribePath, [routes](Request request) {
    return answer(routes, std::move(request), false);
  });
  server.route("POST", kUnsubscribePath, [routes](Request request) {
    return answer(routes, std::move(request), true);
  });
}

}  // namespace edged::mail
