# try.sh PACKAGE.deb PIPELINE: installs the package on a bare Debian 12 in a folder of its own, looks at what it brought, runs
# PIPELINE, purges it, and compares the files with those before.
set -eu
deb=$1
pipeline=$2
name=$(dpkg-deb --field "$deb" Package)

say() { printf '  %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "a system in a folder needs root: sudo cargo xtask deb --try"
command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
# This machine's own mirror.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | sort -u | head -n 1)
[ -n "$mirror" ] || fail "apt has no mirror of Debian 12 (bookworm) in its sources"

root=$(mktemp -d /tmp/kizuna-debian.XXXXXX)
leave() {
    # debootstrap may have mounted it.
    ! grep -q " $root/proc " /proc/mounts || umount "$root/proc"
    rm -rf --one-file-system "$root" "$root.log"
}
trap leave EXIT
trap 'exit 1' INT TERM

inside() {
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp/home LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive "$@"
}
quietly() { "$@" >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; fail "$*"; }; }
# Not what apt and dpkg note about themselves; a package's own files there are looked for by name.
files() {
    (cd "$root" && find . -xdev \( -path ./tmp -o -path ./proc -o -path ./var/log -o -path ./var/cache -o -path ./var/lib/apt \
        -o -path ./var/lib/dpkg \) -prune -o -print | LC_ALL=C sort)
}

say "bare system in $root"
quietly debootstrap --variant=minbase bookworm "$root" "$mirror"
mkdir -p "$root/tmp/home"
cp "$deb" "$root/tmp/package.deb"
say "its dependencies: $(dpkg-deb --field "$deb" Depends)"
quietly inside apt-get update
quietly inside apt-get satisfy --yes --no-install-recommends "$(dpkg-deb --field "$deb" Depends), gstreamer1.0-tools"
before=$(files)

say "install"
quietly inside apt-get install --yes --no-install-recommends /tmp/package.deb
# A minimal system may be told to leave documentation out.
inside dpkg --listfiles "$name" | while read -r path; do
    [ -e "$root$path" ] || [ -L "$root$path" ] || fail "$path was not installed"
done
found=$(inside gst-inspect-1.0 kizuna)
for element in kizunasr kizunashader kizunaupscale; do
    printf '%s' "$found" | grep -q "  $element: " || fail "gst-inspect-1.0 kizuna lists no $element: $found"
    inside gst-inspect-1.0 $element | grep -q '^Presets:' || fail "$element has no presets"
done
say "gst-inspect-1.0 kizuna: $(printf '%s' "$found" | sed -n 's/^  \(kizuna[a-z]*\): .*/\1/p' | tr '\n' ' ')"
for program in kizuna-upscale kizuna-play; do
    inside $program --help | grep -q "^$program " || fail "$program --help"
done
say "$pipeline"
quietly inside sh -c "$pipeline"
for card in "$root"/usr/share/kizuna/*.onnx; do
    model=$(basename "$card" .onnx)
    quietly inside gst-launch-1.0 videotestsrc num-buffers=1 ! video/x-raw,width=64,height=64 ! kizunasr "model=$model" ! fakesink
    say "model=$model runs"
done

say "purge"
quietly inside apt-get purge --yes "$name"
after=$(files)
[ "$before" = "$after" ] || {
    printf '%s\n' "$before" >"$root/tmp/before"
    printf '%s\n' "$after" | diff "$root/tmp/before" - >&2 || true
    fail "other files than before the package came"
}
left=$(cd "$root" && find . -xdev \( -path ./tmp -o -path ./proc -o -path ./var/log \) -prune -o -iname '*kizuna*' -print)
[ -z "$left" ] || fail "left behind: $left"
say "nothing is left behind: $(printf '%s\n' "$after" | wc -l) files, as before"
