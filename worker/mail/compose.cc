// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/compose.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "worker/mail/mime.h"
#include "worker/mail/unsubscribe.h"

namespace edged::mail {
namespace {

constexpr std::size_t kSubjectBytesMax = 500;
constexpr std::size_t kHeaderBytesMax = 2000;
constexpr std::size_t kNameBytesMax = 60;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return out;
}

// Set here, or by the servers on the way.
bool is_reserved(std::string_view given) {
  static constexpr std::string_view kNames[] = {"from",
                                                "sender",
                                                "to",
                                                "cc",
                                                "bcc",
                                                "subject",
                                                "date",
                                                "message-id",
                                                "mime-version",
                                                "auto-submitted",
                                                "return-path",
                                                "received",
                                                "dkim-signature",
                                                "list-unsubscribe",
                                                "list-unsubscribe-post"};
  const std::string name = lower(given);
  return name.starts_with("content-") || name.starts_with("resent-") ||
         std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

// RFC 5322, 3.6.8.
bool is_field_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::all_of(
             name.begin(), name.end(), [](char c) { return c > ' ' && c < 127 && c != ':'; });
}

Status check_headers(const Content& content) {
  for (const auto& [name, value] : content.headers) {
    if (is_field_name(name) && !is_reserved(name)) continue;
    std::string text("header \"");
    text.append(one_line(name, 100)).append("\" is not the content's to set");
    return Status(Code::kInvalidArgument, std::move(text));
  }
  return Status();
}

std::string body_part(std::string_view type, const std::string& text) {
  std::string out("Content-Type: ");
  out.append(type).append("; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
  return out.append(quoted_printable(text));
}

std::string with_unix_lines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\r') {
      out += text[at];
    } else if (at + 1 == text.size() || text[at + 1] != '\n') {
      out += '\n';
    }
  }
  return out;
}

std::string text_with_link(std::string text, const std::string& link) {
  if (link.empty() || text.empty()) return text;
  if (text.back() != '\n') text += '\n';
  return text.append("\nUnsubscribe from all mails: ").append(link).append("\n");
}

std::string html_with_link(std::string html, const std::string& link) {
  if (link.empty() || html.empty()) return html;
  std::string line("<p style=\"font-size:small\"><a href=\"");
  line.append(html_escape(link)).append("\">Unsubscribe from all mails</a></p>\n");
  const std::size_t end = html.rfind("</body>");
  return html.insert(end == std::string::npos ? html.size() : end, line);
}

using Headers = std::vector<std::pair<std::string, std::string>>;

Headers headers_of(const Message& message, const Content& content, const std::string& link) {
  std::string id("<");
  id.append(message.message_id).append(">");
  Headers headers{{"Message-ID", std::move(id)}, {"Auto-Submitted", "auto-generated"}};
  if (!link.empty()) {
    std::string target("<");
    target.append(link).append(">");
    headers.emplace_back("List-Unsubscribe", std::move(target));
    headers.emplace_back("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
  }
  for (const auto& [name, value] : content.headers) {
    headers.emplace_back(name, one_line(value, kHeaderBytesMax));
  }
  return headers;
}

// Identifiers and links are neither folded nor encoded: they would not be read again.
std::string field(const std::pair<std::string, std::string>& header, const std::string& key) {
  const bool as_it_is = header.first == "Message-ID" || header.first == "List-Unsubscribe";
  if (!as_it_is && header.second != key) return header_field(header.first, header.second);
  std::string out(header.first);
  return out.append(": ").append(header.second).append("\r\n");
}

// The MIME headers and what they describe. "=_" never occurs in quoted-printable text, so no body
// line can look like the boundary.
std::string mime_body(const Message& message, const std::string& key) {
  std::string out("MIME-Version: 1.0\r\n");
  if (message.html.empty()) return out.append(body_part("text/plain", message.text));
  if (message.text.empty()) return out.append(body_part("text/html", message.html));
  std::string boundary("=_edged_");
  boundary.append(stable_hash(key));
  out.append("Content-Type: multipart/alternative; boundary=\"").append(boundary);
  out.append("\"\r\n\r\n--").append(boundary).append("\r\n");
  out.append(body_part("text/plain", message.text)).append("--").append(boundary).append("\r\n");
  out.append(body_part("text/html", message.html)).append("--").append(boundary).append("--\r\n");
  return out;
}

}  // namespace

Result<Message> compose(const Letter& letter,
                        const Content& content,
                        const MailIdentity& identity) {
  const std::string& sender = letter.from.empty() ? identity.from : letter.from;
  const std::string& url = letter.url.empty() ? identity.public_url : letter.url;
  const Result<Address> from = parse_address(sender);
  if (!from) return from.error().with_context("could not use the sender");
  const Result<Address> to = parse_address(letter.recipient);
  if (!to) return to.error().with_context("could not use the recipient");
  Status headers = check_headers(content);
  if (!headers.ok()) return headers;
  if (content.text.empty() && content.html.empty()) {
    return Status(Code::kInvalidArgument, "the mail has neither text nor HTML");
  }
  const std::string link = unsubscribe_link(url, identity.unsubscribe_secret, letter.recipient);
  Message message;
  message.message_id = letter.key;
  message.message_id.append("@").append(from->domain);
  message.sender = from->bare;
  message.recipient = to->bare;
  message.from = sender;
  message.subject = one_line(content.subject, kSubjectBytesMax);
  message.text = text_with_link(with_unix_lines(content.text), link);
  message.html = html_with_link(with_unix_lines(content.html), link);
  message.headers = headers_of(message, content, link);
  std::string& out = message.content;
  out = address_field("From", *from);
  out.append(address_field("To", Address{"", to->bare, ""}));
  out.append(header_field("Subject", message.subject));
  out.append("Date: ").append(mail_date(letter.sent_at)).append("\r\n");
  for (const auto& header : message.headers) out.append(field(header, letter.key));
  out.append(mime_body(message, letter.key));
  return message;
}

}  // namespace edged::mail
