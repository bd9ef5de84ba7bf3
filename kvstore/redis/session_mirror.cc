// SPDX-License-Identifier: Apache-2.0
// EDGED.GET and EDGED.FRESH: how fresh mirrored rows are, for which Redis has no word.
#include "kvstore/operations/freshness.h"
#include "kvstore/redis/session.h"
#include "kvstore/redis/text_numbers.h"

namespace edged::redis {
namespace {

// Empty: understood.
std::string read_terms(Arguments options, operations::FreshnessTerms& terms) {
  for (std::size_t i = 0; i + 1 < options.size(); i += 2) {
    if (equals_ignoring_case(options[i], "maxstaleness")) {
      const auto ms = to_integer(options[i + 1]);
      if (!ms || *ms < 0) return std::string(kNotInteger);
      terms.staleness_max = std::chrono::milliseconds(*ms);
    } else if (equals_ignoring_case(options[i], "minposition") && !options[i + 1].empty() &&
               options[i + 1].size() <= storage::kMirrorPositionBytesMax) {
      terms.position_min = options[i + 1];
    } else {
      return std::string(kSyntaxError);
    }
  }
  return options.size() % 2 == 0 ? std::string() : std::string(kSyntaxError);
}

}  // namespace

// EDGED.GET key [MAXSTALENESS ms] [MINPOSITION position]
void Session::handle_edged_get(Arguments args, Reply& reply) {
  operations::FreshnessTerms terms;
  const std::string failure = read_terms(args.subspan(2), terms);
  if (!failure.empty()) return reply.error(failure);
  const storage::NamespaceNumber in = ns();
  const std::string key(args[1]);
  const auto mirror = face_.store.mirror_of(in, key);
  const bool bounded = terms.staleness_max || terms.position_min;
  const Status fresh = bounded ? operations::judge_freshness(mirror, terms) : Status();
  if (!fresh.ok()) return reply.error(error_text(fresh));
  const std::uint64_t ticket = block();
  std::function<void(Result<storage::Entry>)> then =
      [this, ticket, in, key, mirror](Result<storage::Entry> read) {
        std::string text;
        Reply answer(text, protocol_);
        const auto behind = face_.store.mirror_of(in, key);
        if (mirror && (!behind || behind->state != mirror->state)) {
          answer.error("STALE the mirror's rules changed while the key was read");
        } else if (read) {
          answer.bulk(read->value);
        } else if (read.code() == Code::kNotFound || (in == 0 && !mirror)) {
          answer.null();
        } else {
          answer.error(error_text(read.error()));
        }
        unblock(ticket, text);
      };
  face_.operations.get(
      caller_, in, key, storage::kValueBytesMax, on_reactor<storage::Entry>(std::move(then)));
}

// EDGED.FRESH key: null if no mirror owns it.
void Session::handle_edged_fresh(Arguments args, Reply& reply) {
  const Status allowed = face_.operations.judge(caller_, operations::Kind::kGet, ns(), args[1]);
  if (!allowed.ok()) return reply.error(error_text(allowed));
  const auto mirror = face_.store.mirror_of(ns(), args[1]);
  if (!mirror) return reply.null();
  reply.map(5);
  reply.bulk("position");
  reply.bulk(mirror->position);
  reply.bulk("fresh-as-of-ms");
  if (mirror->fresh_as_of) {
    reply.integer(to_unix_ms(*mirror->fresh_as_of));
  } else {
    reply.null();
  }
  reply.bulk("staleness-ms");
  reply.integer(mirror->age.count());
  reply.bulk("bound-ms");
  reply.integer(mirror->ttl.count());
  reply.bulk("loaded");
  reply.boolean(mirror->loaded);
}

}  // namespace edged::redis
