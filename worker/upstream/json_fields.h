// SPDX-License-Identifier: Apache-2.0
// Where the fields of a section are in the answer of an HTTP API: JSON pointers (RFC 6901), as the
// configuration has them. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/upstream/words.h"

namespace edged::upstream {

// Pointers; empty: the answer does not have it. Those of texts may be several, with blanks between:
// what they point to is joined by a space.
struct JsonFields {
  std::string list;       // of sections, among which the one asked for is found; empty: the answer
                          // is the section, or the list. The others are relative to a section
  std::string class_nbr;  // must be the one asked for; required with a list
  std::string term;       // the same
  std::string subject, catalog_nbr, title, instructor, location, meeting_times;
  std::string seats_available, seats_capacity, non_reserved_seats;
  std::string seats_taken;  // without seats_available: capacity minus this is available
  std::string status;       // tells whether the section is cancelled
};

// What a section has of which the answer tells seats but not the field: an API that leaves the
// instructor out where nobody is assigned needs {instructor: "Staff"}, since what is missing is
// unknown.
struct JsonDefaults {
  std::optional<std::string> subject, catalog_nbr, title, instructor, location, meeting_times;
};

// How values of the answer are read.
struct JsonValues {
  ZeroWords zero_words;
  std::vector<std::string> cancelled;  // the values of JsonFields::status that mean cancelled
};

// Of the fields or the URL: empty if a source can be made of them, else why not. Pure.
std::string check_json_fields(const JsonFields& fields);
std::string check_url_template(std::string_view url);

// True if the path of `url` has a segment "." or "..", which is taken out of it with what it stands
// for. Pure.
bool has_dot_segment(std::string_view url);

// The pointers of a field: its text at the blanks. Pure.
std::vector<std::string_view> split_pointers(std::string_view pointers);

}  // namespace edged::upstream
