#!/bin/sh
# pack.sh -- the programs of tests/gpu/check.sh in one small file: sh tests/gpu/pack.sh BUILD FILE.tar.xz
#
# They must need nothing but the C library, the plug-in also CUDA's and that of C++: what else they need is named, and
# is an error.
set -eu
build=$1 file=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/gpu/tests/device"
for f in tide libtide_cuda.so tests/device/test_results tests/device/test_grad tests/device/test_golden; do
  cp "$build/$f" "$tmp/gpu/$f"
  strip --strip-debug "$tmp/gpu/$f"
  more=
  case $f in *.so) more='|stdc\+\+|gcc_s|cu[a-zA-Z]*|nvJitLink' ;; esac
  if ldd "$tmp/gpu/$f" | grep -vE "linux-vdso|lib(c|m|dl|pthread|rt$more)\.so|ld-linux"; then
    echo "pack.sh: $f needs these libraries, which may be missing there" >&2
    exit 1
  fi
done
tar -C "$tmp" -cf - gpu | xz -T0 -6 --lzma2=dict=64MiB >"$file"
echo "$file: $(du -h "$file" | cut -f 1)"
