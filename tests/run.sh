#!/usr/bin/env bash
# Every check of the project, about 25 minutes on two cores. `run.sh quick` stops after the release build's tests.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
source cmake/packages.sh

jobs=$(nproc)
passed=0
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# shellcheck disable=SC2054
haswell=(qemu-x86_64 -cpu Haswell-noTSX,-pcid,-x2apic,-tsc-deadline,-invpcid)  # AVX2 and no more
nehalem=(qemu-x86_64 -cpu Nehalem)                                             # SSE and no more
arm() { qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu "$@"; }

tally() { ((passed += $1, failed += $2)) || true; }

# check NAME COMMAND...: one test; it passes where the command succeeds.
check() {
  local name=$1
  shift
  if "$@" >"$work/check" 2>&1; then
    echo "ok      $name"
    tally 1 0
  else
    cat "$work/check"
    echo "FAILED  $name"
    tally 0 1
  fi
}

# stage NAME: runs stage_NAME; a stage that cannot finish (a build that fails, say) counts as a failure.
stage() {
  local start=$SECONDS
  echo "=== $1"
  "stage_$1" || { echo "FAILED  $1"; tally 0 1; }
  echo "=== $1: $((SECONDS - start)) s"
}

build() { cmake --preset "$1" >"$work/configure" || { cat "$work/configure"; return 1; } && cmake --build --preset "$1"; }

# run_gtest FRACTION COMMAND...: runs one in FRACTION of the tests of a GoogleTest program, on all processors.
run_gtest() {
  local fraction=$1 shard status ok bad all_ok=0 all_bad=0 pids=()
  shift
  for ((shard = 0; shard < jobs; ++shard)); do
    GTEST_TOTAL_SHARDS=$((jobs * fraction)) GTEST_SHARD_INDEX=$((shard * fraction)) \
      "$@" --gtest_brief=1 >"$work/shard$shard" 2>&1 &
    pids+=($!)
  done
  for shard in "${!pids[@]}"; do
    wait "${pids[shard]}"
    status=$?
    ok=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$work/shard$shard")
    bad=$(sed -n 's/^ *\([0-9]*\) FAILED TEST.*/\1/p' "$work/shard$shard")
    ((status == 0)) || cat "$work/shard$shard"
    ((status == 0 || ${bad:-0} > 0)) || bad=1  # it crashed
    ((all_ok += ${ok:-0}, all_bad += ${bad:-0}))
  done
  ((all_ok + all_bad > 0)) || all_bad=1  # none ran
  echo "$all_ok tests hold, $all_bad fail: $*"
  tally $all_ok $all_bad
}

# consumer KIND PRESET [CMAKE_OPTION...]: installs that build, and builds the example against what is installed.
consumer() {
  local kind=$1 preset=$2
  shift 2
  rm -rf "build/installed/$kind" "build/consumer/$kind"
  cmake --install "build/$preset" --prefix "build/installed/$kind" &&
    cmake -G Ninja -S examples/consumer -B "build/consumer/$kind" -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_PREFIX_PATH="$PWD/build/installed/$kind" "$@" &&
    cmake --build "build/consumer/$kind"
}

# picks TIER COMMAND...: the consumer runs, and a kernel of that tier serves it.
picks() {
  local tier=$1
  shift
  "$@" | tee "$work/picks" && grep -q "_$tier:" "$work/picks"
}

stage_release() {
  build release || return 1
  ctest --preset release -j "$jobs" | tee "$work/ctest"
  local status=$? summary bad all
  summary=$(sed -n 's/^.*tests passed, \([0-9]*\) tests\{0,1\} failed out of \([0-9]*\)$/\1 \2/p' "$work/ctest")
  read -r bad all <<<"${summary:-1 1}"
  tally $((all - bad)) "$bad"
  grep -A 4 "^SQNR in dB" build/release/Testing/Temporary/LastTest.log  # QuantizeWeights.SignalToNoise
  ((status == 0 || bad > 0))
}

# exports_none LIBRARY: a shared object that links all of a static narrow shows nothing of it.
exports_none() {
  c++ -shared -o "$work/host.so" -Wl,--whole-archive "$1" -Wl,--no-whole-archive && nm -D --defined-only "$work/host.so" >"$work/shown" &&
    ! grep narrow "$work/shown"
}

