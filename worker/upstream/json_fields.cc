// SPDX-License-Identifier: Apache-2.0
// See json_fields.h.
#include "worker/upstream/json_fields.h"

#include <algorithm>
#include <array>

namespace edged::upstream {
namespace {

bool is_pointer(std::string_view pointer) {
  if (!pointer.starts_with('/')) return false;
  for (std::size_t i = pointer.find('~'); i != std::string_view::npos;
       i = pointer.find('~', i + 1)) {
    if (i + 1 == pointer.size() || (pointer[i + 1] != '0' && pointer[i + 1] != '1')) return false;
  }
  return true;
}

}  // namespace

std::vector<std::string_view> split_pointers(std::string_view pointers) {
  std::vector<std::string_view> all;
  while (!pointers.empty()) {
    const std::size_t end = std::min(pointers.find(' '), pointers.size());
    if (end > 0) all.push_back(pointers.substr(0, end));
    pointers.remove_prefix(std::min(end + 1, pointers.size()));
  }
  return all;
}

std::string check_json_fields(const JsonFields& fields) {
  struct Field {
    std::string_view name, pointers;
    bool several = true;
  };
  const std::array<Field, 14> all{{{"list", fields.list, false},
                                   {"class_nbr", fields.class_nbr},
                                   {"term", fields.term},
                                   {"subject", fields.subject},
                                   {"catalog_nbr", fields.catalog_nbr},
                                   {"title", fields.title},
                                   {"instructor", fields.instructor},
                                   {"location", fields.location},
                                   {"meeting_times", fields.meeting_times},
                                   {"seats_available", fields.seats_available, false},
                                   {"seats_capacity", fields.seats_capacity, false},
                                   {"non_reserved_seats", fields.non_reserved_seats, false},
                                   {"seats_taken", fields.seats_taken, false},
                                   {"status", fields.status, false}}};
  for (const Field& field : all) {
    if (!field.several && field.pointers.find(' ') != std::string_view::npos) {
      return std::string(field.name) + " takes one pointer, without blanks";
    }
    for (const std::string_view pointer : split_pointers(field.pointers)) {
      if (!is_pointer(pointer)) {
        return "\"" + std::string(pointer) + "\" is not a JSON pointer like /data/seats";
      }
    }
  }
  if (!fields.list.empty() && fields.class_nbr.empty()) {
    return "list needs class_nbr, by which the section is found in it";
  }
  const bool seats = !fields.seats_available.empty() ||
                     (!fields.seats_capacity.empty() && !fields.seats_taken.empty());
  return seats ? "" : "needs seats_available, or seats_capacity and seats_taken";
}

bool has_dot_segment(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const std::size_t scheme = url.find("://");
  std::size_t slash = url.find('/', scheme == std::string_view::npos ? 0 : scheme + 3);
  while (slash != std::string_view::npos) {
    const std::size_t end = url.find('/', slash + 1);
    const std::string_view segment = url.substr(slash + 1, end - slash - 1);
    if (segment == "." || segment == "..") return true;
    slash = end;
  }
  return false;
}

std::string check_url_template(std::string_view url) {
  std::string rest(url);
  for (const std::string_view name : {"{class_nbr}", "{term}"}) {
    for (std::size_t i = rest.find(name); i != std::string::npos; i = rest.find(name)) {
      rest.erase(i, name.size());
    }
  }
  if (rest.find_first_of("{}") != std::string::npos) {
    return "may hold {class_nbr} and {term} in braces, nothing else";
  }
  if (has_dot_segment(url)) return "must not hold /./ or /../";
  return {};
}

}  // namespace edged::upstream
