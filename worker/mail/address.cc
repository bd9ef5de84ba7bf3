// SPDX-License-Identifier: Apache-2.0
// The checks of an address, part by part; libidn2 turns an internationalised domain into ASCII.
#include "worker/mail/address.h"

#include <idn2.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "worker/mail/mime.h"

namespace edged::mail {
namespace {

constexpr std::size_t kAddressBytesMax = 254;  // RFC 5321, erratum 1690
constexpr std::size_t kLocalBytesMax = 64;     // RFC 5321, 4.5.3.1.1
constexpr std::size_t kLabelBytesMax = 63;     // RFC 1035, 2.3.4
constexpr std::size_t kNameBytesMax = 200;
constexpr std::string_view kBlanks = " \t\r\n\f\v";
constexpr std::string_view kNoBreakSpace = "\xC2\xA0";

std::string_view trim(std::string_view text) {
  for (;;) {
    const std::size_t before = text.size();
    if (!text.empty() && kBlanks.find(text.front()) != text.npos) text.remove_prefix(1);
    if (!text.empty() && kBlanks.find(text.back()) != text.npos) text.remove_suffix(1);
    if (text.starts_with(kNoBreakSpace)) text.remove_prefix(kNoBreakSpace.size());
    if (text.ends_with(kNoBreakSpace)) text.remove_suffix(kNoBreakSpace.size());
    if (text.size() == before) return text;
  }
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

// Empty, or why `text` cannot be a list of non-empty parts between single dots.
std::string dot_fault(std::string_view text, const std::string& part) {
  if (text.starts_with('.')) return part + " begins with a dot";
  if (text.ends_with('.')) return part + " ends with a dot";
  if (text.find("..") != text.npos) return part + " has two dots in a row";
  return {};
}

// Empty, or why `local` cannot stand left of '@' (the dot-string of RFC 5321).
std::string local_fault(std::string_view local) {
  constexpr std::string_view kMarks = "!#$%&'*+-/=?^_`{|}~.";
  const std::string part = "the part before '@'";
  if (local.empty()) return "nothing stands before '@'";
  if (local.starts_with('"')) return "a quoted part before '@' is not supported";
  if (!is_ascii(local)) return part + " is not ASCII, which needs SMTPUTF8 and is not supported";
  for (const char c : local) {
    if (c == ' ') return part + " holds a blank";
    if (!is_alphanumeric(c) && kMarks.find(c) == kMarks.npos) {
      return part + " holds the character '" + std::string(1, c) + "', which is not allowed there";
    }
  }
  if (local.size() > kLocalBytesMax) return part + " has more than 64 bytes";
  return dot_fault(local, part);
}

// Empty, or why `label` cannot be a part of a host name (RFC 1123, 2.1).
std::string label_fault(std::string_view label) {
  const std::string quoted = "the domain's label \"" + one_line(label, kLabelBytesMax) + "\"";
  if (label.size() > kLabelBytesMax) return quoted + " has more than 63 bytes";
  if (label.starts_with('-') || label.ends_with('-')) {
    return quoted + " begins or ends with a hyphen";
  }
  for (const char c : label) {
    if (!is_alphanumeric(c) && c != '-') {
      return "the domain holds the character '" + std::string(1, c) +
             "', which is not allowed there";
    }
  }
  return {};
}

// Empty, or why the ASCII `domain` cannot be one.
std::string domain_fault(std::string_view domain) {
  const std::string dots = dot_fault(domain, "the domain");
  if (!dots.empty()) return dots;
  std::string_view label;
  for (std::string_view rest = domain; !rest.empty();) {
    const std::size_t end = std::min(rest.find('.'), rest.size());
    label = rest.substr(0, end);
    const std::string fault = label_fault(label);
    if (!fault.empty()) return fault;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (label.find_first_not_of("0123456789") == label.npos) {
    return "the domain is an IP address or ends with a number; give a host name";
  }
  return {};
}

// `domain` in its ASCII form, lower case. Errors: kInvalidArgument with the reason alone.
Result<std::string> ascii_domain(std::string_view domain) {
  const auto invalid = [](std::string why) {
    return Status(Code::kInvalidArgument, std::move(why));
  };
  if (domain.empty()) return invalid("nothing stands after '@'");
  if (domain.find('@') != domain.npos) return invalid("it holds more than one '@'");
  if (domain.starts_with('[')) return invalid("an IP address for a domain is not supported");
  if (domain.find_first_of(" \t") != domain.npos) return invalid("the domain holds a blank");
  if (is_ascii(domain)) {
    // Before libidn2, whose reasons are less plain.
    std::string fault = domain_fault(domain);
    if (!fault.empty()) return invalid(std::move(fault));
  }
  std::uint8_t* raw = nullptr;
  const int code =
      idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(std::string(domain).c_str()),
                     &raw,
                     IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const std::unique_ptr<std::uint8_t, void (*)(void*)> owner(raw, idn2_free);
  if (code != IDN2_OK) {
    return invalid(std::string("the domain has no ASCII form: ") + idn2_strerror(code));
  }
  std::string ascii(reinterpret_cast<const char*>(raw));
  std::string fault = domain_fault(ascii);
  if (!fault.empty()) return invalid(std::move(fault));
  return ascii;
}

// The text of `name` without the quotes around it, and without the backslashes in them.
std::string unquoted(std::string_view name) {
  if (name.size() < 2 || name.front() != '"' || name.back() != '"') return std::string(name);
  std::string out;
  for (std::size_t i = 1; i + 1 < name.size(); ++i) {
    if (name[i] == '\\' && i + 2 < name.size()) ++i;
    out += name[i];
  }
  return out;
}

// Whether `name`, which stands before '<', holds another address: "a@b.example, N <c@d.example>".
bool holds_address(std::string_view name) {
  if (name.starts_with('"')) return false;
  return name.find('<') != name.npos ||
         (name.find('@') != name.npos && name.find_first_of(",;") != name.npos);
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  const auto invalid = [text](std::string_view why) {
    return Status(Code::kInvalidArgument,
                  "invalid mail address \"" + one_line(text, 100) + "\": " + std::string(why));
  };
  std::string_view bare = trim(text);
  if (bare.empty()) return invalid("it is empty");
  for (const char c : bare) {
    if (is_control(c)) return invalid("it holds a line break or another control character");
  }
  Address address;
  if (const std::size_t open = bare.rfind('<'); open != bare.npos) {
    if (bare.back() != '>') return invalid("'<' without '>' at the end");
    const std::string_view name = trim(bare.substr(0, open));
    if (holds_address(name)) return invalid("it holds several addresses; give one");
    address.display_name = one_line(unquoted(name), kNameBytesMax);
    bare = trim(bare.substr(open + 1, bare.size() - open - 2));
  }
  if (bare.find_first_of(",;") != bare.npos) return invalid("it holds several addresses; give one");
  // The first '@': a second one is a fault, since a quoted local part is not taken.
  const std::size_t at = bare.find('@');
  if (at == bare.npos) return invalid("it has no '@'");
  const std::string_view local = bare.substr(0, at);
  const std::string fault = local_fault(local);
  if (!fault.empty()) return invalid(fault);
  Result<std::string> domain = ascii_domain(bare.substr(at + 1));
  if (!domain) return invalid(domain.error().message());
  address.domain = *std::move(domain);
  address.bare = std::string(local) + "@" + address.domain;
  if (address.bare.size() > kAddressBytesMax) return invalid("it has more than 254 bytes");
  return address;
}

}  // namespace edged::mail
