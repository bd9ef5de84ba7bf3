// SPDX-License-Identifier: Apache-2.0
// edged-bench-echo: what Asio alone costs. For every N bytes that arrive on a connection it sends M
// bytes back: as many as a node's request and response have. One thread, no protocol, no store.
//   edged-bench-echo --request-bytes N --response-bytes M    prints the address it listens on
#include <CLI/CLI.hpp>
#include <array>
#include <boost/asio.hpp>
#include <cstdio>
#include <memory>
#include <string>

namespace edged::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

struct Sizes {
  std::size_t request = 44, response = 124;
};

class Echo : public std::enable_shared_from_this<Echo> {
 public:
  Echo(tcp::socket socket, const Sizes& sizes) : socket_(std::move(socket)), sizes_(sizes) {}

  void read() {
    socket_.async_read_some(asio::buffer(in_),
                            [self = shared_from_this()](auto error, std::size_t count) {
                              if (!error) self->answer(count);
                            });
  }

 private:
  void answer(std::size_t count) {
    arrived_ += count;
    const std::size_t requests = arrived_ / sizes_.request;
    arrived_ %= sizes_.request;
    if (requests == 0) {
      read();
      return;
    }
    out_.resize(requests * sizes_.response, 'x');
    asio::async_write(socket_,
                      asio::buffer(out_),
                      [self = shared_from_this()](auto error, std::size_t /*count*/) {
                        if (!error) self->read();
                      });
  }

  tcp::socket socket_;
  const Sizes sizes_;
  std::array<char, 16 * 1024> in_{};
  std::string out_;
  std::size_t arrived_ = 0;
};

void accept(tcp::acceptor& acceptor, const Sizes& sizes) {
  acceptor.async_accept([&acceptor, &sizes](auto error, tcp::socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true));
      std::make_shared<Echo>(std::move(socket), sizes)->read();
    }
    accept(acceptor, sizes);
  });
}

int run(int argc, char** argv) {
  CLI::App app("Answers N bytes with M bytes");
  Sizes sizes;
  app.add_option("--request-bytes", sizes.request)->check(CLI::PositiveNumber);
  app.add_option("--response-bytes", sizes.response)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  asio::io_context io{1};
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  std::printf("127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  accept(acceptor, sizes);
  io.run();
  return 0;
}

}  // namespace
}  // namespace edged::bench

int main(int argc, char** argv) {
  return edged::bench::run(argc, argv);
}
