// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/init_dialog.h"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <string>

#include "tools/edged/init_settings.h"
#include "worker/http/http_client.h"

namespace edged {
namespace {

constexpr const char* kDatabaseVariable = "${DATABASE_URL}";
constexpr const char* kKept = "as it is";

void say(const char* line) {
  std::printf("  %s\n", line);
}

// A proposal without its password.
std::string shown(const std::string& url) {
  if (url.find("password=") != std::string::npos) return kKept;
  return http::printable_url(url);
}

// Asks for one text and sets it. An empty answer removes the key.
bool ask_text(TerminalDialog& dialog,
              InitDraft& draft,
              const char* question,
              const char* key,
              const std::string& proposal) {
  const auto answer = dialog.ask(question, proposal);
  if (!answer) return false;
  if (answer->empty()) {
    draft.remove(key);
  } else {
    draft.set(key, *answer);
  }
  return true;
}

std::string or_else(const std::string& text, const std::string& other) {
  return text.empty() ? other : text;
}

// Asks for a secret that is kept in a file; Enter keeps the one that is there.
bool ask_hidden(TerminalDialog& dialog,
                InitDraft& draft,
                const char* question,
                const std::string& key) {
  const std::string file_key = key + "_file";
  const bool is_there = !draft.get(key).empty() || !draft.get(file_key).empty();
  const auto answer = dialog.ask_secret(question, is_there ? kKept : "none");
  if (!answer) return false;
  if (answer->empty()) return true;
  draft.remove(file_key);
  draft.set(key, *answer);
  return true;
}

bool ask_fields(TerminalDialog& dialog, InitDraft& draft) {
  say("Where the fields stand in the answer, as JSON pointers: seats_available=/seats/open");
  const auto answer = dialog.ask("Fields, separated by blanks (Enter: as they are)");
  if (!answer) return false;
  std::istringstream words(*answer);
  for (std::string word; words >> word;) {
    if (!set_field(word, draft)) std::printf("  \"%s\" is not NAME=POINTER\n", word.c_str());
  }
  return true;
}

bool ask_smtp(TerminalDialog& dialog, InitDraft& draft) {
  const std::string url = draft.get("mail.url");
  if (!ask_text(dialog,
                draft,
                "Server, as smtp://HOST:587 or smtps://HOST",
                "mail.url",
                or_else(url, "smtp://127.0.0.1:25"))) {
    return false;
  }
  const auto user = dialog.ask("User for the login (\"none\": no login)",
                               or_else(draft.get("mail.user"), "none"));
  if (!user) return false;
  if (*user == "none") {
    for (const char* key : {"mail.user", "mail.password", "mail.password_file"}) draft.remove(key);
    return true;
  }
  draft.set("mail.user", *user);
  return ask_hidden(dialog, draft, "Password (not shown)", "mail.password");
}

bool ask_transport(TerminalDialog& dialog, InitDraft& draft) {
  while (true) {
    const auto answer = dialog.ask("Transport: maildir (stays on this machine), smtp or resend",
                                   or_else(draft.get("mail.transport"), "maildir"));
    if (!answer) return false;
    if (*answer != "maildir" && *answer != "smtp" && *answer != "resend") continue;
    draft.set("mail.transport", *answer);
    tidy_mail(draft);
    return true;
  }
}

}  // namespace

bool ask_database(TerminalDialog& dialog, InitDraft& draft, bool again) {
  const std::string known = draft.get("postgres.url");
  if (!known.empty() && draft.is_new() && !again) return true;  // a flag said it
  const bool has_variable = std::getenv("DATABASE_URL") != nullptr;
  const std::string proposal =
      or_else(known, has_variable ? kDatabaseVariable : "postgresql:///edged");
  say("postgresql://USER:PASSWORD@HOST:5432/DATABASE, or ${NAME} of the environment");
  const auto answer = dialog.ask("URL", proposal, shown(proposal));
  if (!answer) return false;
  draft.set("postgres.url", *answer);
  return true;
}

bool ask_upstream(TerminalDialog& dialog, InitDraft& draft, bool again) {
  const std::string known = draft.get("upstream.url");
  const bool is_decided = draft.is_new() && (!known.empty() || draft.has("worker.roles"));
  if (is_decided && !again) return true;
  const auto url =
      dialog.ask("URL of the service that knows the seats (\"none\": no jobs run here)",
                 or_else(known, has_jobs(draft) ? "" : kNoUpstream));
  if (!url) return false;
  if (url->empty() || *url == kNoUpstream) {
    InitSettings none;
    none.upstream = kNoUpstream;
    apply_settings(none, draft);
    return true;
  }
  draft.remove("worker.roles");
  draft.set("upstream.url", *url);
  const bool has_template = url->find("{class_nbr}") != std::string::npos;
  const std::string type = or_else(draft.get("upstream.type"), has_template ? "json" : "scraper");
  const auto chosen = dialog.ask("Type: scraper (POST URL/scrape) or json (GET)", type);
  if (!chosen) return false;
  draft.set("upstream.type", *chosen);
  if (*chosen == "json" && !ask_fields(dialog, draft)) return false;
  if (!ask_hidden(dialog, draft, "Bearer token (not shown)", "upstream.token")) return false;
  apply_settings({}, draft);  // a schedule, now that there are jobs
  return true;
}

bool ask_mail(TerminalDialog& dialog, InitDraft& draft, bool again) {
  const bool is_decided =
      draft.is_new() && !draft.get("mail.transport").empty() && missing_flags(draft).empty();
  if (is_decided && !again) return true;
  if (!ask_transport(dialog, draft)) return false;
  const std::string transport = draft.get("mail.transport");
  if (transport == "smtp" && !ask_smtp(dialog, draft)) return false;
  if (transport == "resend" &&
      !ask_hidden(dialog, draft, "Key, re_... (not shown)", "mail.token")) {
    return false;
  }
  if (!ask_text(dialog,
                draft,
                "Sender, as NAME <ADDRESS>",
                "mail.from",
                or_else(draft.get("mail.from"), "edged <edged@localhost>"))) {
    return false;
  }
  return ask_text(dialog,
                  draft,
                  "Address of the application, for links (Enter: none)",
                  "worker.public_url",
                  draft.get("worker.public_url"));
}

}  // namespace edged
