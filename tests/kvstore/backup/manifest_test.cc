// SPDX-License-Identifier: Apache-2.0
// Manifests: what is written is read, and nothing else is believed.
#include "kvstore/backup/manifest.h"

#include <gtest/gtest.h>

#include "kvstore/backup/file_copy.h"

namespace edged::backup {
namespace {

const std::string kSum(64, 'a');

Manifest example() {
  Manifest manifest;
  manifest.number = 3;
  manifest.created = from_unix_ms(1'767'225'600'123);
  manifest.store = "a0b1";
  manifest.files = {{"db/000012.sst", "tables/x-1.sst", 4096, kSum},
                    {"db/CURRENT", "000003/db/CURRENT", 16, kSum},
                    {"store.mark", "000003/store.mark", 592, kSum}};
  return manifest;
}

// With a right checksum, whatever it says.
std::string signed_text(std::string text) {
  text += "\n\"sha256\":\"" + sha256_of(text) + "\"}\n";
  return text;
}

TEST(ManifestTest, WhatIsWrittenIsRead) {
  const Manifest manifest = example();
  const auto read = parse_manifest(render_manifest(manifest));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->number, 3u);
  EXPECT_EQ(read->created, manifest.created);
  EXPECT_EQ(read->store, "a0b1");
  EXPECT_EQ(read->files, manifest.files);
  EXPECT_EQ(read->bytes(), 4096u + 16 + 592);
}

TEST(ManifestTest, NoByteMayChangeAndNoneMayBeMissing) {
  const std::string text = render_manifest(example());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(parse_manifest(changed).code(), Code::kCorruption) << i;
    EXPECT_EQ(parse_manifest(std::string_view(text).substr(0, i)).code(), Code::kCorruption) << i;
  }
  EXPECT_EQ(parse_manifest(text + " ").code(), Code::kCorruption);
}

TEST(ManifestTest, HostilePathsAreRefused) {
  struct Case {
    const char* path;
    const char* stored;
  };
  for (const Case& one : {Case{"../x", "tables/x"},
                          Case{"db/../../x", "tables/x"},
                          Case{"db/", "tables/x"},
                          Case{"db/..", "tables/x"},
                          Case{"db/a/b", "tables/x"},
                          Case{"/etc/passwd", "tables/x"},
                          Case{"tokens.json", "000003/tokens.json"},
                          Case{"db/x", "tables/../../x"},
                          Case{"db/x", "tables/"},
                          Case{"db/x", "/etc/passwd"},
                          Case{"db/x", "000002/db/x"},
                          Case{"db/x", "000003/db/y"},
                          Case{"db/x\n", "tables/x"}}) {
    Manifest manifest = example();
    manifest.files.push_back({one.path, one.stored, 1, kSum});
    EXPECT_EQ(parse_manifest(render_manifest(manifest)).code(), Code::kCorruption) << one.path;
  }
}

TEST(ManifestTest, WhatMakesNoStoreIsRefused) {
  Manifest twice = example();
  twice.files.push_back(twice.files.front());
  EXPECT_EQ(parse_manifest(render_manifest(twice)).code(), Code::kCorruption);
  for (std::size_t missing : {1, 2}) {
    Manifest manifest = example();
    manifest.files.erase(manifest.files.begin() + static_cast<std::ptrdiff_t>(missing));
    EXPECT_EQ(parse_manifest(render_manifest(manifest)).code(), Code::kCorruption) << missing;
  }
  Manifest sum = example();
  sum.files.front().sha256 = "abc";
  EXPECT_EQ(parse_manifest(render_manifest(sum)).code(), Code::kCorruption);
  for (const std::uint64_t number : {std::uint64_t{0}, kNumberMax + 1}) {
    Manifest manifest = example();
    manifest.number = number;
    EXPECT_EQ(parse_manifest(render_manifest(manifest)).code(), Code::kCorruption) << number;
  }
}

TEST(ManifestTest, AnyTextWithARightChecksumIsJudged) {
  for (const char* text : {"",
                           "{",
                           "[]",
                           "{}",
                           "{\"format\":\"1\",",
                           "{\"format\":1,",
                           "null",
                           "{\"format\":1,\"number\":1,\"created\":\"x\",\"store\":\"s\",",
                           "{\"format\":1,\"format\":1.5,"}) {
    EXPECT_EQ(parse_manifest(signed_text(text)).code(), Code::kCorruption) << text;
  }
  EXPECT_EQ(parse_manifest(signed_text("{\"format\":2,")).code(), Code::kUnsupported);
}

}  // namespace
}  // namespace edged::backup
