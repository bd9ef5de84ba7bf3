// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/init_settings.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <system_error>

#include "proto/base/clock.h"
#include "proto/base/hex.h"
#include "proto/json/write_json.h"
#include "tools/edged/init_template.h"
#include "tools/edged/strict_options.h"

namespace edged {
namespace {

constexpr const char* kOwnFile = "edged.jsonc";
constexpr const char* kSystemFile = "/etc/edged/edged.jsonc";
constexpr const char* kUsualCron = "*/30 * * * *";
constexpr const char* kRolesWithoutJobs = R"(["mirror", "mail", "queue"])";

std::string in_directory_of(const std::string& file, const std::string& name) {
  std::error_code ignored;
  return (std::filesystem::absolute(file, ignored).parent_path() / name).string();
}

// Whether the list of a new draft is still the template's.
bool is_empty(const InitDraft& draft, const std::string& key) {
  const auto loaded = draft.load();
  if (!loaded) return false;
  return key == "triggers.crons" ? loaded->config.triggers_crons.empty()
                                 : loaded->config.kv_namespaces.empty();
}

// Sets keys of a new file that nobody has set. The configuration of a service keeps its data below
// /var/lib; any other file keeps its data in directories beside it.
void apply_defaults(InitDraft& draft) {
  const bool is_service = draft.path() == kSystemFile;
  const auto set_default = [&draft](const char* key, const std::string& value) {
    if (draft.get(key).empty()) draft.set(key, value);
  };
  if (!draft.is_new()) return;
  set_default("node.data_dir",
              is_service ? "/var/lib/edged" : in_directory_of(draft.path(), "edged-data"));
  set_default("worker.state_dir",
              is_service ? "/var/lib/edged/worker" : in_directory_of(draft.path(), "edged-worker"));
  if (!is_empty(draft, "kv_namespaces")) return;
  draft.set_json(
      "kv_namespaces",
      std::string("[{ \"binding\": \"KV\", \"id\": \"") + to_hex(random_bytes(16)) + "\" }]");
}

std::string as_array(const std::vector<std::string>& texts) {
  std::string json;
  for (const std::string& text : texts) {
    json.append(json.empty() ? "[" : ", ").append(write_json_string(text));
  }
  return json + "]";
}

void apply_upstream(const InitSettings& settings, InitDraft& draft) {
  if (settings.upstream == kNoUpstream) {
    draft.set_json("worker.roles", kRolesWithoutJobs);
    draft.remove("upstream.url");
    draft.remove("upstream.type");
    return;
  }
  if (!settings.upstream.empty()) draft.set("upstream.url", settings.upstream);
  if (!settings.upstream_type.empty()) draft.set("upstream.type", settings.upstream_type);
  if (!settings.upstream_token_file.empty()) {
    draft.remove("upstream.token");
    draft.set("upstream.token_file", settings.upstream_token_file);
  }
  for (const std::string& field : settings.upstream_fields) (void)set_field(field, draft);
  if (!draft.get("upstream.url").empty() && draft.get("upstream.type").empty()) {
    draft.set("upstream.type", "scraper");
  }
  if (settings.crons.empty() && draft.is_new() && is_empty(draft, "triggers.crons")) {
    draft.set_json("triggers.crons", as_array({kUsualCron}));
  }
}

void apply_mail(const InitSettings& settings, InitDraft& draft) {
  const auto set = [&draft](const char* key, const std::string& value) {
    if (!value.empty()) draft.set(key, value);
  };
  set("mail.transport", settings.mail);
  set("mail.url", settings.mail_url);
  set("mail.user", settings.mail_user);
  set("mail.from", settings.mail_from);
  set("mail.path", settings.maildir);
  if (!settings.mail_password_file.empty()) {
    draft.remove("mail.password");
    draft.set("mail.password_file", settings.mail_password_file);
  }
  if (!settings.mail_token_file.empty()) {
    draft.remove("mail.token");
    draft.set("mail.token_file", settings.mail_token_file);
  }
  tidy_mail(draft);
}

void add_mail_flags(CLI::App& command, InitSettings& settings) {
  command.add_option("--mail", settings.mail, "How mails leave: maildir, smtp or resend")
      ->type_name("TRANSPORT")
      ->check(CLI::IsMember({"maildir", "smtp", "resend"}));
  add_text(command, "--maildir", settings.maildir, "Directory of the transport maildir")
      ->type_name("DIR");
  add_text(command, "--mail-url", settings.mail_url, "smtp://HOST[:PORT] or smtps://HOST[:PORT]")
      ->type_name("URL");
  add_text(command, "--mail-user", settings.mail_user, "User for the login to the SMTP server")
      ->type_name("NAME");
  add_text(command, "--mail-password-file", settings.mail_password_file, "File with its password")
      ->type_name("FILE");
  add_text(command, "--mail-token-file", settings.mail_token_file, "File with the key for Resend")
      ->type_name("FILE");
  add_text(command, "--mail-from", settings.mail_from, "Sender: ADDRESS or \"NAME <ADDRESS>\"")
      ->type_name("SENDER");
}

void add_upstream_flags(CLI::App& command, InitSettings& settings) {
  add_text(command,
           "--upstream",
           settings.upstream,
           "URL of the service that knows the seats; \"none\": this worker runs no jobs")
      ->type_name("URL");
  command
      .add_option("--upstream-type",
                  settings.upstream_type,
                  "scraper (POST URL/scrape; the default) or json (GET of a URL with {class_nbr} "
                  "and {term})")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"scraper", "json"}));
  add_texts(command,
            "--upstream-field",
            settings.upstream_fields,
            "Of the type json: where a field stands in the answer, as seats_available=/seats/open; "
            "may be repeated")
      ->type_name("NAME=POINTER");
  add_text(command,
           "--upstream-token-file",
           settings.upstream_token_file,
           "File with the bearer token for the upstream")
      ->type_name("FILE");
  add_texts(command,
            "--cron",
            settings.crons,
            "When class-monitor runs (default \"*/30 * * * *\"); may be repeated")
      ->type_name("SCHEDULE");
}

}  // namespace

