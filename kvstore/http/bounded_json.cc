// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/bounded_json.h"

#include <new>
#include <string>
#include <utility>

namespace edged::kv_http {
namespace {

namespace json = boost::json;

json::parse_options options() {
  json::parse_options result;
  result.max_depth = 512;
  return result;
}

Status not_json(const std::string& why) {
  return {Code::kInvalidArgument, std::string("the body is not JSON: ").append(why)};
}

}  // namespace

class BoundedJson::Memory final : public json::memory_resource {
 public:
  explicit Memory(std::size_t bytes_max) : left_(bytes_max) {}

  bool used_up() const { return used_up_; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (bytes > left_) {
      used_up_ = true;
      throw std::bad_alloc();  // Boost.JSON's way; caught in feed() and finish()
    }
    void* memory = ::operator new(bytes, std::align_val_t(alignment));
    left_ -= bytes;
    return memory;
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
    ::operator delete(memory, std::align_val_t(alignment));
    left_ += bytes;
  }
  bool do_is_equal(const json::memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::size_t left_;
  bool used_up_ = false;
};

BoundedJson::BoundedJson(std::size_t memory_bytes_max)
    : memory_(std::make_shared<Memory>(memory_bytes_max)),
      parser_(json::storage_ptr(memory_.get()), options()) {
  parser_.reset(json::storage_ptr(memory_.get()));
}

BoundedJson::~BoundedJson() = default;

Status BoundedJson::feed(std::string_view piece) {
  json::error_code error;
  try {
    parser_.write(piece.data(), piece.size(), error);
  } catch (const std::bad_alloc&) {
    if (!memory_->used_up()) throw;
    return {Code::kTooLarge, "the body has too many values"};
  }
  return error ? not_json(error.message()) : Status();
}

Result<const json::value*> BoundedJson::finish() {
  json::error_code error;
  try {
    parser_.finish(error);
    if (error) return not_json(error.message());
    document_.emplace(parser_.release());
  } catch (const std::bad_alloc&) {
    if (!memory_->used_up()) throw;
    return Status(Code::kTooLarge, "the body has too many values");
  }
  return static_cast<const json::value*>(&*document_);
}

}  // namespace edged::kv_http
