#!/usr/bin/env bash
# Installs Debian's Chromium, in which the packages are run as in a browser. For Debian and its
# descendants that have it as a package. Does nothing where it is present.
set -euo pipefail

readonly package=chromium

. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

if command -v chromium >/dev/null; then
  say "present ($(chromium --version 2>/dev/null || echo "of unknown version"))"
  exit 0
fi

if ! command -v apt-get >/dev/null; then
  say "this script knows Debian's apt only; install Chromium by hand and set ESPALIER_CHROMIUM to it"
  exit 1
fi

update
apt_get install -qq -y --no-install-recommends "$package" >&2

if ! command -v chromium >/dev/null; then
  say "$package was not installed; apt's words are above"
  exit 1
fi
say "installed ($(chromium --version 2>/dev/null || echo "of unknown version"))"
