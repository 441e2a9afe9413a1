#!/usr/bin/env bash
# Installs Debian's Ceph, whose object gateway is the S3-compatible service that the tests of
# packages/pipeline and packages/cluster share results through; they start one of their own. For
# Debian and its descendants that have it as a package. Does nothing where it is present.
set -euo pipefail

readonly packages=(radosgw ceph-mon ceph-osd)

. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

present() { command -v radosgw && command -v ceph-mon && command -v ceph-osd; }

if present >/dev/null; then
  say "present ($(radosgw --version))"
  exit 0
fi

if ! command -v apt-get >/dev/null; then
  say "this script knows Debian's apt only; the tests look for ceph-mon, ceph-osd and radosgw on the path"
  exit 1
fi

update
apt_get install -qq -y --no-install-recommends "${packages[@]}" >&2

if ! present >/dev/null; then
  say "${packages[*]} were not installed; apt's words are above"
  exit 1
fi
say "installed ($(radosgw --version))"
