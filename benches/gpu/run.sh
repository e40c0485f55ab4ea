#!/bin/bash
# run.sh BUNDLE RESULTS: checks and times everything that wants a GPU, by a bundle made with `cargo xtask bundle --with-gstreamer --gpu
# --benches` (README.md). Goes on after what fails, says so in RESULTS/report.txt, and ends with the number of failures.
set -u
bundle=$(realpath "$1") results=$(mkdir -p "$2" && realpath "$2") here=$(dirname "$(realpath "$0")")
run=$bundle/run.sh work=$(mktemp -d -p "${TMPDIR:-/dev/shm}") failures=0
trap 'rm -rf "$work"' EXIT
export KIZUNA_HOST_LIBS=1 KIZUNA_CACHE=$work/cache
# CUDA 13 and cuDNN 9, if the bundle has none: PyTorch brings them.
nvidia=$(python3 -c 'import nvidia; print(*nvidia.__path__, sep="\n")' 2>/dev/null)
if [ -n "$nvidia" ]; then
    for folder in $(find $nvidia -name 'lib*.so.*' -printf '%h\n' | sort -u); do
        LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder
    done
fi
export LD_LIBRARY_PATH

say() { printf '%s\n' "$*" | tee -a "$results/report.txt"; }
fail() { say "FAILED: $*" && failures=$((failures + 1)); }
# The value of a key in a run's TOML.
value() { sed -n "s/^$2 = //p" "$1" | head -n 1; }
# Frames per second after the first frame.
rate() { awk -v n="$2" -v s="$(value "$1" steady)" 'BEGIN { if (s > 0) printf "%.1f", (n - 1) / s; else print "?" }'; }

