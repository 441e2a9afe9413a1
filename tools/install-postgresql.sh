#!/usr/bin/env bash
# Installs Debian's PostgreSQL, through which the tests of packages/cluster let runs and workers find
# each other; they start a server of their own. For Debian and its descendants that have it as a
# package. Does nothing where it is present.
set -euo pipefail

readonly package=postgresql

. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

present() { compgen -G "/usr/lib/postgresql/*/bin/initdb" | sort -V | tail -n 1; }

if [ -n "$(present)" ]; then
  say "present ($("$(present)" --version))"
  exit 0
fi

if ! command -v apt-get >/dev/null; then
  say "this script knows Debian's apt only; the tests look for PostgreSQL where Debian has it"
  exit 1
fi

update
apt_get install -qq -y --no-install-recommends "$package" >&2

if [ -z "$(present)" ]; then
  say "$package was not installed; apt's words are above"
  exit 1
fi
say "installed ($("$(present)" --version))"
