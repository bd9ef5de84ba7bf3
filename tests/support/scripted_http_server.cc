// SPDX-License-Identifier: Apache-2.0
// The scripted server: one coroutine per connection on one thread; see scripted_http_server.h.
#include "tests/support/scripted_http_server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio.hpp>
#include <cstdlib>
#include <thread>

namespace edged::test {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

struct ScriptedHttpServer::State {
  explicit State(Script function)
      : script(std::move(function)),
        acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        port(acceptor.local_endpoint().port()) {}

  Script script;
  asio::io_context io{1};
  tcp::acceptor acceptor;
  const std::uint16_t port;
  std::atomic<std::size_t> requests{0}, connections{0}, in_flight{0}, in_flight_max{0};
  std::thread thread;
};

namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  });
  return text;
}

std::string render(const ScriptedAnswer& answer) {
  std::string out = "HTTP/1.1 " + std::to_string(answer.status) + " Scripted\r\n";
  for (const auto& [name, value] : answer.headers) out += name + ": " + value + "\r\n";
  if (!answer.chunked) {
    out += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n\r\n";
    const bool cut = answer.fault == ScriptedAnswer::Fault::kCut;
    return out + answer.body.substr(0, cut ? answer.body.size() / 2 : std::string::npos);
  }
  out += "Transfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < answer.body.size(); at += 10) {
    const std::string piece = answer.body.substr(at, 10);
    out += (piece.size() == 10 ? "a" : std::to_string(piece.size())) + "\r\n" + piece + "\r\n";
  }
  return answer.fault == ScriptedAnswer::Fault::kCut ? out : out + "0\r\n\r\n";
}

// Splits the head and waits for the body; false when the connection ended.
asio::awaitable<bool> read_request(tcp::socket& socket,
                                   std::string& buffer,
                                   ScriptedRequest& request) {
  error_code error;
  const std::size_t head_bytes =
      co_await asio::async_read_until(socket,
                                      asio::dynamic_buffer(buffer),
                                      "\r\n\r\n",
                                      asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return false;
  request.head = buffer.substr(0, head_bytes);
  buffer.erase(0, head_bytes);
  const std::size_t space = request.head.find(' ');
  request.method = request.head.substr(0, space);
  request.target = request.head.substr(space + 1, request.head.find(' ', space + 1) - space - 1);
  const std::size_t body_bytes =
      static_cast<std::size_t>(std::atol(request.header("content-length").c_str()));
  if (buffer.size() < body_bytes) {
    co_await asio::async_read(socket,
                              asio::dynamic_buffer(buffer),
                              asio::transfer_exactly(body_bytes - buffer.size()),
                              asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return false;
  }
  request.body = buffer.substr(0, body_bytes);
  buffer.erase(0, body_bytes);
  co_return true;
}

// Sends what the script wants; false when the connection is to be closed.
asio::awaitable<bool> send_answer(tcp::socket& socket, ScriptedAnswer answer) {
  error_code error;
  if (answer.delay.count() > 0) {
    asio::steady_timer timer(socket.get_executor(), answer.delay);
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
  using Fault = ScriptedAnswer::Fault;
  if (answer.fault == Fault::kClose) co_return false;
  if (answer.fault == Fault::kNeverAnswer) {
    char byte = 0;
    co_await socket.async_read_some(asio::buffer(&byte, 1),
                                    asio::redirect_error(asio::use_awaitable, error));
    co_return false;
  }
  const std::string bytes = answer.fault == Fault::kGarbage
                                ? std::string("\x16\x03\x01 rubbish\r\n\r\n")
                                : render(answer);
  co_await asio::async_write(
      socket, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
  co_return !error && answer.fault == Fault::kNone;
}

template <typename State>
asio::awaitable<void> serve_connection(tcp::socket socket, State* state) {
  std::string buffer;
  while (true) {
    ScriptedRequest request;
    const bool read = co_await read_request(socket, buffer, request);
    if (!read) co_return;
    request.number = state->requests.fetch_add(1);
    const std::size_t now = ++state->in_flight;
    state->in_flight_max = std::max(state->in_flight_max.load(), now);
    ScriptedAnswer answer = state->script(request);
    asio::steady_timer pause(socket.get_executor());
    for (int i = 0; i < 6000 && state->in_flight_max < answer.held_until_in_flight; ++i) {
      error_code ignored;
      pause.expires_after(std::chrono::milliseconds(10));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    const bool keep = co_await send_answer(socket, std::move(answer));
    --state->in_flight;
    if (!keep) co_return;
  }
}

template <typename State>
asio::awaitable<void> accept_connections(State* state) {
  while (true) {
    error_code error;
    tcp::socket socket =
        co_await state->acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    ++state->connections;
    asio::co_spawn(state->io, serve_connection(std::move(socket), state), asio::detached);
  }
}

}  // namespace

std::string ScriptedRequest::header(const std::string& name) const {
  const std::string wanted = "\r\n" + lower(name) + ": ";
  const std::size_t found = lower(head).find(wanted);
  if (found == std::string::npos) return {};
  const std::size_t start = found + wanted.size();
  return head.substr(start, head.find("\r\n", start) - start);
}

ScriptedHttpServer::ScriptedHttpServer(Script script)
    : state_(std::make_shared<State>(std::move(script))) {
  asio::co_spawn(state_->io, accept_connections(state_.get()), asio::detached);
  state_->thread = std::thread([state = state_.get()] { state->io.run(); });
}

ScriptedHttpServer::~ScriptedHttpServer() {
  state_->io.stop();
  state_->thread.join();
}

std::string ScriptedHttpServer::url() const {
  return "http://127.0.0.1:" + std::to_string(state_->port);
}

std::size_t ScriptedHttpServer::requests() const {
  return state_->requests;
}
std::size_t ScriptedHttpServer::connections() const {
  return state_->connections;
}
std::size_t ScriptedHttpServer::in_flight_max() const {
  return state_->in_flight_max;
}

}  // namespace edged::test
