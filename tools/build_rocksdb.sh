#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the storage engine that edged ships with: RocksDB 9.10 of Debian 13's source package, static,
# Release with NDEBUG. It goes into a cache directory, where CMake finds it (EDGED_ROCKSDB); without it
# edged is built on Debian 12's own RocksDB 7.8.3. apt's state on this machine is not touched: the
# package list and the source are fetched with a private one, and checked against Debian's keys.
# usage: tools/build_rocksdb.sh [--print-prefix] [--force]
#   --print-prefix   only says where it is or would be
#   --force          builds it again
#   EDGED_CACHE      where to build and install (default: ${XDG_CACHE_HOME:-~/.cache}/edged)
# About 9 CPU minutes; the finished engine takes 19 MB of disk. Needs root or sudo only if
# packages of tools/setup are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/lib.sh

version=9.10.0
suite=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
cache=${EDGED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/edged}
prefix=$cache/rocksdb-$version

force=
case ${1:-} in
  "") ;;
  --print-prefix) echo "$prefix"; exit 0 ;;
  --force) force=yes ;;
  *)
    echo "error: unknown option \"$1\". Use --print-prefix or --force" >&2
    exit 2
    ;;
esac
if [[ -e $prefix/.complete && -z $force ]]; then
  say "RocksDB $version is there already: $prefix"
  exit 0
fi

install_packages build
mkdir -p "$cache"
exec 9>"$cache/rocksdb.lock"
flock -n 9 || fail "could not build RocksDB: another build holds \"$cache/rocksdb.lock\""
work=$(mktemp -d "$cache/rocksdb-build.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail_with_log() {
  tail -40 "$work/log" >&2
  fail "$1"
}

# The mirror this machine uses already for Debian itself. RELEASE is the sources' own word for the
# suite and there even before the first apt-get update.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(CODENAME)' 'Created-By: Packages' |
  awk '$2 == "bookworm" || $3 == "bookworm" { uri = uri ? uri : $1 } END { print uri }')
[[ -n $mirror ]] || fail "could not fetch RocksDB: no Debian 12 mirror is configured on this machine"
mkdir -p "$work"/{lists/partial,archives/partial,source}
echo "deb-src [signed-by=$keyring] $mirror $suite main" >"$work/sources.list"
private_apt() {
  apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$work/lists" -o Dir::Cache="$work" -o APT::Sandbox::User="$(id -un)" "$@"
}
say "fetching RocksDB $version, Debian 13's source package"
private_apt update >&2 || fail "could not read Debian 13's list of sources"
(cd "$work/source" && private_apt source --download-only --tar-only rocksdb >&2) ||
  fail "could not fetch RocksDB's source package"
# Debian's own revision may change; the tarball is upstream's.
tarball=$work/source/rocksdb_$version.orig.tar.gz
[[ -e $tarball ]] || fail "could not fetch RocksDB $version: Debian 13 has another version now"
tree=$work/source/tree
tar -xf "$tarball" -C "$work/source" --one-top-level=tree --strip-components=1

# The parts that a Store never calls are left out: other front doors to the database, transactions,
# backups, tools and helpers of tests. check_symbols proves afterwards that nothing they define is used.
left_out=(
  'db/(c|repair)' 'db/db_impl/db_impl_(secondary|follower)' 'db/blob/blob_log_sequential_reader'
  'table/sst_file_dumper' 'test_util/(testutil|transaction_test_util)' 'tools/.*'
  'utilities/(cache_dump_load|cache_dump_load_impl|env_mirror|fault_injection_.*|types_util)'
  'utilities/(agg_merge|backup|blob_db|cassandra|leveldb_options|memory|option_change_migration|options)/.*'
  'utilities/(persistent_cache|simulator_cache|ttl)/.*'
  'utilities/transactions/([^s].*|s[^n].*)'  # all but snapshot_checker
)
leave_out() {
  local pattern
  for pattern in "${left_out[@]}"; do
    # A list's last source stands before its parenthesis, which stays.
    sed -i -E "/^ +${pattern//\//\\/}\.cc\)?\$/s/^[^)]*\.cc//" "$tree/CMakeLists.txt"
  done
  # The core links this part of transactions, but never the checker of transactions in it.
  sed -i -e '/write_prepared_txn_db\.h/d' -e '/^WritePreparedSnapshotChecker::/,/^DisableGC/{/^DisableGC/!d}' \
    "$tree/utilities/transactions/snapshot_checker.cc"
}

# check_symbols ARCHIVE: everything it uses is in it, or in the libraries that CMake links with it.
check_symbols() {
  echo 'int main() {}' | "${CXX:-c++}" -x c++ - -o /dev/null -Wl,--whole-archive -x none "$1" \
    -Wl,--no-whole-archive -lsnappy -llz4 -lzstd -lz -lpthread -ldl
}

say "building RocksDB $version"
leave_out
# RTTI because we derive from its classes. PORTABLE: for any x86-64, not for this machine alone.
# Unity: its headers cost more than its code, so that many sources are compiled as one.
cmake -S "$tree" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_INSTALL_PREFIX="$work/prefix" -DCMAKE_INSTALL_LIBDIR=lib \
  -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fcf-protection" \
  -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=32 \
  -DUSE_RTTI=ON -DPORTABLE=1 -DFAIL_ON_WARNINGS=OFF -DROCKSDB_BUILD_SHARED=OFF \
  -DWITH_TESTS=OFF -DWITH_ALL_TESTS=OFF -DWITH_TOOLS=OFF -DWITH_CORE_TOOLS=OFF -DWITH_BENCHMARK_TOOLS=OFF -DWITH_TRACE_TOOLS=OFF \
  -DWITH_GFLAGS=OFF -DWITH_LIBURING=OFF -DWITH_SNAPPY=ON -DWITH_LZ4=ON -DWITH_ZSTD=ON -DWITH_ZLIB=ON \
  -DWITH_BZ2=OFF >"$work/log" 2>&1 || fail_with_log "could not configure RocksDB"
cmake --build "$work/build" -j "$(nproc)" >>"$work/log" 2>&1 || fail_with_log "could not build RocksDB"
check_symbols "$work/build/librocksdb.a" >>"$work/log" 2>&1 || fail_with_log "RocksDB uses parts that were left out"
cmake --install "$work/build" >>"$work/log" 2>&1 || fail_with_log "could not install RocksDB"

# .complete is there exactly while everything else is, whenever this is interrupted.
touch "$work/prefix/.complete"
rm -f "$prefix/.complete"
rm -rf "$prefix"
mv "$work/prefix" "$prefix"
say "RocksDB $version is ready: $prefix. A build directory configured before takes it with: cmake --preset NAME"
