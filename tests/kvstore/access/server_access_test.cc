// SPDX-License-Identifier: Apache-2.0
// Tokens on the binary face: a server, sockets, and clients with and without a right to be there.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "kvstore/access/token_file.h"
#include "kvstore/access/token_json.h"
#include "kvstore/server/server.h"
#include "proto/net/blocking_client.h"
#include "proto/net/peer.h"
#include "proto/wire/operation_table.h"
#include "tests/kvstore/raw_client.h"
#include "tests/support/memory_store.h"
#include "tests/support/temp_dir.h"

namespace edged::server {
namespace {

using access::Scope;
using test::RawClient;
using wire::Opcode;

// A client and its answers in text.
class Peer {
 public:
  explicit Peer(const std::string& address) : client_(address) {}

  struct Answer {
    Code status = Code::kOk;
    std::string message, value, scope;
  };
  Answer ask(wire::Request request) {
    request.id = ++id_;
    Answer answer;
    answer.status = Code::kUnavailable;
    if (!client_.send(request)) return answer;
    const RawClient::Reply reply = client_.reply();
    if (reply.header.id != id_) return answer;
    const auto response = wire::decode_response({reply.header, reply.body});
    EXPECT_TRUE(response.has_value());
    answer.status = response->status;
    answer.message = response->fields.message.value_or("");
    answer.scope = response->fields.scope.value_or("");
    answer.value = response->value;
    return answer;
  }
  Answer ask(Opcode opcode, std::string_view key = "", std::string_view value = "") {
    wire::Request request;
    request.opcode = opcode;
    const wire::OperationShape* shape = wire::find_operation(opcode);
    request.ns = shape != nullptr && shape->ns == wire::OperationShape::Namespace::kNone ? 0 : 1;
    request.key = key;
    request.value = value;
    return ask(request);
  }
  Answer auth(std::string_view secret) {
    wire::Request request;
    request.opcode = Opcode::kAuth;
    request.fields.credential = secret;
    return ask(request);
  }
  bool ended() { return client_.ended(); }

 private:
  RawClient client_;
  std::uint32_t id_ = 0;
};

class ServerAccessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(store_.create_namespace("first", std::string(32, 'a')));
    ASSERT_TRUE(store_.create_namespace("second", std::string(32, 'b')));
    table_ = *access::AccessTable::open({access::token_file_in(dir_.path())}, clock_);
    ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.unix_path = dir_.path() + "/kv.sock";
    options.io_threads = 2;
    options.access = table_.get();
    server_ = std::make_unique<Server>(options, store_, clock_, registry_);
    ASSERT_TRUE(server_->start().ok());
    address_ = server_->addresses().front();
  }
  access::NewToken token(const std::string& name, access::Scopes scopes) {
    access::Grant grant;
    grant.name = name;
    grant.scopes = scopes;
    return *table_->create(grant);
  }

  SystemClock clock_;
  test::TempDir dir_;
  MetricsRegistry registry_;
  test::MemoryStore store_{clock_};
  std::unique_ptr<access::AccessTable> table_;
  std::unique_ptr<Server> server_;
  std::string address_;
};

TEST_F(ServerAccessTest, WithATokenInTheTableOnlyPingAndAuthAreAnswered) {
  Peer before(address_);
  EXPECT_EQ(before.ask(Opcode::kPut, "k", "v").status, Code::kOk) << "open until then";
  const access::NewToken made = token("a", {Scope::kRead, Scope::kList});
  Peer after(address_);
  for (Peer* peer : {&before, &after}) {
    EXPECT_EQ(peer->ask(Opcode::kGet, "k").status, Code::kUnauthenticated);
    EXPECT_EQ(peer->ask(Opcode::kNamespaceList).status, Code::kUnauthenticated);
    EXPECT_EQ(peer->ask(Opcode::kStats).status, Code::kUnauthenticated);
    EXPECT_EQ(peer->ask(Opcode::kPing).status, Code::kOk);
    const Peer::Answer in = peer->auth(made.secret);
    EXPECT_EQ(in.status, Code::kOk);
    EXPECT_EQ(in.scope, "read,list");
    EXPECT_EQ(peer->ask(Opcode::kGet, "k").value, "v");
    const Peer::Answer denied = peer->ask(Opcode::kPut, "k", "w");
    EXPECT_EQ(denied.status, Code::kDenied);
    EXPECT_NE(denied.message.find("lacks the scope write"), std::string::npos) << denied.message;
    EXPECT_EQ(peer->ask(Opcode::kGet, "k").value, "v") << "and nothing was done";
  }
}

