#!/usr/bin/env bash
# Installs Debian's Chromium, in which the packages are run as in a browser. For Debian and its
# descendants that have it as a package. Does nothing where it is present.
set -euo pipefail

readonly package=chromium

say() { echo "install-chromium: $*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    say "run this as root, or install sudo: '$*' needs it"
    return 1
  fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@"
}

if command -v chromium >/dev/null; then
  say "present ($(chromium --version 2>/dev/null || echo "of unknown version"))"
  exit 0
fi

if ! command -v apt-get >/dev/null; then
  say "this script knows Debian's apt only; install Chromium by hand and set ESPALIER_CHROMIUM to it"
  exit 1
fi

apt_get update -qq >&2 || say "some package lists could not be refreshed; going on"
apt_get install -qq -y --no-install-recommends "$package" >&2

if ! command -v chromium >/dev/null; then
  say "$package was not installed; apt's words are above"
  exit 1
fi
say "installed ($(chromium --version 2>/dev/null || echo "of unknown version"))"
