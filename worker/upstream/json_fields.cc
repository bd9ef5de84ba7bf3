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
  const std::array<std::string_view, 13> all{fields.list,
                                             fields.class_nbr,
                                             fields.term,
                                             fields.subject,
                                             fields.catalog_nbr,
                                             fields.title,
                                             fields.instructor,
                                             fields.location,
                                             fields.meeting_times,
                                             fields.seats_available,
                                             fields.seats_capacity,
                                             fields.non_reserved_seats,
                                             fields.seats_taken};
  for (const std::string_view pointers : all) {
    for (const std::string_view pointer : split_pointers(pointers)) {
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
  return {};
}

}  // namespace edged::upstream