TEST_F(ServerAccessTest, RequestsBehindAuthAreJudgedByIt) {
  const access::NewToken made = token("a", {Scope::kRead});
  RawClient client(address_);
  wire::Request auth, get;
  auth.opcode = Opcode::kAuth;
  auth.id = 1;
  auth.fields.credential = made.secret;
  get.opcode = Opcode::kGet;
  get.id = 2;
  get.ns = 1;
  get.key = "absent";
  std::string burst;
  wire::append_request(auth, burst);
  wire::append_request(get, burst);
  ASSERT_TRUE(client.send(burst));
  EXPECT_EQ(client.reply().status(), Code::kOk);
  EXPECT_EQ(client.reply().status(), Code::kNotFound);
}

TEST_F(ServerAccessTest, FiveWrongTokensEndTheConnectionAndAreCounted) {
  const access::NewToken made = token("a", {Scope::kRead});
  Peer peer(address_);
  std::string wrong = made.secret;
  wrong.back() = wrong.back() == 'x' ? 'y' : 'x';
  std::set<std::string> messages;
  const std::string attempts[] = {wrong, "", "kvt_0", std::string(3000, 'x'), made.secret + "x"};
  for (const std::string& secret : attempts) {
    const Peer::Answer answer = peer.auth(secret);
    EXPECT_EQ(answer.status, Code::kUnauthenticated);
    messages.insert(answer.message);
  }
  EXPECT_EQ(messages.size(), 1u) << "which part was wrong is not told";
  EXPECT_TRUE(peer.ended());
  EXPECT_NE(registry_.render().find("edged_auth_failures_total{face=\"binary\"} 5"),
            std::string::npos);
  EXPECT_EQ(Peer(address_).auth(made.secret).status, Code::kOk);
}

TEST_F(ServerAccessTest, TokensAreManagedOverTheConnectionAndTakeEffectAtOnce) {
  const access::NewToken admin = token("admin", {Scope::kAdmin});
  Peer peer(address_);
  ASSERT_EQ(peer.auth(admin.secret).status, Code::kOk);
  const Peer::Answer created =
      peer.ask(Opcode::kTokenCreate, "", R"({"name":"b","scopes":["read"],"prefix":"p/"})");
  ASSERT_EQ(created.status, Code::kOk) << created.message;
  const auto made = access::parse_new_token(created.value);
  ASSERT_TRUE(made.has_value()) << made.error().message();
  Peer other(address_);
  ASSERT_EQ(other.auth(made->secret).status, Code::kOk);
  EXPECT_EQ(other.ask(Opcode::kGet, "p/1").status, Code::kNotFound);
  EXPECT_EQ(other.ask(Opcode::kGet, "q/1").status, Code::kDenied);
  EXPECT_EQ(other.ask(Opcode::kTokenList).status, Code::kDenied);

  const Peer::Answer list = peer.ask(Opcode::kTokenList);
  EXPECT_EQ(access::parse_list(list.value)->size(), 2u);
  EXPECT_EQ(list.value.find("kvt_"), std::string::npos);
  EXPECT_EQ(peer.ask(Opcode::kTokenCreate, "", R"({"name":"b","scopes":["read"]})").status,
            Code::kExists);
  EXPECT_EQ(peer.ask(Opcode::kTokenCreate, "", "{").status, Code::kInvalidArgument);
  EXPECT_EQ(peer.ask(Opcode::kTokenRevoke, "", R"({"id":"0"})").status, Code::kNotFound);
  const Peer::Answer revoked =
      peer.ask(Opcode::kTokenRevoke, "", access::render_id(made->token.grant.id));
  ASSERT_EQ(revoked.status, Code::kOk);
  EXPECT_EQ(access::parse_token(revoked.value)->grant.name, "b");
  EXPECT_EQ(other.ask(Opcode::kGet, "p/1").status, Code::kUnauthenticated);
  EXPECT_EQ(peer.ask(Opcode::kTokenRevoke, "", access::render_id(admin.token.grant.id)).status,
            Code::kOk)
      << "its own too";
  EXPECT_EQ(peer.ask(Opcode::kTokenList).status, Code::kUnauthenticated);
}

