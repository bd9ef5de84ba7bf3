// SPDX-License-Identifier: Apache-2.0
// Messages of KVB/1 (docs/protocol.md, "Operations"): opcodes, requests, responses, and the items
// that requests and responses for several keys carry. Decoded messages are views into the frame
// they came from. Pure functions; safe on any bytes; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/status.h"
#include "proto/wire/fields.h"
#include "proto/wire/frame.h"

namespace edged::wire {

// Numbers are fixed for ever. A server answers kUnsupported to those it does not implement.
enum class Opcode : std::uint8_t {
  kGet = 0x01,
  kPut = 0x02,
  kPutIfAbsent = 0x03,
  kPutIfPresent = 0x04,
  kPutIfVersion = 0x05,
  kDelete = 0x06,
  kDeleteIfVersion = 0x07,
  kTouch = 0x08,
  kGetAndTouch = 0x09,
  kAdd = 0x0A,
  kMultiGet = 0x0B,
  kMultiPut = 0x0C,
  kMultiDelete = 0x0D,
  kList = 0x0E,
  kLeasePut = 0x0F,
  kInvalidate = 0x10,
  kBatch = 0x11,         // atomic, with conditions
  kCheckPresent = 0x12,  // these three are items of a batch only
  kCheckAbsent = 0x13,
  kCheckVersion = 0x14,
  kOpen = 0x20,
  kAuth = 0x21,
  kPing = 0x22,
  kStats = 0x23,
  kWatch = 0x24,
  kCancel = 0x25,
  kGoAway = 0x26,  // pushed by a server that drains; never a request
  kNamespaceCreate = 0x30,
  kNamespaceList = 0x31,
  kNamespaceRename = 0x32,
  kNamespaceDelete = 0x33,
  kNamespaceClear = 0x34,
  kNamespaceUsage = 0x35,
  kClockConfirm = 0x36,
  kTokenCreate = 0x38,
  kTokenList = 0x39,
  kTokenRevoke = 0x3A,
};

// "get", "put_if_absent", …; "unknown" for a number without a name. Metrics use it as label.
std::string_view opcode_name(Opcode opcode);

struct Request {
  Opcode opcode = Opcode::kPing;
  std::uint16_t flags = 0;
  std::uint32_t id = 0;
  std::uint32_t ns = 0;  // the handle that OPEN answered; 0 where none is needed
  Fields fields;
  std::string_view key;
  std::string_view value;
};

struct Response {
  Opcode opcode = Opcode::kPing;
  std::uint16_t flags = 0;  // kFlagCrc, kFlagMore
  std::uint32_t id = 0;
  Code status = Code::kOk;
  Fields fields;
  std::string_view value;
};

// One of several in a value: of MGET, MPUT, MDEL and BATCH requests and their responses, of LIST
// and NAMESPACE_LIST responses, and of what a watch pushes.
struct Item {
  Opcode opcode = Opcode::kGet;  // what is asked; responses echo it
  Code status = Code::kOk;       // kOk in requests
  Fields fields;
  std::string_view key;
  std::string_view value;
};

// An item without fields.
struct PlainItem {
  Opcode opcode = Opcode::kGet;
  Code status = Code::kOk;
  std::string_view key;
  std::string_view value;
};

// Requires a key of at most kKeyBytesMax and a body of at most kBodyBytesMax bytes.
void append_request(const Request& request, std::string& out);
void append_response(const Response& response, std::string& out);
// A response without fields.
void append_plain_response(const Header& request,
                           Code status,
                           std::string_view value,
                           std::string& out);
// What a server sends unasked. The same shape as a response; `id` is that of the request it belongs
// to, 0 if it concerns the connection.
void append_push(const Response& push, std::string& out);
void append_item(const Item& item, std::string& out);
void append_plain_item(const PlainItem& item, std::string& out);
// The header of a response; then come the bytes of its body, then finish_frame() with the position
// that this returns. `flags` as in Response.
std::size_t begin_response(
    Opcode opcode, std::uint16_t flags, std::uint32_t id, Code status, std::string& out);

// The bytes append_item would append.
std::size_t item_bytes(const Item& item);

// Reads a frame that FrameReader gave. Opcode and flags are not judged here. Errors: kBadFrame,
// kUnsupported (a critical TLV).
Result<Request> decode_request(const Frame& frame);
// Pushes too.
Result<Response> decode_response(const Frame& frame);

// Reads the items of a value one by one. Errors as decode_request; the first one ends the reading.
class ItemReader {
 public:
  explicit ItemReader(std::string_view value) : rest_(value) {}

  // False at the end and after an error; then status() tells which.
  bool next(Item& item);
  const Status& status() const { return status_; }

 private:
  std::string_view rest_;
  Status status_;
};

// Reads items as long as they have no fields.
class PlainItemReader {
 public:
  explicit PlainItemReader(std::string_view value) : rest_(value) {}

  bool at_end() const { return rest_.empty(); }
  // False: the next item has fields or cannot be read, an ItemReader can tell which.
  bool next(PlainItem& item);

 private:
  std::string_view rest_;
};

}  // namespace edged::wire
