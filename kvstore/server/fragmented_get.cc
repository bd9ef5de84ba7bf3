// SPDX-License-Identifier: Apache-2.0
// See fragmented_get.h.
#include "kvstore/server/fragmented_get.h"

#include <algorithm>
#include <utility>

#include "kvstore/server/mirror_terms.h"
#include "kvstore/server/operations.h"

namespace edged::server {
namespace {

class FragmentedGet : public std::enable_shared_from_this<FragmentedGet> {
 public:
  FragmentedGet(std::unique_ptr<storage::ValueReader> reader,
                const ReplyTo& to,
                std::uint16_t flags,
                MirrorTerms terms,
                Delivery delivery)
      : reader_(std::move(reader)),
        to_(to),
        terms_(std::move(terms)),
        fields_(entry_fields(reader_->entry(), flags)),
        delivery_(std::move(delivery)),
        rest_(reader_->value_bytes()),
        fits_(rest_ + wire::kExtBytesMax <= to.body_bytes_max) {
    terms_.add_to(fields_);
    if (!fits_) fields_.value_bytes = rest_;
  }

  // The response of a value that fits a frame.
  Code append_whole(std::string& out) {
    std::string value;
    value.reserve(rest_);
    for (;;) {
      Result<std::string> piece = reader_->read();
      if (!piece) return append_failure(to_, piece.error(), out);
      if (piece->empty()) return append_reply(to_, fields_, value, out);
      value += *piece;
    }
  }

  // Appends the next fragments, of one piece, or all if it fits a frame. True if more follow.
  bool append_next(std::string& out) {
    if (fits_) {
      append_whole(out);
      return false;
    }
    Result<std::string> piece = reader_->read();
    if (piece && piece->empty()) {
      piece = Status(Code::kInternal, "could not read value: it ended too early");
    }
    if (!piece) {
      append_failure(to_, piece.error(), out);
      return false;
    }
    for (std::string_view unsent = *piece; !unsent.empty();) {
      const std::size_t room = to_.body_bytes_max - wire::fields_bytes(fields_);
      const std::string_view part = unsent.substr(0, room);
      unsent.remove_prefix(part.size());
      rest_ -= part.size();
      const std::uint16_t more = rest_ > 0 ? wire::kFlagMore : std::uint16_t{0};
      const auto flags = static_cast<std::uint16_t>(to_.flags | more);
      wire::append_response({to_.opcode, flags, to_.id, Code::kOk, fields_, part}, out);
      fields_ = {};  // the first fragment said it all
    }
    return rest_ > 0;
  }

  bool fits() const { return fits_; }

  std::function<void()> go_on() {
    return [self = shared_from_this()] {
      const Delivery& delivery = self->delivery_;
      delivery.pool.post_always(delivery.completion.get(), [self] { self->deliver_next(); });
    };
  }

 private:
  void deliver_next() {
    std::string out;
    if (append_next(out)) {
      delivery_.completion->complete_part(delivery_.ticket, std::move(out), go_on());
    } else {
      delivery_.completion->complete(delivery_.ticket, std::move(out));
    }
  }

  const std::unique_ptr<storage::ValueReader> reader_;
  const ReplyTo to_;
  const MirrorTerms terms_;  // fields_ refers to it
  wire::Fields fields_;
  const Delivery delivery_;
  std::uint64_t rest_;  // bytes not yet sent
  const bool fits_;     // in one frame
};

}  // namespace

Code answer_get_from_disk(storage::Store& store,
                          const wire::Request& request,
                          const ReplyTo& to,
                          const Delivery& delivery,
                          KeyCounts& counts,
                          std::string& out,
                          std::function<void()>& go_on) {
  MirrorTerms terms(store, request, request.ns, request.key);
  Result<std::unique_ptr<storage::ValueReader>> reader =
      terms.status().ok() ? store.open_value(request.ns, request.key, terms.reader())
                          : Result<std::unique_ptr<storage::ValueReader>>(terms.status());
  if (!reader || !terms.confirm().ok()) {
    // Misses, leases, refusals, and stores that do not read in pieces.
    return *answer_get(store, request, to, storage::ReadTier::kDisk, counts, out);
  }
  ++counts.hits;
  const bool large = (*reader)->value_bytes() > kWholeValueBytesMax;
  const auto stream = std::make_shared<FragmentedGet>(
      *std::move(reader), to, request.flags, std::move(terms), delivery);
  if (large || !stream->fits()) {
    go_on = stream->go_on();
    return Code::kOk;
  }
  return stream->append_whole(out);
}

}  // namespace edged::server