TEST_F(ServerAccessTest, ATokenSeesItsNamespacesOnly) {
  access::Grant grant;
  grant.name = "a";
  grant.scopes = {Scope::kRead};
  grant.namespaces = {std::string(32, 'b')};
  Peer peer(address_);
  ASSERT_EQ(peer.auth(table_->create(grant)->secret).status, Code::kOk);
  const Peer::Answer list = peer.ask(Opcode::kNamespaceList);
  ASSERT_EQ(list.status, Code::kOk);
  wire::ItemReader reader(list.value);
  wire::Item item;
  ASSERT_TRUE(reader.next(item));
  EXPECT_EQ(item.fields.title, "second");
  EXPECT_FALSE(reader.next(item));
  EXPECT_EQ(peer.ask(Opcode::kOpen, "second").status, Code::kOk);
  const Peer::Answer hidden = peer.ask(Opcode::kOpen, "first");
  const Peer::Answer absent = peer.ask(Opcode::kOpen, "nowhere");
  EXPECT_EQ(hidden.status, Code::kNamespaceNotFound);
  EXPECT_EQ(absent.status, Code::kNamespaceNotFound);
  EXPECT_EQ(peer.ask(Opcode::kGet, "k").status, Code::kDenied) << "by its guessed handle";
}

TEST_F(ServerAccessTest, TheClientShowsItsTokenOnEachConnection) {
  const access::NewToken made = token("a", {Scope::kWrite});
  net::ClientOptions options;
  options.connect_timeout = std::chrono::seconds(30);
  options.call_timeout = std::chrono::seconds(60);
  options.address = address_;
  net::BlockingClient without(options);
  net::PutItem item;
  item.key = "k";
  EXPECT_EQ(without.put("first", item).code(), Code::kUnauthenticated);
  options.credential = made.secret;
  net::BlockingClient with(options);
  EXPECT_TRUE(with.put("first", item).has_value());
  EXPECT_EQ(with.get("first", "k").code(), Code::kDenied);
  options.credential = "kvt_wrong";
  net::BlockingClient wrong(options);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(wrong.put("first", item).code(), Code::kUnauthenticated);
  EXPECT_NE(registry_.render().find("edged_auth_failures_total{face=\"binary\"} 1\n"),
            std::string::npos)
      << "a refused token is not shown again at each call";
}

// Connects to the unix socket as `uid` (this thread alone changes), and asks for a namespace list.
Code ask_on_unix_as(const std::string& path, uid_t uid) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const auto kept = static_cast<uid_t>(-1);
  EXPECT_EQ(::syscall(SYS_setresuid, kept, uid, kept), 0);
  const int connected =
      ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  EXPECT_EQ(::syscall(SYS_setresuid, kept, 0, kept), 0);
  EXPECT_EQ(connected, 0);
  std::string bytes;
  wire::append_hello({}, bytes);
  wire::Request request;
  request.opcode = Opcode::kNamespaceList;
  wire::append_request(request, bytes);
  EXPECT_EQ(::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
  std::string answer(wire::kHelloBytes + wire::kHeaderBytes, '\0');
  EXPECT_EQ(::recv(descriptor, answer.data(), answer.size(), MSG_WAITALL),
            static_cast<ssize_t>(answer.size()));
  ::close(descriptor);
  return static_cast<Code>(wire::decode_header(answer.substr(wire::kHelloBytes))->key_bytes);
}

TEST_F(ServerAccessTest, TheNodesOwnUserNeedsNoTokenOnTheUnixSocket) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may be somebody else";
  token("a", {Scope::kRead});
  const std::string path = server_->unix_path();
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  EXPECT_EQ(ask_on_unix_as(path, 0), Code::kOk);
  EXPECT_EQ(ask_on_unix_as(path, 65534), Code::kUnauthenticated);
}

TEST(PeerTest, OnlyAUnixSocketHasAnOwnPeer) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  EXPECT_TRUE(net::is_own_peer(pair[0]));
  const int tcp = ::socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_FALSE(net::is_own_peer(tcp));
  EXPECT_FALSE(net::is_own_peer(-1));
  for (const int one : {pair[0], pair[1], tcp}) ::close(one);
}

}  // namespace
}  // namespace edged::server
