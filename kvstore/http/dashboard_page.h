// SPDX-License-Identifier: Apache-2.0
// The files of the dashboard: a page at "/", its scripts and styles below "/dashboard/". They are
// compiled into the program (the folder dashboard/, and the chart library of the Debian package
// libjs-dygraphs). They hold no data, so they are served without a token; the page asks for its
// data by requests of its own. Every answer forbids the browser whatever the page does not need
// (Content-Security-Policy): scripts and styles in the page's text, other hosts, frames, forms.
#pragma once

#include <string_view>
#include <vector>

#include "proto/http/server.h"

namespace edged::kv_http {

struct EmbeddedFile {
  std::string_view name;  // "main.js"
  std::string_view bytes;
  std::string_view gzip;  // the same, compressed
};

// Defined in a file that the build generates.
std::vector<EmbeddedFile> dashboard_files();

// Whether an Accept-Encoding header allows gzip (RFC 9110 section 12.5.3). Pure.
bool accepts_gzip(std::string_view header);

// Before Server::listen().
void add_dashboard_page(http::Server& server);

}  // namespace edged::kv_http
