#!/usr/bin/env bash
# How close the inner loops of the Arm kernels come to the multiply rate of the processor, without one: cross-builds the
# NEON tiers and asks llvm-mca. Object files may be given instead. Needs LLVM 17 or newer (Neoverse V2's model).
#   bench/mca.sh [--all] [OBJECT...]     --all: every tile, not only the largest of each object
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

knows_neoverse_v2() { echo nop | "$1" -mtriple=aarch64 -mcpu=neoverse-v2 2>&1 | grep -q 'Dispatch Width: *16'; }
mca=
for candidate in $(compgen -c llvm-mca | sort -urV); do
  if knows_neoverse_v2 "$candidate"; then
    mca=$candidate
    break
  fi
done
if [[ -z $mca ]]; then
  echo "No llvm-mca knows Neoverse V2. Debian 12: apt-get install llvm-19; Ubuntu 24.04: apt-get install llvm" >&2
  exit 1
fi
if ! command -v aarch64-linux-gnu-objdump >/dev/null; then
  echo "aarch64-linux-gnu-objdump is missing: apt-get install g++-aarch64-linux-gnu" >&2
  exit 1
fi

options=() objects=()
for argument; do
  if [[ $argument == --* ]]; then options+=("$argument"); else objects+=("$argument"); fi
done
if ((${#objects[@]} == 0)); then
  (cd "$root" && cmake --preset aarch64 -DNARROW_BUILD_TESTS=OFF -B build/mca && cmake --build build/mca) >&2
  mapfile -t objects < <(find "$root/build/mca" -path '*/kernels/neon*' -name '*.o' | sort)
fi
exec python3 "$root/bench/mca.py" --mca "$mca" --objdump aarch64-linux-gnu-objdump "${options[@]}" "${objects[@]}"
