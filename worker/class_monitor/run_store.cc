// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/run_store.h"

#include <boost/json.hpp>
#include <charconv>
#include <utility>

#include "proto/json/write_json.h"
#include "worker/class_monitor/sql.gen.h"

namespace edged::class_monitor {
namespace {

namespace json = boost::json;
using boost::asio::awaitable;

std::int64_t to_integer(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// A row of a result, by column name. Columns are those of our own statements.
class Row {
 public:
  Row(const db::PgResult& result, int row) : result_(result), row_(row) {}

  std::string text(const char* name) const {
    return std::string(result_.text(row_, result_.column(name)));
  }
  std::optional<std::string> optional_text(const char* name) const {
    return result_.optional_text(row_, result_.column(name));
  }
  std::int64_t integer(const char* name) const {
    return to_integer(result_.text(row_, result_.column(name)));
  }
  std::optional<std::int64_t> optional_integer(const char* name) const {
    if (is_null(name)) return std::nullopt;
    return integer(name);
  }
  bool boolean(const char* name) const { return result_.text(row_, result_.column(name)) == "t"; }
  bool is_null(const char* name) const { return result_.is_null(row_, result_.column(name)); }

 private:
  const db::PgResult& result_;
  int row_;
};

std::vector<std::string> json_strings(const std::optional<std::string>& text) {
  std::vector<std::string> strings;
  if (!text) return strings;
  const json::value value = json::parse(*text);
  for (const json::value& item : value.as_array()) strings.emplace_back(item.as_string());
  return strings;
}

void set_known(json::object& object,
               std::string_view name,
               const std::optional<std::string>& value) {
  if (value) object[name] = *value;
}

void set_known(json::object& object,
               std::string_view name,
               const std::optional<std::int64_t>& value) {
  if (value) object[name] = *value;
}

json::object observation_row(const CheckedSection& section) {
  json::object row;
  row["class_nbr"] = section.watched.class_nbr;
  row["term"] = section.watched.term;
  row["watch_subject"] = section.watched.subject;
  row["watch_catalog_nbr"] = section.watched.catalog_nbr;
  row["requested_at"] = format_rfc3339(section.requested_at);
  const upstream::SectionObservation& seen = section.observation;
  set_known(row, "subject", seen.subject);
  set_known(row, "catalog_nbr", seen.catalog_nbr);
  set_known(row, "title", seen.title);
  set_known(row, "instructor", seen.instructor);
  set_known(row, "location", seen.location);
  set_known(row, "meeting_times", seen.meeting_times);
  set_known(row, "seats_available", seen.seats_available);
  set_known(row, "seats_capacity", seen.seats_capacity);
  set_known(row, "non_reserved_seats", seen.non_reserved_seats);
  return row;
}

// PostgreSQL's text form of an array of text.
std::string array_literal(const std::vector<std::string>& items) {
  std::string text = "{";
  for (const std::string& item : items) {
    if (text.size() > 1) text += ',';
    text += '"';
    for (const char c : item) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

// What all mails have in common: see mail::Letter.
std::string common_letter(const RunStoreOptions& options) {
  json::object letter;
  letter["kind"] = options.job;
  if (!options.mail_from.empty()) letter["from"] = options.mail_from;
  if (!options.mail_url.empty()) letter["url"] = options.mail_url;
  return write_json(letter);
}

AppliedSection read_applied(const Row& row) {
  AppliedSection applied;
  SectionState& state = applied.state;
  state.class_nbr = row.text("class_nbr");
  state.term = row.text("term");
  state.subject = row.text("new_subject");
  state.catalog_nbr = row.text("new_catalog_nbr");
  state.title = row.optional_text("new_title");
  state.instructor = row.optional_text("new_instructor");
  state.location = row.optional_text("new_location");
  state.meeting_times = row.optional_text("new_meeting_times");
  state.seats_available = row.integer("new_available");
  state.seats_capacity = row.integer("new_capacity");
  state.non_reserved_seats = row.optional_integer("new_non_reserved");
  applied.stored = row.boolean("stored");
  applied.changed = row.boolean("changed");
  applied.opened = row.boolean("opened");
  applied.assigned = row.boolean("assigned");
  applied.claims = json_strings(row.optional_text("claims"));
  applied.resets = json_strings(row.optional_text("resets"));
  return applied;
}

worker::RunRecord read_record(const Row& row) {
  worker::RunRecord record;
  record.run_id = row.integer("id");
  record.cause = row.text("cause");
  record.status = row.text("status");
  record.attempts = row.integer("attempts");
  record.due_at = from_unix_ms(row.integer("due_at_ms"));
  record.started_at = from_unix_ms(row.integer("started_at_ms"));
  if (const auto finished = row.optional_integer("finished_at_ms")) {
    record.finished_at = from_unix_ms(*finished);
  }
  record.summary_json = row.text("summary");
  record.error = row.text("error");
  return record;
}

}  // namespace

RunStore::RunStore(db::PgPool& pool, RunStoreOptions options)
    : pool_(pool), options_(std::move(options)), letter_(common_letter(options_)) {}

awaitable<Result<std::optional<BegunRun>>> RunStore::begin(BeginRequest request,
                                                           WallTime now,
                                                           db::StatementCounter* counter) {
  std::optional<std::string> due;
  if (request.due_at) due = format_rfc3339(*request.due_at);
  std::optional<std::string> key;
  if (!request.idempotency_key.empty()) key = std::move(request.idempotency_key);
  db::PgParameters parameters{options_.job,
                              due,
                              request.cause,
                              options_.worker,
                              options_.process,
                              format_rfc3339(now),
                              std::to_string(options_.lease.count()),
                              mirrored_ ? "true" : "false",
                              key,
                              std::to_string(options_.past_term_after.count())};
  const auto result = co_await pool_.execute(
      std::string(sql::class_monitor::kBeginRun), std::move(parameters), counter);
  if (!result) co_return result.error().with_context("could not begin the run");
  if (result->rows() == 0) co_return std::optional<BegunRun>();

  BegunRun run;
  const Row first(*result, 0);
  run.hold.id = first.integer("run_id");
  run.hold.epoch = first.integer("run_epoch");
  run.hold.resumed = first.boolean("resumed");
  run.known = first.boolean("known");
  run.of_key = first.boolean("of_key");
  run.position = first.text("position");
  run.past_terms = first.text("past_terms");
  for (int i = 0; i < result->rows(); ++i) {
    const Row row(*result, i);
    if (row.is_null("class_nbr")) continue;  // a run without watched sections
    run.sections.push_back({row.text("class_nbr"),
                            row.text("term"),
                            row.text("subject"),
                            row.text("catalog_nbr"),
                            row.text("ignored_terms"),
                            row.optional_integer("settled_epoch")});
  }
  co_return std::optional<BegunRun>(std::move(run));
}

awaitable<Result<bool>> RunStore::renew_lease(RunHold run, WallTime now) {
  db::PgParameters parameters{std::to_string(run.id),
                              std::to_string(run.epoch),
                              format_rfc3339(now),
                              std::to_string(options_.lease.count())};
  const auto result =
      co_await pool_.execute(std::string(sql::class_monitor::kRenewLease), std::move(parameters));
  if (!result) co_return result.error().with_context("could not renew the run's lease");
  co_return result->rows() > 0;
}

awaitable<Result<std::vector<AppliedSection>>> RunStore::apply(std::vector<CheckedSection> sections,
                                                               RunHold run,
                                                               WallTime now,
                                                               db::StatementCounter* counter) {
  json::array rows;
  for (const CheckedSection& section : sections) rows.push_back(observation_row(section));
  const std::string observations = write_json(rows);
  std::vector<db::PgStatement> statements;
  if (run.resumed) {
    statements.push_back({std::string(sql::class_monitor::kLockSections), {observations}});
  }
  statements.push_back({std::string(sql::class_monitor::kApplyResults),
                        {observations,
                         std::to_string(run.id),
                         std::to_string(run.epoch),
                         format_rfc3339(now),
                         array_literal(options_.placeholders),
                         std::to_string(options_.claim_lifetime.count()),
                         std::to_string(options_.mail_valid_for.count()),
                         letter_}});
  const auto results = co_await pool_.execute_pipeline(std::move(statements), counter);
  if (!results) co_return results.error().with_context("could not store the results of a batch");
  const db::PgResult& result = results->back();
  std::vector<AppliedSection> applied;
  for (int i = 0; i < result.rows(); ++i) applied.push_back(read_applied(Row(result, i)));
  co_return applied;
}

awaitable<Result<ClosedRun>> RunStore::finish(RunEnd end,
                                              RunHold run,
                                              WallTime now,
                                              db::StatementCounter* counter) {
  json::array confirmed;
  for (const ConfirmedSection& section : end.confirmed) {
    confirmed.push_back({{"class_nbr", section.class_nbr},
                         {"settled_epoch", section.settled_epoch},
                         {"requested_at", format_rfc3339(section.requested_at)}});
  }
  json::array checked;
  for (const auto& [class_nbr, requested_at] : end.checked) {
    checked.push_back({{"class_nbr", class_nbr}, {"requested_at", format_rfc3339(requested_at)}});
  }
  std::optional<std::string> error;
  if (!end.succeeded) error = end.error;
  db::PgParameters parameters{write_json(confirmed),
                              write_json(checked),
                              std::to_string(run.id),
                              std::to_string(run.epoch),
                              format_rfc3339(now),
                              end.succeeded ? "succeeded" : "failed",
                              end.summary,
                              error};
  const auto result = co_await pool_.execute(
      std::string(sql::class_monitor::kFinishRun), std::move(parameters), counter);
  if (!result) co_return result.error().with_context("could not finish the run");
  ClosedRun closed;
  for (int i = 0; i < result->rows(); ++i) {
    const Row row(*result, i);
    if (row.is_null("class_nbr")) {
      closed.summary = row.optional_text("summary");
    } else {
      closed.conflicts.push_back(row.text("class_nbr"));
    }
  }
  co_return closed;
}

awaitable<Result<worker::RunRecord>> RunStore::record(std::int64_t run_id) {
  db::PgParameters parameters{std::to_string(run_id)};
  const auto result =
      co_await pool_.execute(std::string(sql::class_monitor::kRunRecord), std::move(parameters));
  if (!result) co_return result.error();
  if (result->rows() == 0) {
    co_return Status(Code::kNotFound, "there is no run " + std::to_string(run_id));
  }
  co_return read_record(Row(*result, 0));
}

awaitable<Result<std::optional<std::int64_t>>> RunStore::run_of_key(std::string idempotency_key) {
  db::PgParameters parameters{options_.job, std::move(idempotency_key)};
  const auto result =
      co_await pool_.execute(std::string(sql::class_monitor::kRunOfKey), std::move(parameters));
  if (!result)
    co_return result.error().with_context("could not look for the run of the idempotency key");
  if (result->rows() == 0) co_return std::optional<std::int64_t>();
  co_return std::optional<std::int64_t>(Row(*result, 0).integer("id"));
}

awaitable<Result<std::optional<WallTime>>> RunStore::last_tick(WallTime now) {
  db::PgParameters parameters{options_.job, format_rfc3339(now)};
  const auto result =
      co_await pool_.execute(std::string(sql::class_monitor::kLastTick), std::move(parameters));
  if (!result) co_return result.error().with_context("could not read the last tick");
  if (result->rows() == 0) co_return std::optional<WallTime>();
  co_return std::optional<WallTime>(from_unix_ms(Row(*result, 0).integer("due_at_ms")));
}

awaitable<Result<std::int64_t>> RunStore::mails_waiting(std::int64_t run_id) {
  db::PgParameters parameters{std::to_string(run_id)};
  const auto result =
      co_await pool_.execute(std::string(sql::class_monitor::kMailsWaiting), std::move(parameters));
  if (!result) co_return result.error();
  co_return Row(*result, 0).integer("waiting");
}

awaitable<Result<std::vector<DeadMail>>> RunStore::dead_mails(std::int64_t run_id) {
  db::PgParameters parameters{std::to_string(run_id)};
  const auto result =
      co_await pool_.execute(std::string(sql::class_monitor::kDeadMails), std::move(parameters));
  if (!result) co_return result.error();
  std::vector<DeadMail> dead;
  for (int i = 0; i < result->rows(); ++i) {
    const Row row(*result, i);
    dead.push_back({row.text("notification_id"), row.text("class_nbr"), row.text("reason")});
  }
  co_return dead;
}

awaitable<Result<std::vector<worker::RunRecord>>> RunStore::newest_runs(int limit) {
  db::PgParameters parameters{options_.job, std::to_string(limit)};
  const auto result =
      co_await pool_.execute(std::string(sql::class_monitor::kNewestRuns), std::move(parameters));
  if (!result) co_return result.error();
  std::vector<worker::RunRecord> runs;
  for (int i = 0; i < result->rows(); ++i) runs.push_back(read_record(Row(*result, i)));
  co_return runs;
}

}  // namespace edged::class_monitor
