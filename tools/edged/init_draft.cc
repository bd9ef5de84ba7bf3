// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/init_draft.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "proto/base/atomic_file.h"
#include "proto/base/read_file.h"
#include "proto/json/write_json.h"
#include "tools/edged/init_template.h"
#include "tools/edged/jsonc_edit.h"
#include "worker/db/connection_url.h"

namespace edged {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kConfigBytesMax = 1 << 20;

// Secrets that do not stay in the configuration: where they are typed into, and the key that names
// a file instead.
constexpr struct {
  const char* key;
  const char* file_key;
  const char* file_name;
} kSecrets[] = {{"upstream.token", "upstream.token_file", "upstream.token"},
                {"mail.password", "mail.password_file", "mail.password"},
                {"mail.token", "mail.token_file", "mail.token"}};

// A directory that is gone with what is in it.
class ScratchDir {
 public:
  ScratchDir() {
    std::error_code error;
    std::string pattern = fs::temp_directory_path(error).string() + "/edged-init-XXXXXX";
    if (!error && ::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~ScratchDir() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;  // empty: it could not be made
};

Status give_to(const std::string& path, const std::string& owner) {
  if (owner.empty()) return {};
  const passwd* const user = ::getpwnam(owner.c_str());
  if (user == nullptr) return {Code::kNotFound, "there is no user \"" + owner + "\""};
  if (::chown(path.c_str(), user->pw_uid, user->pw_gid) == 0) return {};
  return {Code::kIoError,
          "could not give " + path + " to user " + owner + ": " + std::strerror(errno)};
}

Status write_for(const std::string& path, const std::string& content, const std::string& owner) {
  const Status written = replace_file(path, content);
  return written.ok() ? give_to(path, owner) : written;
}

// Others must get at the file in it; what is in there is closed by itself.
Status make_directory_of(const std::string& path) {
  const fs::path directory = fs::absolute(path).parent_path();
  std::error_code error;
  if (fs::exists(directory, error)) return {};
  fs::create_directories(directory, error);
  if (error) {
    return {Code::kIoError, "could not create " + directory.string() + ": " + error.message()};
  }
  ::chmod(directory.c_str(), 0755);
  return {};
}

}  // namespace

InitDraft::InitDraft(std::string path, std::string text, bool is_new)
    : path_(std::move(path)), text_(std::move(text)), text_before_(text_), is_new_(is_new) {}

Result<InitDraft> InitDraft::open(std::string path) {
  const Result<FileContent> content = read_small_file(path, kConfigBytesMax);
  if (content.code() == Code::kNotFound) return InitDraft(std::move(path), kInitTemplate, true);
  if (!content) return content.error().with_context("could not read " + path);
  const auto same = config::remove_key(content->bytes, {"$no such key"});
  if (!same) return same.error().with_context("could not read " + path);
  return InitDraft(std::move(path), content->bytes, false);
}

std::string InitDraft::get(const std::string& key) const {
  std::optional<std::string> text = config::written_text(text_, config::key_path(key));
  return text ? *std::move(text) : std::string();
}

bool InitDraft::has(const std::string& key) const {
  return config::has_key(text_, config::key_path(key));
}

void InitDraft::set(const std::string& key, const std::string& text) {
  if (!(has(key) && get(key) == text)) set_json(key, write_json_string(text));
}

void InitDraft::set_json(const std::string& key, const std::string& json) {
  auto changed = config::set_value(text_, config::key_path(key), json);
  if (changed) text_ = *std::move(changed);
}

void InitDraft::remove(const std::string& key) {
  auto changed = config::remove_key(text_, config::key_path(key));
  if (changed) text_ = *std::move(changed);
}

std::string InitDraft::without_empty() const {
  InitDraft copy(*this);
  for (const char* key : kInitKeys) {
    if (copy.has(key) && copy.get(key).empty()) copy.remove(key);
  }
  return copy.text_;
}

Result<config::Loaded> InitDraft::load() const {
  const ScratchDir scratch;
  if (scratch.path().empty()) {
    return Status(Code::kIoError, "could not create a directory in the temporary one (TMPDIR)");
  }
  config::LoadRequest request;
  request.file = scratch.path() + "/edged.jsonc";
  request.scope = config::Scope::kCheck;
  request.check_postgres_url = [](const std::string& url) {
    return db::check_connection_url(url).message();
  };
  InitDraft copy(*this);
  copy.text_ = without_empty();
  // A wrangler file is named relative to the file that names it.
  const std::string wrangler = get("wrangler");
  if (!wrangler.empty()) {
    copy.set("wrangler", (fs::absolute(path_).parent_path() / wrangler).string());
  }
  const Status written = replace_file(request.file, copy.text_);
  if (!written.ok()) return written;
  config::Loaded loaded = config::load_config(request);
  loaded.config.file = path_;
  for (config::Complaint& complaint : loaded.errors) complaint.file = path_;
  return loaded;
}

Result<std::vector<std::string>> InitDraft::save(const std::string& owner) {
  Status done = make_directory_of(path_);
  if (!done.ok()) return done;
  std::vector<std::string> written;
  const fs::path directory = fs::absolute(path_).parent_path();
  for (const auto& [key, file_key, file_name] : kSecrets) {
    const std::string secret = get(key);
    if (secret.empty() || secret.find("${") != std::string::npos) continue;
    const std::string file = (directory / file_name).string();
    done = write_for(file, secret + "\n", owner);
    if (!done.ok()) return done;
    written.push_back(file);
    remove(key);
    set(file_key, file);
  }
  text_ = without_empty();
  done = write_for(path_, text_, owner);
  if (!done.ok()) return done;
  written.push_back(path_);
  text_before_ = text_;
  is_new_ = false;
  return written;
}

}  // namespace edged
