#!/bin/sh
# join.sh [FOLDER]: checks the parts beside this script against SHA256SUMS, joins them into FOLDER (else here), and checks the whole.
set -eu
whole=@WHOLE@

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

if command -v sha256sum >/dev/null 2>&1; then
    sum_of() { sha256sum <"$1"; }
elif command -v shasum >/dev/null 2>&1; then
    sum_of() { shasum -a 256 <"$1"; }
else
    fail "neither sha256sum nor shasum is here, so the parts cannot be checked"
fi

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
out=$(CDPATH='' cd -- "${1:-$here}" && pwd) || fail "the folder ${1:-$here} cannot be entered"
[ -f "$here/SHA256SUMS" ] || fail "SHA256SUMS is missing: copy it here, with all parts"

# All that is wrong is said at once: parts often travel one by one.
wrong=
expected=
while read -r sum name; do
    if [ "$name" = "$whole" ]; then
        expected=$sum
    elif [ ! -f "$here/$name" ]; then
        printf '%s is missing\n' "$name" >&2
        wrong=1
    else
        found=$(sum_of "$here/$name")
        [ "${found%% *}" = "$sum" ] || {
            printf '%s is damaged\n' "$name" >&2
            wrong=1
        }
    fi
done <"$here/SHA256SUMS"
[ -z "$wrong" ] || fail "nothing was joined: copy the parts named above again"
[ -n "$expected" ] || fail "SHA256SUMS is cut off: copy it again"

joining="$out/$whole.joining"
trap 'rm -f "$joining"' EXIT
trap 'exit 1' HUP INT TERM
while read -r sum name; do
    [ "$name" = "$whole" ] || cat "$here/$name"
done <"$here/SHA256SUMS" >"$joining"
found=$(sum_of "$joining")
[ "${found%% *}" = "$expected" ] || fail "the whole has another sum than it should have; is the disk full?"
mv "$joining" "$out/$whole"
printf '%s is whole. Unpack it: tar -xzf %s\n' "$out/$whole" "$whole"
