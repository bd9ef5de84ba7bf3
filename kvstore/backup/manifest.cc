// SPDX-License-Identifier: Apache-2.0
// See manifest.h.
#include "kvstore/backup/manifest.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <set>

#include "kvstore/backup/file_copy.h"
#include "proto/base/rfc3339.h"
#include "proto/json/write_json.h"

namespace edged::backup {
namespace {

namespace json = boost::json;

constexpr std::string_view kChecksumLine = "\n\"sha256\":\"";
constexpr std::size_t kNameBytesMax = 200;
constexpr std::size_t kStoreBytesMax = 128;
constexpr std::size_t kDirectoryDigits = 6;

Status damaged(const std::string& why) {
  return {Code::kCorruption, "the manifest is damaged: " + why};
}

// One name of a file, which cannot lead anywhere else.
bool is_file_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '.' &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

bool is_path(std::string_view path) {
  if (path == "store.mark") return true;
  return path.starts_with("db/") && is_file_name(path.substr(3));
}

bool is_stored(std::string_view stored, std::uint64_t number, std::string_view path) {
  constexpr std::string_view kTables = "tables/";
  if (stored.starts_with(kTables)) return is_file_name(stored.substr(kTables.size()));
  std::string own = directory_name(number) + "/";
  own += path;
  return stored == own;
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::optional<std::string> text_of(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  const json::string* text = found == nullptr ? nullptr : found->if_string();
  if (text == nullptr) return std::nullopt;
  return std::string(text->data(), text->size());
}

std::optional<std::uint64_t> number_of(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  if (found == nullptr) return std::nullopt;
  json::error_code error;
  const auto number = found->to_number<std::uint64_t>(error);
  if (error || !found->is_number() || found->is_double()) return std::nullopt;
  return number;
}

Status read_file(const json::value& value, std::uint64_t number, BackupFile& file) {
  const json::object* object = value.if_object();
  if (object == nullptr) return damaged("a file is no object");
  const auto path = text_of(*object, "path");
  const auto stored = text_of(*object, "stored");
  const auto bytes = number_of(*object, "bytes");
  const auto sha256 = text_of(*object, "sha256");
  if (!path || !stored || !bytes || !sha256) return damaged("a file lacks a member");
  if (!is_path(*path)) return damaged("no path of a store: " + write_json_string(*path));
  if (!is_stored(*stored, number, *path)) {
    return damaged("no path of a backup: " + write_json_string(*stored));
  }
  if (!is_sha256(*sha256)) return damaged("no checksum: " + write_json_string(*sha256));
  file = {*path, *stored, *bytes, *sha256};
  return Status();
}

// Opening needs these; a path that comes twice would be written twice.
Status check_files(const std::vector<BackupFile>& files) {
  std::set<std::string_view> paths;
  for (const BackupFile& file : files) {
    if (!paths.insert(file.path).second) return damaged("it has \"" + file.path + "\" twice");
  }
  for (const std::string_view needed : {"store.mark", "db/CURRENT"}) {
    if (!paths.contains(needed)) return damaged("it lacks \"" + std::string(needed) + "\"");
  }
  return Status();
}

Result<Manifest> read_manifest(const json::object& object) {
  const auto format = number_of(object, "format");
  if (!format) return damaged("it has no format");
  if (*format != kManifestFormat) {
    return Status(Code::kUnsupported,
                  "a later release of edged wrote this backup, in format " +
                      std::to_string(*format) + "; this release reads format 1");
  }
  const auto number = number_of(object, "number");
  const auto created = text_of(object, "created");
  const auto time = created ? parse_rfc3339(*created) : std::nullopt;
  const auto store = text_of(object, "store");
  const json::value* files = object.if_contains("files");
  if (!number || *number == 0 || *number > kNumberMax || !time || !store || store->empty() ||
      store->size() > kStoreBytesMax || files == nullptr || !files->is_array()) {
    return damaged("a member is missing or wrong");
  }
  Manifest manifest{*number, *time, *store, {}};
  for (const json::value& one : files->get_array()) {
    manifest.files.emplace_back();
    if (Status read = read_file(one, *number, manifest.files.back()); !read.ok()) return read;
  }
  if (Status checked = check_files(manifest.files); !checked.ok()) return checked;
  return manifest;
}

}  // namespace

std::uint64_t Manifest::bytes() const {
  std::uint64_t sum = 0;
  for (const BackupFile& file : files) sum += file.bytes;
  return sum;
}

std::string directory_name(std::uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < kDirectoryDigits) digits.insert(0, kDirectoryDigits - digits.size(), '0');
  return digits;
}

std::string render_manifest(const Manifest& manifest) {
  std::string text = "{\"format\":" + std::to_string(kManifestFormat);
  text += ",\n\"number\":" + std::to_string(manifest.number);
  text += ",\n\"created\":" + write_json_string(format_rfc3339(manifest.created));
  text += ",\n\"store\":" + write_json_string(manifest.store) + ",\n\"files\":[";
  const char* separator = "\n";
  for (const BackupFile& file : manifest.files) {
    text += separator;
    text += "{\"path\":" + write_json_string(file.path);
    text += ",\"stored\":" + write_json_string(file.stored);
    text += ",\"bytes\":" + std::to_string(file.bytes);
    text += ",\"sha256\":\"" + file.sha256 + "\"}";
    separator = ",\n";
  }
  text += "\n],";
  const std::string sum = sha256_of(text);
  text += kChecksumLine;
  text += sum + "\"}\n";
  return text;
}

Result<Manifest> parse_manifest(std::string_view text) {
  const std::size_t at = text.rfind(kChecksumLine);
  if (at == std::string_view::npos) return damaged("it is not whole");
  std::string end(kChecksumLine);
  end += sha256_of(text.substr(0, at)) + "\"}\n";
  if (text.substr(at) != end) return damaged("its checksum is wrong");
  json::error_code error;
  const json::value value = json::parse({text.data(), text.size()}, error);
  if (error || !value.is_object()) return damaged("it is no JSON object");
  return read_manifest(value.get_object());
}

}  // namespace edged::backup
