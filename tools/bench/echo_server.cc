// SPDX-License-Identifier: Apache-2.0
// edged-bench-echo: what Asio alone costs. A request begins with how many bytes it has and how many
// it wants back (u32 each, little-endian); the answer begins with its own size (u32) and says
// nothing else. What arrived together is answered together. One thread, no protocol, no store.
//   edged-bench-echo [--unix PATH]    prints the TCP address it listens on
#include <CLI/CLI.hpp>
#include <boost/asio.hpp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace edged::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using unix_stream = asio::local::stream_protocol;

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kMessageBytesMax = 2 << 20;
constexpr std::size_t kSizesBytes = 8;

template <class Socket>
class Echo : public std::enable_shared_from_this<Echo<Socket>> {
 public:
  explicit Echo(Socket socket) : socket_(std::move(socket)), in_(kReadBytes) {}

  void read() {
    if (in_.size() - end_ < kReadBytes) in_.resize(in_.size() * 2);
    socket_.async_read_some(asio::buffer(in_.data() + end_, in_.size() - end_),
                            [self = this->shared_from_this()](auto error, std::size_t count) {
                              if (!error) self->answer(count);
                            });
  }

 private:
  // The connection ends with its last handler if the sizes make no sense.
  void answer(std::size_t count) {
    end_ += count;
    out_.clear();
    std::size_t at = 0;
    while (end_ - at >= kSizesBytes) {
      std::uint32_t sizes[2];
      std::memcpy(sizes, in_.data() + at, sizeof sizes);
      if (sizes[0] < kSizesBytes || sizes[0] > kMessageBytesMax || sizes[1] < sizeof sizes[1] ||
          sizes[1] > kMessageBytesMax) {
        return;
      }
      if (end_ - at < sizes[0]) break;
      at += sizes[0];
      const std::size_t start = out_.size();
      out_.resize(start + sizes[1], 'x');
      std::memcpy(out_.data() + start, &sizes[1], sizeof sizes[1]);
    }
    if (at > 0) std::memmove(in_.data(), in_.data() + at, end_ - at);
    end_ -= at;
    if (out_.empty()) {
      read();
      return;
    }
    asio::async_write(socket_,
                      asio::buffer(out_),
                      [self = this->shared_from_this()](auto error, std::size_t /*count*/) {
                        if (!error) self->read();
                      });
  }

  Socket socket_;
  std::vector<char> in_;
  std::size_t end_ = 0;  // of what arrived in in_
  std::string out_;
};

void set_up(tcp::socket& socket) {
  socket.set_option(tcp::no_delay(true));
}
void set_up(unix_stream::socket& /*socket*/) {}

template <class Acceptor>
void accept(Acceptor& acceptor) {
  acceptor.async_accept([&acceptor](auto error, auto socket) {
    if (!error) {
      set_up(socket);
      std::make_shared<Echo<decltype(socket)>>(std::move(socket))->read();
    }
    accept(acceptor);
  });
}

int run(int argc, char** argv) {
  CLI::App app("Answers requests with as many bytes as they ask for");
  std::string path;
  app.add_option("--unix", path, "Listen on this path too");
  CLI11_PARSE(app, argc, argv);
  asio::io_context io{1};
  tcp::acceptor on_tcp(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  unix_stream::acceptor on_unix(io);
  if (!path.empty()) {
    on_unix = unix_stream::acceptor(io, unix_stream::endpoint(path));
    accept(on_unix);
  }
  std::printf("127.0.0.1:%d\n", on_tcp.local_endpoint().port());
  std::fflush(stdout);
  accept(on_tcp);
  io.run();
  return 0;
}

}  // namespace
}  // namespace edged::bench

int main(int argc, char** argv) {
  return edged::bench::run(argc, argv);
}
