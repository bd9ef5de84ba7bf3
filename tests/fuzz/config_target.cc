// SPDX-License-Identifier: Apache-2.0
// tools/edged: a configuration file of any bytes is read or refused with complaints that say where,
// on one printable line each.
#include <fstream>

#include "proto/base/check.h"
#include "proto/base/printable.h"
#include "tests/fuzz/targets.h"
#include "tests/support/temp_dir.h"
#include "tools/edged/config_parse.h"

namespace edged::fuzz {
namespace {

void judge(const config::Complaint& complaint, const std::string& file, int lines) {
  KV_CHECK(!complaint.message.empty());
  KV_CHECK(complaint.position.line <= lines);
  if (!complaint.file.empty()) KV_CHECK(complaint.file == file);
  KV_CHECK(is_printable(complaint.to_string()));  // one line on a terminal, which it leaves alone
}

}  // namespace

void fuzz_config(std::string_view bytes) {
  static const test::TempDir directory;
  config::LoadRequest request;
  request.file = directory.path() + "/edged.jsonc";
  {
    std::ofstream file(request.file, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  request.environment = [](const std::string&) { return std::optional<std::string>(); };
  int lines = 2;
  for (const char c : bytes) lines += c == '\n' || c == '\r' ? 1 : 0;
  for (const config::Scope scope : {config::Scope::kCheck, config::Scope::kAll}) {
    request.scope = scope;
    const config::Loaded loaded = config::load_config(request);
    for (const config::Complaint& one : loaded.errors) judge(one, request.file, lines);
    for (const std::string& warning : loaded.warnings) KV_CHECK(is_printable(warning));
  }
}

std::vector<std::string> config_seeds() {
  return {"{}",
          R"jsonc({
  // A deployment
  "kv_namespaces": [{"binding": "KV", "id": "0123456789abcdef0123456789abcdef", "preview_id": "f"}],
  "triggers": {"crons": ["*/30 * * * *", "@every 2s"]},
  "queues": {"producers": [{"queue": "email", "binding": "Q"}],
             "consumers": [{"queue": "email", "max_batch_size": 10, "max_batch_timeout": 5, "max_retries": 3,
                            "dead_letter_queue": "dead"}]},
  "node": {"data_dir": "/var/lib/edged", "listen": "127.0.0.1:4780", "unix": "/run/kv.sock", "http": "127.0.0.1:4781",
           "durability": "wal", "disk_quota": "64MiB", "io_threads": 2, "http_hosts": ["kv.example"],
           "account_id": "a1", "binding": "unix:/run/b.sock"},
  "worker": {"http": "127.0.0.1:4782", "state_dir": "/tmp/s", "cron_secret": "secret",
             "public_url": "https://pickmyclass.example", "roles": ["jobs", "mail"]},
})jsonc",
          R"jsonc({
  "postgres": {"url": "postgres://edged:secret@127.0.0.1:5432/db?sslmode=disable", "pool": 4},
  "upstream": {"type": "json", "url": "http://u:secret@127.0.0.1:9/{class_nbr}?t={term}",
               "fields": {"title": "/t/0", "seats_available": "/s"}, "concurrency": 10, "timeout": "90s",
               "token": "secret", "redirects": ["a:1"], "zero_words": ["full"]},
  "mail": {"transport": "maildir", "path": "/tmp/m", "from": "Edged <a@b.example>", "valid_for": "30m"},
  "mirror": {"namespace": "KV", "mode": "auto", "rules": [{"table": "public.class_states", "key": "class_state:{class_nbr}",
             "value": "row", "ttl": "1h"}, {"table": "t", "key": "a:{a|uri}", "value": {"column": "b"}, "expires": "e"}]},
  "jobs": {"class-monitor": {"crons": [], "time_zone": "America/Phoenix", "misfire": "once", "jitter": "1s"}} /* end */
})jsonc",
          "\xef\xbb\xbf{\"node\": {\"http\": \"[::1]:0\"}}",
          "[",
          ""};
}

}  // namespace edged::fuzz
