// SPDX-License-Identifier: Apache-2.0
// See linear_client.h.
#include "tests/soak/linear_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace edged::soak {
namespace {

constexpr std::string_view kTitle = "linear";

bool receive_exactly(int socket, char* data, std::size_t bytes) {
  return ::recv(socket, data, bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes);
}

wire::Opcode opcode_of(LinearKind kind) {
  switch (kind) {
    case LinearKind::kGet:
      return wire::Opcode::kGet;
    case LinearKind::kPut:
      return wire::Opcode::kPut;
    case LinearKind::kPutIfAbsent:
      return wire::Opcode::kPutIfAbsent;
    case LinearKind::kPutIfPresent:
      return wire::Opcode::kPutIfPresent;
    case LinearKind::kPutIfVersion:
      return wire::Opcode::kPutIfVersion;
    case LinearKind::kDelete:
      return wire::Opcode::kDelete;
    case LinearKind::kDeleteIfVersion:
      return wire::Opcode::kDeleteIfVersion;
  }
  return wire::Opcode::kPing;
}

// Answers that say that nothing was done and nothing was looked at.
bool says_nothing(Code code) {
  return code == Code::kBusy || code == Code::kUnavailable;
}

}  // namespace

std::int64_t linear_now() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

Result<LinearLink> LinearLink::open(const std::string& path) {
  const Status failed(Code::kUnavailable, "could not connect to \"" + path + "\"");
  sockaddr_un peer{};
  peer.sun_family = AF_UNIX;
  if (path.size() >= sizeof peer.sun_path) return failed;
  std::memcpy(peer.sun_path, path.data(), path.size());
  LinearLink link(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{30, 0};
  ::setsockopt(link.socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(link.socket_, reinterpret_cast<sockaddr*>(&peer), sizeof peer) != 0) return failed;
  if (!link.greet()) return failed;
  return link;
}

LinearLink::LinearLink(LinearLink&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      ns_(other.ns_),
      last_id_(other.last_id_),
      reader_(std::move(other.reader_)) {}

LinearLink::~LinearLink() {
  if (socket_ >= 0) ::close(socket_);
}

// Hello, and the namespace: created by whoever comes first.
bool LinearLink::greet() {
  std::string hello;
  wire::append_hello({}, hello);
  char answer[wire::kHelloBytes];
  if (!send(hello) || !receive_exactly(socket_, answer, sizeof answer)) return false;
  wire::Request create;
  create.opcode = wire::Opcode::kNamespaceCreate;
  create.fields.title = kTitle;
  const auto created = ask(create, false);
  wire::Request open;
  open.opcode = wire::Opcode::kOpen;
  open.key = kTitle;
  const auto opened = ask(open, false);
  return created && opened && opened->code == Code::kOk && ns_ != 0;
}

bool LinearLink::send(const std::string& bytes) {
  return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(bytes.size());
}

std::optional<LinearLink::Reply> LinearLink::ask(wire::Request request, bool cut) {
  request.id = ++last_id_;
  request.ns = ns_;
  std::string frame;
  wire::append_request(request, frame);
  if (!send(frame)) return std::nullopt;
  if (cut) {
    ::shutdown(socket_, SHUT_RDWR);
    return std::nullopt;
  }
  return receive(request.id);
}

std::optional<LinearLink::Reply> LinearLink::receive(std::uint32_t id) {
  for (;;) {
    const auto event = reader_.next();
    if (event == wire::FrameReader::Event::kNeedMore) {
      const auto space = reader_.prepare();
      const ssize_t got = ::recv(socket_, space.data(), space.size(), 0);
      if (got <= 0) return std::nullopt;
      reader_.commit(static_cast<std::size_t>(got));
      continue;
    }
    if (event != wire::FrameReader::Event::kFrame) return std::nullopt;
    if (reader_.frame().header.kind == wire::Kind::kPush) continue;
    const auto response = wire::decode_response(reader_.frame());
    if (!response || response->id != id) return std::nullopt;
    if (response->opcode == wire::Opcode::kOpen) ns_ = response->fields.ns.value_or(0);
    return Reply{
        response->status, response->fields.version.value_or(0), std::string(response->value)};
  }
}

void LinearClient::run(LinearProgress& progress) {
  while (!progress.stop.load()) {
    auto link = LinearLink::open(options_.path);
    if (!link) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    broken_ = false;
    while (!broken_ && !progress.stop.load()) {
      ask(*link, pick(options_.keys.size()));
      progress.operations.fetch_add(1);
    }
  }
}

LinearOp LinearClient::choose(std::size_t key) {
  LinearOp op;
  const std::uint64_t percent = pick(100);
  op.kind = percent < 30   ? LinearKind::kGet
            : percent < 45 ? LinearKind::kPut
            : percent < 57 ? LinearKind::kPutIfAbsent
            : percent < 63 ? LinearKind::kPutIfPresent
            : percent < 80 ? LinearKind::kPutIfVersion
            : percent < 88 ? LinearKind::kDelete
                           : LinearKind::kDeleteIfVersion;
  const bool conditional =
      op.kind == LinearKind::kPutIfVersion || op.kind == LinearKind::kDeleteIfVersion;
  // Version 1 is one that nothing here has: the namespace was made before.
  if (conditional) op.if_version = versions_[key] != 0 ? versions_[key] : 1;
  if (is_put(op.kind)) op.value = ++last_value_ << 16 | options_.client;
  return op;
}

void LinearClient::ask(LinearLink& link, std::size_t key) {
  LinearOp op = choose(key);
  const std::string value = op.value != 0 ? std::to_string(op.value) : "";
  wire::Request request;
  request.opcode = opcode_of(op.kind);
  request.key = options_.keys[key];
  request.value = value;
  if (op.if_version != 0) request.fields.if_version = op.if_version;
  if (op.kind == LinearKind::kGet) {
    request.flags = wire::kFlagInfo;
  } else if (pick(10) == 0) {
    request.flags = wire::kFlagSync;
  }
  const bool cut = pick(options_.cut_one_in) == 0;
  op.invoked = linear_now();
  const auto reply = link.ask(request, cut);
  op.returned = reply ? linear_now() : kNever;
  broken_ = !reply;
  if (reply && says_nothing(reply->code)) return;
  if (reply) {
    op.answered = true;
    op.code = reply->code;
    op.version = reply->version;
    if (op.kind == LinearKind::kGet && op.code == Code::kOk) {
      op.value_read = std::strtoull(reply->value.c_str(), nullptr, 10);
    }
    if (op.version != 0) versions_[key] = op.version;
  }
  histories_[key].push_back(op);
}

}  // namespace edged::soak
