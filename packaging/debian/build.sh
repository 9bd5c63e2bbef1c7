#!/bin/sh
# Builds rota_<version>_<architecture>.deb: packaging/debian/build.sh FOLDER [OPTION OF dpkg-deb]...
# `make deb` calls it. It needs dpkg-deb, tar and what `make install` installs: the dev
# dependency `node` is what the package starts Rota with. Rota runs from its sources, so there is nothing to compile.
set -eu
umask 022
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
[ $# -ge 1 ] || { echo 'usage: packaging/debian/build.sh FOLDER [OPTION OF dpkg-deb]...' >&2; exit 64; }
command -v dpkg-deb >/dev/null || { echo 'build.sh: expected dpkg-deb (Debian: apt-get install dpkg)' >&2; exit 69; }
folder=$1
shift
version=$("$root/node_modules/.bin/node" -p 'require(process.argv[1]).version' "$root/package.json")
architecture=$(dpkg --print-architecture)
license=$(echo "$root"/node_modules/node/node_modules/node-*/LICENSE)
# npm takes it away when it installs one package more.
[ -f "$license" ] || { echo "build.sh: expected Node's license in $license: rm -r node_modules && make install" >&2; exit 69; }
mkdir -p "$folder"
folder=$(CDPATH='' cd -- "$folder" && pwd)
tree=$(mktemp -d "$folder/rota-deb-XXXXXX")
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
lib=$tree/usr/lib/rota

# The files of the image (Dockerfile), and of the packages that are installed here those that `npm ci --omit=dev` would install.
mkdir -p "$lib"
cp -R "$root/src" "$root/actors" "$root/sql" "$root/package.json" "$lib"
cd "$root"
node_modules/.bin/node -p '
  const { packages } = JSON.parse(fs.readFileSync("package-lock.json", "utf8"));
  const wanted = Object.keys(packages).filter((path) => path !== "" && !packages[path].dev && !packages[path].devOptional);
  const missing = wanted.filter((path) => !packages[path].optional && !fs.existsSync(path));
  if (missing.length > 0) throw new Error(`not installed: ${missing.join(", ")}: make install`);
  wanted.filter((path) => fs.existsSync(path)).join("\n")' >"$tree/packages"
tar -cf - -T "$tree/packages" | tar -C "$lib" -xf -
rm "$tree/packages"
# Where src/launch.sh looks for it, which other processes of Rota are started by.
mkdir "$lib/node_modules/.bin"
cp -L "$root/node_modules/node/bin/node" "$lib/node_modules/.bin/node"
# 150 MB, of which 33 are symbols that only a debugger reads.
if command -v strip >/dev/null; then strip --strip-unneeded "$lib/node_modules/.bin/node"; fi

install -D -m 755 "$here/rota" "$tree/usr/bin/rota"
install -D -m 640 "$here/rota.env" "$tree/etc/rota/rota.env"
install -D -m 644 "$root/docs/deploy/rota.service" "$tree/usr/lib/systemd/system/rota.service"
doc=$tree/usr/share/doc/rota
mkdir -p "$doc/docs/deploy"
cp "$here/copyright" "$doc/copyright"
cp "$license" "$doc/node-LICENSE"
cp "$root"/docs/*.md "$root"/docs/*.conf "$doc/docs"
cp "$root"/docs/deploy/*.* "$doc/docs/deploy"
cp "$root/README.md" "$root/CONTRIBUTING.md" "$root/CHANGELOG.md" "$doc"
for shell in bash/bash-completion/completions/rota fish/fish/vendor_completions.d/rota.fish zsh/zsh/vendor-completions/_rota; do
  path=$tree/usr/share/${shell#*/}
  mkdir -p "$(dirname "$path")"
  "$lib/node_modules/.bin/node" "$lib/src/cli.ts" completion "${shell%%/*}" >"$path"
done
find "$tree" -type d -exec chmod 755 {} +
find "$lib" "$doc" -type f -perm /111 -exec chmod 755 {} +
find "$lib" "$doc" -type f ! -perm /111 -exec chmod 644 {} +

mkdir "$tree/DEBIAN"
for script in postinst prerm postrm; do install -m 755 "$here/$script" "$tree/DEBIAN/$script"; done
echo /etc/rota/rota.env >"$tree/DEBIAN/conffiles"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$(du -ks --exclude=DEBIAN "$tree" | cut -f1)/" \
  "$here/control" >"$tree/DEBIAN/control"
(cd "$tree" && find . -type f ! -path './DEBIAN/*' ! -path './etc/*' -exec md5sum {} + | sed 's: \./: :' >DEBIAN/md5sums)
dpkg-deb --root-owner-group "$@" --build "$tree" "$folder/rota_${version}_$architecture.deb"