void add_init_flags(CLI::App& command, InitSettings& settings) {
  add_text(command,
           "-c,--config",
           settings.file,
           "File to write (default: the one that is there, else /etc/edged/edged.jsonc for root "
           "and ./edged.jsonc for others)")
      ->type_name("FILE")
      ->envname("EDGED_CONFIG");
  add_text(command,
           "--database",
           settings.database,
           "URL of PostgreSQL; '${NAME}' is written as it is and read from the environment")
      ->type_name("URL");
  add_upstream_flags(command, settings);
  add_mail_flags(command, settings);
  add_text(command, "--public-url", settings.public_url, "Address of the application, for mails")
      ->type_name("URL");
  add_text(command, "--data", settings.data_dir, "Data directory of the node")->type_name("DIR");
  add_text(command, "--state-dir", settings.state_dir, "State directory of the worker")
      ->type_name("DIR");
  command
      .add_option("--mirror",
                  settings.mirror,
                  "auto: keep the tables of class-monitor in the node, if PostgreSQL allows it "
                  "(the default where it does); off: do not")
      ->type_name("auto|off")
      ->check(CLI::IsMember({"auto", "off"}));
  add_text(command,
           "--owner",
           settings.owner,
           "User that the service runs as and the files are for (default: _edged if root runs this "
           "and there is that user)")
      ->type_name("USER");
  command.add_flag("--app-schema",
                   settings.app_schema,
                   "Also create those tables of the application that do not exist");
  command.add_flag("--yes", settings.yes, "Ask nothing: take the flags and what the file holds");
  command.add_flag("--accept-failures",
                   settings.accept_failures,
                   "Write the file although a test failed, for a service that is not there yet");
}

std::string init_file(const InitSettings& settings) {
  if (!settings.file.empty()) return settings.file;
  std::error_code ignored;
  for (const char* file : {kOwnFile, kSystemFile}) {
    if (std::filesystem::exists(file, ignored)) return file;
  }
  return ::geteuid() == 0 ? kSystemFile : kOwnFile;
}

void apply_settings(const InitSettings& settings, InitDraft& draft) {
  const auto set = [&draft](const char* key, const std::string& value) {
    if (!value.empty()) draft.set(key, value);
  };
  set("postgres.url", settings.database);
  set("node.data_dir", settings.data_dir);
  set("worker.state_dir", settings.state_dir);
  set("worker.public_url", settings.public_url);
  if (!settings.crons.empty()) draft.set_json("triggers.crons", as_array(settings.crons));
  apply_upstream(settings, draft);
  apply_mail(settings, draft);
  apply_defaults(draft);
  if (settings.mirror == "auto" && !draft.has("mirror")) draft.set_json("mirror", kInitMirror);
  if (settings.mirror == "off") draft.remove("mirror");
}

void tidy_mail(InitDraft& draft) {
  const std::string transport = draft.get("mail.transport");
  if (transport.empty()) return;
  if (transport != "maildir") draft.remove("mail.path");
  if (transport == "maildir") draft.remove("mail.url");
  if (transport == "resend" && draft.get("mail.url").starts_with("smtp")) draft.remove("mail.url");
  if (transport != "smtp") {
    for (const char* key : {"mail.user", "mail.password", "mail.password_file"}) draft.remove(key);
  }
  if (transport != "resend") {
    for (const char* key : {"mail.token", "mail.token_file"}) draft.remove(key);
  }
}

std::vector<std::string> missing_flags(const InitDraft& draft) {
  std::vector<std::string> missing;
  const auto need = [&](const char* key, const char* flag) {
    if (draft.get(key).empty()) missing.emplace_back(flag);
  };
  need("postgres.url", "--database URL");
  if (has_jobs(draft)) need("upstream.url", "--upstream URL (or none)");
  const std::string transport = draft.get("mail.transport");
  need("mail.transport", "--mail maildir|smtp|resend");
  if (transport == "smtp") need("mail.url", "--mail-url URL");
  if (transport == "resend" && draft.get("mail.token").empty()) {
    need("mail.token_file", "--mail-token-file FILE");
  }
  if (transport == "smtp" || transport == "resend") need("mail.from", "--mail-from SENDER");
  return missing;
}

bool set_field(const std::string& text, InitDraft& draft) {
  const std::size_t equal = text.find('=');
  if (equal == std::string::npos || equal == 0) return false;
  const std::string name = text.substr(0, equal);
  if (name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") != std::string::npos) return false;
  draft.set("upstream.fields." + name, text.substr(equal + 1));
  return true;
}

bool has_jobs(const InitDraft& draft) {
  if (!draft.has("worker.roles")) return true;
  const auto loaded = draft.load();
  return !loaded || loaded->config.worker.has_role(config::kRoleCron);
}

}  // namespace edged
