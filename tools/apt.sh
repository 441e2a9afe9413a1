# Sourced by the install scripts: their words on standard error, and Debian's apt with the rights it needs.

say() { echo "$(basename "$0" .sh): $*" >&2; }

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

# A failing source that has nothing to do with what is wanted is no reason to stop.
update() { apt_get update -qq >&2 || say "some package lists could not be refreshed; going on"; }
