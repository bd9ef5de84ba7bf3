// SPDX-License-Identifier: Apache-2.0
// Namespaces, accounts and unknown paths of the REST face.
#include "tests/kvstore/http/rest_fixture.h"

namespace edged::kv_http {
namespace {

using RestNamespacesTest = RestFixture;

std::string missing() {
  return std::string(32, 'f');
}

TEST_F(RestNamespacesTest, AreCreatedReadRenamedAndRemoved) {
  const json::object made =
      request("POST", kBase, R"({"title":"users","jurisdiction":"eu"})").result().as_object();
  const std::string id(made.at("id").as_string());
  EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(made, (json::object{{"id", id}, {"title", "users"}, {"supports_url_encoding", true}}));
  const std::string path = kBase + ("/" + id);
  EXPECT_EQ(get(path).result(), made);
  std::string upper = id;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  EXPECT_EQ(get(kBase + ("/" + upper)).result(), made);
  const json::object renamed = request("PUT", path, R"({"title":"people"})").result().as_object();
  EXPECT_EQ(renamed.at("title").as_string(), "people");
  EXPECT_EQ(get(path).result(), renamed);
  EXPECT_TRUE(request("DELETE", path).result().is_null());
  EXPECT_EQ(get(path).error(), "404 10013 get namespace: 'namespace not found'");
  EXPECT_FALSE(store_->find_namespace(id));
}

TEST_F(RestNamespacesTest, RefuseWhatTheyCannotDo) {
  EXPECT_EQ(request("POST", kBase, R"({"title":"default"})").error(),
            "400 10014 create namespace: 'a namespace with this account ID and title already "
            "exists'");
  for (const char* body : {"{}", R"({"title":""})", R"({"title":1})", R"(["title"])", "1"}) {
    EXPECT_EQ(request("POST", kBase, body).error(),
              "400 10019 request is missing a title definition")
        << body;
  }
  for (const char* body : {"", "{", "title", "{} {}"}) {
    EXPECT_EQ(request("POST", kBase, body).error(), "400 10029 create namespace: 'invalid request'")
        << body;
  }
  request("POST", kBase, R"({"title":"other"})").result();
  const std::string id = store_->find_namespace("other")->id;
  EXPECT_EQ(request("PUT", kBase + ("/" + id), R"({"title":"default"})").error(),
            "400 10014 rename namespace: 'a namespace with this account ID and title already "
            "exists'");
  EXPECT_EQ(request("PUT", kBase + ("/" + id), R"({})").error(),
            "400 10019 request is missing a title definition");
  const std::string long_title = "{\"title\":\"" + std::string(100'000, 't') + "\"}";
  EXPECT_EQ(request("POST", kBase, long_title).error(),
            "413 10024 create namespace: 'payload too large'");
  EXPECT_EQ(request("DELETE", kBase + ("/" + missing())).error(),
            "404 10013 remove namespace: 'namespace not found'");
  EXPECT_EQ(request("PUT", kBase + ("/" + missing()), R"({"title":"x"})").error(),
            "404 10013 rename namespace: 'namespace not found'");
}

TEST_F(RestNamespacesTest, AreNamedByIdAlone) {
  for (const std::string& id : {std::string("default"),
                                std::string("x"),
                                std::string(31, 'a'),
                                std::string(33, 'a'),
                                std::string(32, 'g')}) {
    EXPECT_EQ(get(kBase + ("/" + id)).error(),
              "400 10011 could not parse UUID from request's namespace_id: 'invalid namespace "
              "format: " +
                  id + "'");
  }
  // A title that looks like an id does not lead to its namespace.
  const std::string title(32, 'e');
  request("POST", kBase, R"({"title":")" + title + R"("})").result();
  EXPECT_EQ(get(kBase + ("/" + title)).error(), "404 10013 get namespace: 'namespace not found'");
}

TEST_F(RestNamespacesTest, AreListedInPages) {
  for (int i = 0; i < 24; ++i) {
    request("POST", kBase, R"({"title":"ns)" + std::to_string(10 + i) + R"("})").result();
  }
  const Answer first = get(kBase);
  EXPECT_EQ(first.items().size(), 20u);
  EXPECT_EQ(
      first.info(),
      (json::object{
          {"page", 1}, {"per_page", 20}, {"count", 20}, {"total_count", 25}, {"total_pages", 2}}));
  const Answer last = get(std::string(kBase) + "?page=2");
  EXPECT_EQ(last.items().size(), 5u);
  EXPECT_EQ(last.info().at("count").to_number<int>(), 5);
  EXPECT_TRUE(get(std::string(kBase) + "?page=3").items().empty());
  EXPECT_TRUE(get(std::string(kBase) + "?page=4294967295&per_page=1000").items().empty());
  const auto titles = [&](const std::string& query) {
    std::vector<std::string> found;
    for (const json::value& ns : get(kBase + query).items()) {
      found.emplace_back(ns.at("title").as_string());
    }
    return found;
  };
  EXPECT_EQ(titles("?per_page=1000&order=title&direction=asc").front(), "default");
  EXPECT_EQ(titles("?per_page=1000&order=title&direction=asc").size(), 25u);
  EXPECT_EQ(titles("?per_page=2&order=title&direction=desc&page=1"),
            (std::vector<std::string>{"ns33", "ns32"}));
  std::vector<std::string> ids;
  for (const json::value& ns : get(std::string(kBase) + "?per_page=100").items()) {
    ids.emplace_back(ns.at("id").as_string());
  }
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
}

TEST_F(RestNamespacesTest, RefusePagesThatAreMalformed) {
  const std::pair<const char*, const char*> cases[] = {
      {"?page=0", "400 10007 malformed page argument"},
      {"?page=x", "400 10007 malformed page argument"},
      {"?page=", "400 10007 malformed page argument"},
      {"?page=-1", "400 10007 malformed page argument"},
      {"?per_page=0", "400 10008 malformed per_page argument"},
      {"?per_page=1001", "400 10008 malformed per_page argument"},
      {"?order=name", "400 10043 invalid order"},
      {"?direction=up", "400 10044 invalid direction"},
      {"?page=%GG", "400 10029 invalid request"},
  };
  for (const auto& [query, error] : cases)
    EXPECT_EQ(get(kBase + std::string(query)).error(), error);
}

TEST_F(RestNamespacesTest, UnknownPathsAndMethodsAreNamed) {
  for (const std::string& path : {std::string("/client/v4/"),
                                  std::string("/client/v4/zones"),
                                  in_ns("/nothing"),
                                  in_ns("/values/a/b"),
                                  std::string(kBase) + "/"}) {
    EXPECT_EQ(
        get(path).error(),
        "404 7003 Could not route to " + path + ", perhaps your object identifier is invalid?");
  }
  const Answer patch = request("PATCH", kBase);
  EXPECT_EQ(patch.error(), "405 7001 Method PATCH not available for that URI.");
  EXPECT_EQ(patch.headers.at("allow"), "GET, HEAD, POST");
  EXPECT_EQ(request("POST", value_path("k"), "v").error(),
            "405 7001 Method POST not available for that URI.");
}

TEST_F(RestNamespacesTest, AnswerWhatWhoamiAsks) {
  const auto verified = get("/client/v4/user/tokens/verify").result();
  EXPECT_EQ(verified.at("status").as_string(), "active");
  EXPECT_TRUE(get("/client/v4/user").result().at("email").is_string());
  const Answer accounts = get("/client/v4/accounts?page=1");
  const json::value account = accounts.items().at(0);
  EXPECT_EQ(account.at("id").as_string().size(), 32u);
  EXPECT_TRUE(get("/client/v4/accounts?page=2").items().empty());
  const auto membership = get("/client/v4/memberships?page=1").items().at(0);
  EXPECT_EQ(membership.at("account"), account);
  EXPECT_EQ(get("/client/v4/accounts/a7").result().at("id").as_string(), "a7");
}

TEST_F(RestNamespacesTest, BelongToTheConfiguredAccount) {
  stop();
  start({"acc-1"});
  const std::string own = "/client/v4/accounts/acc-1/storage/kv/namespaces";
  EXPECT_EQ(get(own).items().size(), 1u);
  EXPECT_EQ(get(kBase).error(), "403 10000 Authentication error");
  EXPECT_EQ(get("/client/v4/accounts/a1").error(), "403 10000 Authentication error");
  EXPECT_EQ(get("/client/v4/accounts").items().at(0).at("id").as_string(), "acc-1");
}

TEST_F(RestNamespacesTest, QueuesNeedAWorker) {
  const Answer answer = request("POST", "/client/v4/accounts/a1/queues/q/messages", "{}");
  EXPECT_EQ(answer.error(),
            "503 10001 queues: 'no worker is configured. Queues are the worker's: set "
            "node.worker_http to its address and node.worker_secret to its secret'");
}

}  // namespace
}  // namespace edged::kv_http
