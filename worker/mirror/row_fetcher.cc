// SPDX-License-Identifier: Apache-2.0
// See row_fetcher.h.
#include "worker/mirror/row_fetcher.h"

#include <charconv>
#include <map>
#include <utility>

#include "worker/db/pg_quote.h"

namespace edged::mirror {
namespace {

namespace asio = boost::asio;

constexpr int kNumberColumn = 2, kFoundColumn = 3, kRowColumns = 4;

// {"a","b"}: an array of texts as PostgreSQL reads it.
std::string array_text(const std::vector<std::string>& texts) {
  std::string array = "{";
  for (const std::string& text : texts) {
    if (array.size() > 1) array += ',';
    array += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') array += '\\';
      array += c;
    }
    array += '"';
  }
  return array + "}";
}

std::vector<RowMapper::Field> fields_of(const db::PgResult& found, int row, std::size_t columns) {
  std::vector<RowMapper::Field> fields(columns);
  for (std::size_t i = 0; i < columns; ++i) {
    const int column = kRowColumns + static_cast<int>(i);
    if (!found.is_null(row, column)) fields[i].text = found.text(row, column);
  }
  return fields;
}

}  // namespace

std::string fetch_statement(const Table& table) {
  std::string arrays, names, condition, columns;
  for (std::size_t i = 0; i < table.lookup.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    const std::string comma = i == 0 ? "" : ", ";
    arrays += comma + "$" + number + "::text[]";
    names += comma + "c" + number;
    condition += (i == 0 ? "" : " and ") + ("t." + db::quoted_identifier(table.lookup[i].name)) +
                 " " + table.lookup[i].equal + " w.c" + number + "::" + table.lookup[i].sql_type;
  }
  for (const TableColumn& column : table.columns) {
    columns += ", t." + db::quoted_identifier(column.json.name);
  }
  // The limit keeps PostgreSQL to one search by index for each key.
  return "select pg_current_snapshot()::text, pg_current_wal_insert_lsn()::text, w.n, r.* "
         "from unnest(" +
         arrays + ") with ordinality as w(" + names + ", n) left join lateral (select true" +
         columns + " from " + (table.partitioned ? "" : "only ") +
         db::quoted_identifier(table.name.schema) + "." + db::quoted_identifier(table.name.name) +
         " t where " + condition + " limit 1) r on true";
}

Result<std::unique_ptr<RowFetcher>> RowFetcher::make(db::PgPool& pool,
                                                     const std::vector<Rule>& rules,
                                                     std::vector<Table> tables) {
  std::unique_ptr<RowFetcher> made(new RowFetcher(pool));
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const bool whole = tables[i].identity == ReplicaIdentity::kFull;
    Result<RowMapper> mapper = RowMapper::make(rules[i], tables[i].columns, whole);
    if (!mapper) return mapper.error();
    made->mappers_.push_back(*std::move(mapper));
  }
  made->tables_ = std::move(tables);
  return made;
}

asio::awaitable<Result<FetchedRows>> RowFetcher::fetch(std::size_t rule,
                                                       std::vector<std::string> keys) const {
  const Table& table = tables_[rule];
  const RowMapper& mapper = mappers_[rule];
  const std::string context = "could not read rows of table " + table.name.to_text();
  std::vector<std::vector<std::string>> texts(table.lookup.size());
  for (const std::string& key : keys) {
    const auto columns = mapper.key_reader().read(key);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (!columns || !columns->contains(table.lookup[i].name)) {
        co_return Status(Code::kInvalidArgument,
                         context + ": \"" + key + "\" does not match the rule's key");
      }
      texts[i].push_back(columns->at(table.lookup[i].name));
    }
  }
  db::PgParameters parameters;
  for (const auto& column : texts) parameters.emplace_back(array_text(column));
  // The pool's sessions print texts as those of the load and the stream do.
  Result<db::PgResult> found = co_await pool_.execute(fetch_statement(table), parameters);
  if (!found) co_return found.error().with_context(context);
  FetchedRows rows;
  rows.entries.resize(keys.size());
  for (int row = 0; row < found->rows(); ++row) {
    std::size_t number = 0;
    const std::string_view digits = found->text(row, kNumberColumn);
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (number == 0 || number > keys.size() || found->is_null(row, kFoundColumn)) continue;
    const auto fields = fields_of(*found, row, table.columns.size());
    Result<std::optional<RowMapper::Entry>> entry = mapper.entry(fields, std::nullopt);
    if (!entry) co_return entry.error().with_context(context);
    // A row whose unique columns are equal, and look different: 1.0 and 1.00.
    if (*entry && (*entry)->key != keys[number - 1]) continue;
    rows.entries[number - 1] = *std::move(entry);
  }
  if (found->rows() == 0) co_return rows;
  Result<TransactionSnapshot> snapshot = TransactionSnapshot::parse(found->text(0, 0));
  if (!snapshot) co_return snapshot.error();
  const Result<Lsn> until = parse_lsn(found->text(0, 1));
  if (!until) co_return until.error();
  rows.snapshot = std::make_shared<const TransactionSnapshot>(*std::move(snapshot));
  rows.until = *until;
  co_return rows;
}

}  // namespace edged::mirror