# deaf_to_flags: the flags of a project around narrow change no instruction of its portable sources (nor of kernels, which are
# compiled with the same options).
deaf_to_flags() {
  cmake -G Ninja -S . -B build/deaf -DCMAKE_BUILD_TYPE=Release -DNARROW_BUILD_TESTS=OFF -DNARROW_BUILD_BENCH=OFF \
    -DCMAKE_CXX_FLAGS="-ffast-math -flto" -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON -DCMAKE_UNITY_BUILD=ON &&
    cmake --build build/deaf --target narrow_core || return 1
  local object objects=(build/deaf/CMakeFiles/narrow_core.dir/src/*.o)
  for object in "${objects[@]}"; do
    cmp <(objdump -d "$object" | tail -n +4) <(objdump -d "${object/deaf/release}" | tail -n +4) || return 1
  done
}

# The library linked both ways from the same kernels.
stage_library() {
  check "consumer of the static library: builds" consumer static release
  check "consumer of the static library: runs" build/consumer/static/consumer
  check "static library: exports nothing" exports_none build/release/libnarrow.a
  check "library: deaf to -ffast-math and -flto" deaf_to_flags
  cmake --preset release -DBUILD_SHARED_LIBS=ON >/dev/null && cmake --build --preset release --target narrow || return 1
  check "consumer of the shared library: builds" consumer shared release
  check "consumer of the shared library: runs" build/consumer/shared/consumer
  check "objects: symbols and instructions" python3 tests/objects/check.py build/release --shared build/release/libnarrow.so
  cmake --preset release >/dev/null
}

# Processors without AVX-512, and without AVX: no illegal instruction, and the tier that fits. On the AVX2 one only tests that
# load no vector in part next to a guard page: QEMU 7.2 reads all of it where VPMASKMOV reads the part.
stage_x86_tiers() {
  local program=build/consumer/static/consumer tests=build/release/tests/narrow_tests
  check "AVX2 processor picks avx2" picks avx2 "${haswell[@]}" $program
  check "SSE processor picks generic" picks generic "${nehalem[@]}" $program
  check "AVX2 without XSAVE picks generic" picks generic "${haswell[0]}" -cpu "${haswell[2]},-xsave" $program
  run_gtest 1 "${haswell[@]}" $tests --gtest_filter="Arguments.*:Isa.*:*Overflow*:*Blobs.*:*Quantize.*:*Tiles.*\
:*Products.EveryRowCount*:*Products.EveryColumnCount*:*Products.ExtremeValues*:*Products.DispatchUnderACap*:*Products.FewRows*\
:*Binary.EveryColumnCount*:*Binary.ExtremeCounts*:*Binary.DispatchUnderACap*:*BinaryWeights.*:*Convolution.BehindGuardPages*\
:*Int4.Shapes*:*Groups.Shapes*:*Layouts.*:*WeightsStreams.*"
  run_gtest 1 "${nehalem[@]}" $tests --gtest_filter='-OneDnn*:Emulated*'
}

# finds_loops OBJECT...: the report on inner loops has a line for each object, whatever llvm-mca, which need not be there, says.
finds_loops() {
  printf '#!/bin/sh\ncat >/dev/null\necho "Total Cycles: 1000"\n' >"$work/mca"
  chmod +x "$work/mca"
  python3 bench/mca.py --mca "$work/mca" --objdump aarch64-linux-gnu-objdump "$@" >"$work/loops"
  (($(wc -l <"$work/loops") > $#))
}

stage_aarch64() {
  build aarch64 || return 1
  local program=build/consumer/aarch64/consumer tests=build/aarch64/tests/narrow_tests
  check "objects: symbols and instructions" python3 tests/objects/check.py build/aarch64 --tools aarch64-linux-gnu-
  check "mca.py: finds the loops" finds_loops build/aarch64/CMakeFiles/*/kernels/neon*/int[48].cpp.o
  check "consumer: builds" consumer aarch64 aarch64 --toolchain "$PWD/cmake/aarch64-linux-gnu.cmake" \
    -Dnarrow_DIR="$PWD/build/installed/aarch64/lib/cmake/narrow"
  check "cortex-a72 picks neon" picks neon arm cortex-a72 $program
  check "cortex-a76 picks neon_dotprod" picks neon_dotprod arm cortex-a76 $program
  check "max picks neon_i8mm" picks neon_i8mm arm max $program
  run_gtest 1 arm max $tests
  run_gtest 3 arm cortex-a72 $tests  # no divisor of the number of tiers, or it would always be the same one
}

# finished PID LOG: whether what ran in the background succeeded.
finished() { wait "$1" || { cat "$2"; return 1; } }

# Addresses and undefined behaviour: by the tests, and by what fuzzing makes up, all targets at once.
stage_asan() {
  build asan || return 1
  run_gtest 1 build/asan/tests/narrow_tests
  local target pids=()
  for target in build/asan/tests/fuzz/*; do
    "$target" -seed=1 -max_total_time=20 -artifact_prefix=build/asan/ >"$work/${target##*/}" 2>&1 &
    pids+=($!)
  done
  for target in build/asan/tests/fuzz/*; do
    check "fuzz: ${target##*/}" finished "${pids[0]}" "$work/${target##*/}"
    pids=("${pids[@]:1}")
  done
}

# Threads and schedules, which are the same on all tiers: the preset builds two. The sanitizer cannot work with as much
# randomness of addresses as some kernels have.
stage_tsan() {
  build tsan || return 1
  local fixed_addresses=()
  setarch -R true 2>/dev/null && fixed_addresses=(setarch -R)
  run_gtest 1 "${fixed_addresses[@]}" build/tsan/tests/narrow_tests --gtest_filter='*Thread*:*Parallel*'
}

stage_clang() {
  build clang || return 1
  run_gtest 9 build/clang/tests/narrow_tests  # as above
}

case ${1-} in
  '' | quick) ;;
  *) echo "usage: bash tests/run.sh [quick]" >&2; exit 2 ;;
esac

need_build
need_tests
[[ ${1-} == quick ]] || { need_bench; need_all_checks; }
install_missing_packages || exit 1

stage release
if [[ ${1-} != quick ]]; then
  for name in library x86_tiers aarch64 asan tsan clang; do stage $name; done
fi

echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
