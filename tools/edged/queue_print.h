// SPDX-License-Identifier: Apache-2.0
// What `edged queue` prints on stdout. The rows are JSON objects (worker/queue/queue_admin.h); with
// `json` they are printed as they are. Any thread.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

namespace edged {

void print_queues(const std::vector<std::string>& rows, bool json);
void print_messages(const std::vector<std::string>& rows, bool json);
void print_dead(const std::vector<std::string>& rows, bool json);
// One line, or the object.
void print_done(const std::string& line, const boost::json::object& object, bool json);

}  // namespace edged
