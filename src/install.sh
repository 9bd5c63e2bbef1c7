#!/bin/sh
# Installs the dependencies of a checkout, for `make` and for `rota` alike, and only where that is needed. npm writes its
# node_modules/.package-lock.json last of all: so an install that was interrupted has none, and an older one is out of date.
# An image or a package has no package-lock.json: nothing is ever installed there.
# Exits 0 when they are there, 75 where they are out of date and a process of this checkout runs on them, else as npm does.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 70
stamp=$root/node_modules/.package-lock.json
lock=$root/.rota/installing

installed() {
  [ ! -e "$root/package-lock.json" ] || { [ -e "$stamp" ] && [ -z "$(find "$root/package-lock.json" -newer "$stamp")" ]; }
}
# Only what was started by src/launch.sh has the whole path.
running() {
  ps -A -o pid= -o args= 2>/dev/null | awk -v path="$root/src/cli.ts" -v ours="$$" 'index($0, path) && !/awk/ && $1 != ours { print $1; exit }'
}

installed && exit 0
mkdir -p "$root/.rota"
# A link is made at once or not at all, and names who made it: one that is gone leaves nothing behind.
until ln -s "$$" "$lock" 2>/dev/null; do
  kill -0 "$(readlink "$lock")" 2>/dev/null || rm -f "$lock"
  sleep 0.2
done
trap 'rm -f "$lock"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
installed && exit 0
pid=$(running)
if [ -e "$stamp" ] && [ -n "$pid" ]; then
  echo "rota: package-lock.json is newer than what is installed, and process $pid runs on that: end it, so that npm ci can follow" >&2
  exit 75
fi
echo "rota: installing its dependencies (npm ci)" >&2
rm -f "$stamp"
cd "$root" && npm ci --no-audit --no-fund --loglevel=error >&2 && touch "$stamp"