# Smaller ones only try the script itself.
frames=${FRAMES:-240} size=${SIZE:-1920x1080} clip=$work/clip.i420
width=${size%x*} height=${size#*x}
x2=$bundle/models/animevideov3-x2.onnx
film() { # WIDTH HEIGHT FRAMES FILE: every frame another one, so that nothing is kept from the frame before
    "$run" gst-launch-1.0 -q videotestsrc pattern=zone-plate kx2=20 ky2=20 kt=3 num-buffers="$3" \
        ! "video/x-raw,format=I420,width=$1,height=$2,framerate=24/1" ! filesink location="$4"
}
# upscale NAME FRAMES [--output FILE] PROPERTY=VALUE...: runs kizunasr on the clip; its figures are in RESULTS/NAME.toml
upscale() {
    local name=$1 count=$2
    shift 2
    if timeout 300 "$run" bench-pipeline "$clip" i420 $size "$count" "$@" >"$results/$name.toml" 2>"$results/$name.log"; then
        say "$name: $(rate "$results/$name.toml" "$count") fps, first after $(value "$results/$name.toml" first) s; $(value "$results/$name.toml" active-provider)"
    else
        fail "$name: $(grep -m 1 '^Error' "$results/$name.log" || tail -n 1 "$results/$name.log")"
    fi
}
# What a run of the shaders took.
summary() { tail -n 3 "$1" | tr -s ' \n' ' '; }
# Largest difference in codes, and PSNR, of two files of 8-bit samples.
compare() {
    python3 - "$1" "$2" <<'PYTHON'
import sys
import numpy as np
a, b = (np.fromfile(name, np.uint8).astype(np.int16) for name in sys.argv[1:])
if a.size != b.size or not a.size:
    sys.exit(f"{a.size} and {b.size} bytes")
d = np.abs(a - b)
error = float((d.astype(np.float64) ** 2).mean())
print(f"largest difference {d.max()}, {10 * np.log10(255 ** 2 / max(error, 1e-9)):.1f} dB")
PYTHON
}
compared() {
    local said
    if said=$(compare "$2" "$3" 2>&1); then say "$1: $said"; else fail "$1: $said"; fi
}

: >"$results/report.txt"
say "$(date -u +%F) $(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>&1 | head -n 1), $(nproc) processors"
film "$width" "$height" "$frames" "$clip" || fail "no clip"

say "== what every provider says"
for provider in cuda tensorrt webgpu openvino cpu embedded; do
    upscale "provider-$provider" 5 model=anime4k-vl provider=$provider reuse-tolerance=-1
done

say "== the same picture as fp32 on the processor, every time"
for model in animevideov3-x2 anime4k-vl; do
    upscale "cpu-$model" 3 --output "$work/cpu" model=$model provider=cpu precision=fp32 reuse-tolerance=-1
    for precision in fp32 fp16; do
        for turn in 1 2; do
            upscale "cuda-$model-$precision-$turn" 3 --output "$work/cuda$turn" model=$model provider=cuda precision=$precision reuse-tolerance=-1
        done
        compared "cuda, $model, $precision, from the processor's" "$work/cpu" "$work/cuda1"
        cmp -s "$work/cuda1" "$work/cuda2" || fail "$model in $precision differs from run to run"
    done
done

say "== speed, 1080p to 4K, I420 to I420 in system memory"
for model in animevideov3-x2 anime4k-vl anime4k-m; do
    for precision in fp16 fp32; do
        upscale "speed-$model-$precision" $frames model=$model provider=cuda precision=$precision reuse-tolerance=-1
    done
done
# What of it does what: without conversion on the device, other numbers of frames at once, without recorded runs, cuDNN's own layout; cuDNN's slow search.
for option in wrapped=0 streams=1 streams=3 enable_cuda_graph=0 prefer_nhwc=0 cudnn_conv_algo_search=EXHAUSTIVE; do
    upscale "speed-animevideov3-x2-fp16-$option" $frames model=animevideov3-x2 provider=cuda precision=fp16 reuse-tolerance=-1 \
        "provider-options=options,$option"
done
upscale tensorrt-animevideov3-x2 $frames model=animevideov3-x2 provider=tensorrt precision=fp16 reuse-tolerance=-1
upscale tensorrt-animevideov3-x2-again $frames model=animevideov3-x2 provider=tensorrt precision=fp16 reuse-tolerance=-1

say "== peers on the same network and size"
for peer in torch naive; do
    if speed=$(timeout 300 python3 "$here/peers.py" $peer "$x2" "$width" "$height" 100 2>"$results/$peer.log"); then
        say "$peer: $speed fps"
    else
        say "$peer was not run: $(tail -n 1 "$results/$peer.log")"
    fi
done

say "== memory limits: every frame, and the same picture"
upscale limit-none 3 --output "$work/whole" model=animevideov3-x2 provider=cuda precision=fp16 reuse-tolerance=-1
for mib in 4096 1024 512; do
    upscale "limit-$mib" 3 --output "$work/limit" model=animevideov3-x2 provider=cuda precision=fp16 reuse-tolerance=-1 memory-limit=$((mib << 20))
    compared "$mib MiB, $(value "$results/limit-$mib.toml" tiles-per-frame) tiles" "$work/whole" "$work/limit"
done

say "== shaders, 1080p to 4K: milliseconds a frame"
for quality in fast balanced high; do
    for memory in "" --gl; do
        name=shader-$quality${memory:+-gl}
        if timeout 200 "$run" bench-shaders "$frames" "$size" NV12 $memory quality=$quality >"$results/$name.txt" 2>&1; then
            say "$name: $(summary "$results/$name.txt")"
        else
            fail "$name: $(tail -n 1 "$results/$name.txt")"
        fi
    done
done
if timeout 200 "$run" bench-shaders "$frames" "$size" NV12 --gl stages=upscale model=anime4k-vl >"$results/shader-vl-gl.txt" 2>&1; then
    say "shader-vl-gl: $(summary "$results/shader-vl-gl.txt")"
else
    fail "shader-vl-gl: $(tail -n 1 "$results/shader-vl-gl.txt")"
fi
say "$failures failures"
exit $failures
