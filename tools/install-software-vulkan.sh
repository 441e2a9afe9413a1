#!/usr/bin/env bash
# Installs Mesa's software Vulkan driver (lavapipe), which lets Dawn run WGSL on a machine without a
# GPU. For Debian and its descendants. Does nothing where a driver that is new enough is present.
set -euo pipefail

# Dawn refuses the driver of Mesa 22, the version Debian 12 carries.
readonly needed=24
readonly package=mesa-vulkan-drivers

. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

# The leading number of a version such as 25.0.7-2~bpo12+1 or 1:24.1; 0 where there is none.
major() {
  local version=${1#*:}
  version=${version%%[!0-9]*}
  echo "${version:-0}"
}

installed() {
  local version
  version=$(dpkg-query -W -f '${db:Status-Abbrev}${Version}' "$package" 2>/dev/null) || version=
  case $version in ii*) major "${version#ii }" ;; *) echo 0 ;; esac
}

candidate() { major "$(apt-cache policy "$package" | awk '/Candidate:/ { print $2 }')"; }

# Prints the machine's own Debian source with its suites replaced by the backports suite.
backports_source() {
  local codename=$1 file
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] || continue
    awk -v codename="$codename" '
      BEGIN { RS = ""; FS = "\n" }
      {
        ours = 0; stanza = ""
        for (i = 1; i <= NF; i++) {
          if ($i ~ /^#/) continue
          if ($i ~ /^Suites:/) {
            count = split($i, suites, /[ \t]+/)
            for (j = 2; j <= count; j++) if (suites[j] == codename) ours = 1
            stanza = stanza "Suites: " codename "-backports\n"
          } else stanza = stanza $i "\n"
        }
        if (ours) { printf "%s", stanza; exit }
      }' "$file"
  done >"$scratch/deb822"
  if [ -s "$scratch/deb822" ]; then
    cat "$scratch/deb822"
    return
  fi
  # The one-line style: deb [options] URI suite components.
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
    awk -v codename="$codename" '
      $1 == "deb" {
        for (i = 2; i <= NF; i++) if ($i == codename) { $i = codename "-backports"; print; exit }
      }'
}

if ! command -v apt-get >/dev/null; then
  say "this script knows Debian's apt only; install Mesa's lavapipe driver ($needed or newer) by hand"
  exit 1
fi

if [ "$(installed)" -ge "$needed" ]; then
  say "present ($package $(dpkg-query -W -f '${Version}' "$package"))"
  exit 0
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

update
if [ "$(candidate)" -ge "$needed" ]; then
  apt_get install -qq -y --no-install-recommends "$package" libvulkan1 >&2
else
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  backports_source "$codename" >"$scratch/source"
  if [ -z "$codename" ] || [ ! -s "$scratch/source" ]; then
    say "apt offers $package $(candidate) only and no source was found to derive a backports suite from"
    exit 1
  fi
  extension=sources
  if grep -q '^deb ' "$scratch/source"; then extension=list; fi
  as_root install -m 644 "$scratch/source" "/etc/apt/sources.list.d/espalier-backports.$extension"
  update
  apt_get install -qq -y --no-install-recommends -t "$codename-backports" "$package" libvulkan1 >&2
fi

if [ "$(installed)" -lt "$needed" ]; then
  say "$package $needed or newer was not installed; apt's words are above"
  exit 1
fi
say "installed ($package $(dpkg-query -W -f '${Version}' "$package"))"
