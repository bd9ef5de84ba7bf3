// SPDX-License-Identifier: Apache-2.0
// What `edged init` may be told by flags. Each beats what the file holds; what is neither there nor
// in the file is asked, or missing. Value type.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "tools/edged/init_draft.h"

namespace edged {

struct InitSettings {
  std::string file;  // empty: see init_file()
  std::string database, upstream, upstream_type, upstream_token_file;
  std::vector<std::string> upstream_fields;  // NAME=POINTER
  std::string mail, mail_url, mail_user, mail_password_file, mail_token_file, mail_from, maildir;
  std::string public_url, data_dir, state_dir, mirror, owner;
  std::vector<std::string> crons;
  bool app_schema = false;
  bool yes = false;              // nothing is asked
  bool accept_failures = false;  // the file is written although a test failed
};

void add_init_flags(CLI::App& command, InitSettings& settings);

// The file that is meant: the one named, else one that is there, else that of a service if root
// runs this, else ./edged.jsonc.
std::string init_file(const InitSettings& settings);

// Puts the flags into the draft, and defaults for what neither it nor they name.
void apply_settings(const InitSettings& settings, InitDraft& draft);
// The transport's keys that another one does not use are removed.
void tidy_mail(InitDraft& draft);

// The flags without which nothing can be written, each with what it says; empty: there are none.
std::vector<std::string> missing_flags(const InitDraft& draft);

// "NAME=POINTER" as a key of upstream.fields. False: `text` is not of that form.
bool set_field(const std::string& text, InitDraft& draft);

inline constexpr const char* kNoUpstream = "none";
// A worker without jobs, for an installation without upstream.
bool has_jobs(const InitDraft& draft);

}  // namespace edged
