#!/bin/sh
# The `rota` command. In a clone: src/cli.ts on the pinned Node, not the system's, installed first where that was not done.
# From the npm package: lib/src/cli.js on the Node of PATH.
# exec keeps the process id, so that a signal to this process reaches Rota.
root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd) || exit 70
cli="$root/src/cli.ts"
if [ ! -f "$cli" ]; then
  # packaging/npm/build.ts lays a copy of this file beside the built cli.js, for the supervisors that `rota demo` starts.
  cli="$root/lib/src/cli.js"
  [ -f "$cli" ] || cli="$root/src/cli.js"
else
  sh "$root/src/install.sh"
  case $? in
    0 | 75) ;; # It goes on with what is installed.
    *) exit 69 ;;
  esac
fi
# The package, and an install without dev dependencies, run on what there is.
node="$root/node_modules/.bin/node"
if [ ! -x "$node" ]; then
  node=node
  version=$(node --version 2>/dev/null) || version='none'
  major=${version#v}
  major=${major%%.*}
  if [ "$version" = none ] || [ "$major" -lt 24 ]; then
    echo "rota: expected Node 24 or newer on PATH, found $version: install one from nodejs.org or your system's packages" >&2
    exit 69
  fi
fi
# malloc would keep an arena for each of fifteen threads: 20 MB of resident memory. V8 would let the main thread's heap of 40 MB
# grow to 120 before it collects: at twice what lives, the same load peaked at 327 MB and not at 388 to 403. By half each time
# it was 309, and 100 000 due schedules took 35 s instead of 26 to 30.
# V8 has one thread that helps to collect garbage, where it would take four: on two cores those stood in the way of the main thread,
# and pops beside tasks of 1.9 MB had a p99 of 36 ms and not of 22. The rates of the bench are the same.
# (Young generations of 8 MB in the main thread would save another 30, and cost a tenth of its pops.)
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}"
# V8 shrinks the young generation of a heap with little to do to 1 MB and then collects it each second, for 2 ms: a quarter of what a
# viewer of the page took of the main thread. With 4 MB at least it does so every five seconds.
exec "$node" --heap-growing-percent=100 --min-semi-space-size=4 --v8-pool-size=1 "$cli" "$@"
