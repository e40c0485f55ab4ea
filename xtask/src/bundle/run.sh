#!/bin/sh
# run.sh PROGRAM [ARGUMENTS]: runs a program of this folder, or one of the machine's, with what is in here. Without arguments it says
# what there is. Only the shell itself is needed: no other program may be installed.
set -eu

fail() {
    printf 'run.sh: %s\n' "$*" >&2
    exit 1
}

self=$0
while [ -h "$self" ]; do
    link=$(readlink "$self") || fail "$self is a link, and readlink is not here to follow it"
    case $link in
        /*) self=$link ;;
        *) self=${self%/*}/$link ;;
    esac
done
case $self in
    */*) ;;
    *) self=./$self ;;
esac
here=$(CDPATH='' cd -- "${self%/*}" && pwd -P)

# Where GStreamer remembers its plugins. It makes the folder itself.
if [ -n "${XDG_CACHE_HOME:-}" ]; then
    cache=$XDG_CACHE_HOME/kizuna
elif [ -n "${HOME:-}" ] && [ -w "$HOME" ]; then
    cache=$HOME/.cache/kizuna
else
    cache=$here/cache
fi
export GST_REGISTRY="$cache/registry-@ID@.bin"
export KIZUNA_MODEL_PATH="$here/models${KIZUNA_MODEL_PATH:+:$KIZUNA_MODEL_PATH}"
export GST_PRESET_PATH="$here/share/gstreamer-1.0/presets${GST_PRESET_PATH:+:$GST_PRESET_PATH}"
export GST_ENCODING_TARGET_PATH="$here/share/gstreamer-1.0/encoding-profiles${GST_ENCODING_TARGET_PATH:+:$GST_ENCODING_TARGET_PATH}"
if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    # No windows, but OpenGL all the same.
    export GST_GL_WINDOW="${GST_GL_WINDOW:-egl-device}" GST_GL_PLATFORM="${GST_GL_PLATFORM:-egl}"
fi

if [ $# = 0 ]; then
    printf 'run.sh PROGRAM [ARGUMENTS]; README.txt says more. Programs:\n'
    for program in "$here"/bin/*; do
        printf '  %s\n' "${program##*/}"
    done
    exit 0
fi
name=$1
shift

if [ ! -d "$here/lib/glibc" ]; then
    # GStreamer is the machine's own.
    export GST_PLUGIN_PATH="$here/lib/gstreamer-1.0${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}"
    export PATH="$here/bin:$PATH"
    if [ -d "$here/runtimes/cuda" ]; then
        export LD_LIBRARY_PATH="$here/runtimes/cuda${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    fi
    exec "$name" "$@"
fi

# Everything is in here. A library that is not, such as a device's driver, is looked for where the machine's loader looks: our loader
# reads the same lists.
case $name in
    gst-plugin-scanner) program=$here/lib/$name ;;
    *) program=$here/bin/$name ;;
esac
[ -f "$program" ] || fail "there is no $name in $here/bin; without arguments this script says what there is"

# The version of a loader, and so of its glibc, as a number: 2036 for 2.36. Loaders before 2.33 do not say it.
version_of() {
    text=$("$1" --version 2>/dev/null) || text=
    case $text in
        *"release version "*) ;;
        *) printf 0 && return ;;
    esac
    text=${text#*release version }
    minor=${text#*.}
    printf '%s' $((${text%%.*} * 1000 + ${minor%%[!0-9]*}))
}

interpreter=@INTERPRETER@
loader=$here/lib/glibc/${interpreter##*/}
libraries=$here/lib:$here/runtimes/cuda
plugins=
own=1
if [ "${KIZUNA_HOST_LIBS:-0}" = 1 ]; then
    # The caller's libraries and plugins after ours. They were made for the machine's glibc: a newer glibc runs what was made for an
    # older one, and never the other way round, so the newer of the two runs everything. A loader runs with the libc of its own
    # version only, which is why ours lies in a folder apart.
    libraries=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    plugins=${GST_PLUGIN_PATH:-}
    if [ "$(version_of "$interpreter")" -gt "$(version_of "$loader")" ]; then
        loader=$interpreter
        own=
    fi
fi
if [ -n "$own" ]; then
    libraries=$here/lib/glibc:$libraries
    export GCONV_PATH="$here/lib/gconv"
    # The one locale with all characters that is inside glibc.
    export LC_ALL="${LC_ALL:-C.UTF-8}"
fi
unset GST_PLUGIN_PATH_1_0 GST_PLUGIN_SYSTEM_PATH_1_0 GST_REGISTRY_1_0 GST_PLUGIN_SCANNER_1_0
export GST_PLUGIN_PATH="$plugins"
export GST_PLUGIN_SYSTEM_PATH="$here/lib/gstreamer-1.0"
export GST_PLUGIN_SCANNER="$here/libexec/gst-plugin-scanner"
export LIBGL_DRIVERS_PATH="$here/lib/dri"
export __EGL_VENDOR_LIBRARY_DIRS="$here/share/glvnd/egl_vendor.d"
exec "$loader" --library-path "$libraries" --argv0 "$name" "$program" "$@"
