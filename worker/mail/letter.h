// SPDX-License-Identifier: Apache-2.0
// A mail as it waits in queue `email`: whom it is for, and either its content or what an
// application's kind makes the content of. The body is a JSON object:
//
//   to           required, an address
//   key          unique for ever: the Message-ID is <key@domain of from>; without it the queue
//                message's id makes one
//   from, url    frozen when it was queued; without them mail.from and worker.public_url
//   valid_until  RFC 3339; later it is not sent, or, with a kind, looked at as a late one
//   kind, data   an application's mail, and what it needs to know (an object)
//   subject, text, html, headers   the content of a mail without a kind; headers is an object
//
// Pure; any thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::mail {

// What a mail says.
struct Content {
  std::string subject, text, html;  // text with LF line ends; html may be empty
  std::vector<std::pair<std::string, std::string>> headers{};
};

struct Letter {
  std::string key, kind, recipient, from, url;
  std::optional<WallTime> valid_until{};
  boost::json::object data{};
  Content content{};  // of a letter without a kind
  // Of the queue: the message, the claim that holds it, attempts (this one included).
  std::int64_t message_id = 0, claim = 0;
  int attempts = 0;
  WallTime sent_at{};    // when it was queued: the Date header
  bool is_late = false;  // valid_until has passed
};

// Whether `key` can stand left of '@' in a Message-ID: a dot-atom (RFC 5322) of 1 to 200 bytes.
bool is_message_key(std::string_view key);

// Errors: kInvalidArgument with the reason if the body is no such object, names no recipient or has
// neither kind nor content, or if the key cannot be a Message-ID's left side. Fills in neither
// `from` nor `url` nor what is of the queue, except that a missing key is made of `message_id`.
Result<Letter> parse_letter(std::string_view body, std::int64_t message_id);

// What becomes of a letter, said just before it would be sent.
struct Judgement {
  enum class Kind {
    kSend,
    kDrop,      // not sent; the sender records `reason`
    kDropped,   // not sent; whoever judged has recorded it and ended the queue message
    kAskFirst,  // LetterKind::ask() decides
    kRetry,     // not now
    kLost,      // somebody else holds the letter: leave it alone
  };
  Kind kind = Kind::kSend;
  std::string reason{};
};

// An application's mails, registered with the Sender under a name. The object outlives the Sender's
// coroutines.
class LetterKind {
 public:
  virtual ~LetterKind() = default;

  // What the letter says. Pure: the same letter always gives the same content.
  // Errors: kInvalidArgument; the letter is buried with the message.
  virtual Result<Content> render(const Letter& letter) const = 0;

  // The last look at letters that are about to be sent: one statement for all of them, an answer
  // for each in their order. Errors: all are tried again later.
  virtual boost::asio::awaitable<Result<std::vector<Judgement>>> recheck(
      std::vector<Letter> letters) = 0;

  // Decides on a letter after kAskFirst. May take long; called beside other letters, and for a few
  // at once only. Must not answer kAskFirst. Errors: tried again later.
  virtual boost::asio::awaitable<Result<Judgement>> ask(Letter letter) = 0;
};

}  // namespace edged::mail
