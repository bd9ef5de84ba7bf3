# SPDX-License-Identifier: Apache-2.0
# Functions the shell entry points share; sourced, never run. The caller has set -euo pipefail and
# stands in the repository's root. Output for people goes to stderr, so that stdout stays the caller's.

say() { printf '%s\n' "$*" >&2; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# packages_of GROUP...: the names tools/packages.txt lists under the groups.
packages_of() {
  awk -v wanted=" $* " '
    /^[[:space:]]*(#|$)/ { next }
    /^\[/ { gsub(/[][[:space:]]/, ""); on = index(wanted, " " $0 " "); next }
    on { print $1 }' tools/packages.txt
}

# missing_packages GROUP...: those of them that are not installed.
missing_packages() {
  local name
  for name in $(packages_of "$@"); do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || echo "$name"
  done
}

# install_packages GROUP...: installs what is missing, and touches nothing if nothing is.
install_packages() {
  command -v dpkg-query >/dev/null || fail "could not look for packages: this is not a Debian system"
  local missing as_root=()
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  say "installing ${#missing[@]} packages: ${missing[*]}"
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      fail "could not install packages: neither root nor sudo. Install them with: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  keep_postgresql_quiet
  [[ " ${missing[*]} " != *" postfix "* ]] || keep_postfix_quiet
  local quietly=(env DEBIAN_FRONTEND=noninteractive apt-get -qq
    -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold)
  "${as_root[@]}" "${quietly[@]}" update >&2 || fail "could not read the package lists: apt-get update failed"
  "${as_root[@]}" "${quietly[@]}" install -y --no-install-recommends "${missing[@]}" >&2 ||
    fail "could not install packages: apt-get install ${missing[*]} failed"
  keep_services_quiet "${missing[@]}"
}

# Debian's postgresql-15 makes and starts a cluster of its own when installed. We only want the
# programs, so a machine that has no PostgreSQL yet is told not to. Uses as_root of its caller.
keep_postgresql_quiet() {
  local config=/etc/postgresql-common/createcluster.conf
  [[ -e $config ]] && return 0
  "${as_root[@]}" mkdir -p "${config%/*}"
  echo 'create_main_cluster = false' | "${as_root[@]}" tee "$config" >/dev/null
}

# Debian's postfix makes a mail server of the machine when installed. Without a configuration of its own it does
# not start; tests bring theirs. Uses as_root of its caller.
keep_postfix_quiet() {
  echo 'postfix postfix/main_mailer_type select No configuration' | "${as_root[@]}" debconf-set-selections
}

# Debian's pgbouncer, prometheus and redis-server start a service when installed. Tests need the programs alone: a service
# that came with us stays off.
keep_services_quiet() {
  local name
  for name in pgbouncer prometheus redis-server; do
    [[ " $* " == *" $name "* && -d /run/systemd/system ]] || continue
    "${as_root[@]}" systemctl disable --now --quiet "$name" >&2 || true
  done
}

# build_preset PRESET [TARGET...]: configures if need be and builds. A finished build costs a moment.
build_preset() {
  local preset=$1 targets=()
  shift
  (($#)) && targets=(--target "$@")
  if [[ ! -f build/$preset/build.ninja ]]; then
    cmake --preset "$preset" >&2 || fail "could not configure the preset \"$preset\""
  fi
  cmake --build --preset "$preset" -j "$(nproc)" "${targets[@]}" >&2 || fail "could not build the preset \"$preset\""
}
