// SPDX-License-Identifier: Apache-2.0
// A message as a transport takes it, and what all messages of an installation share.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace edged::mail {

struct MailIdentity {
  std::string from;                  // "PickMyClass <notify@example.org>"
  std::string public_url;            // "https://pickmyclass.example" or empty
  std::string unsubscribe_secret{};  // empty: mails have no link to unsubscribe
};

struct Message {
  std::string message_id;  // without angle brackets: "{notification_id}@{domain of from}"
  std::string sender;      // the bare address of `from`
  std::string recipient;
  std::string content;  // CRLF lines: headers, then multipart/alternative of text and HTML
  // The same once more in parts, for providers that make the content themselves.
  std::string from{}, subject{}, text{}, html{};
  std::vector<std::pair<std::string, std::string>> headers{};  // besides those of the content
};

}  // namespace edged::mail
