# shellcheck shell=bash
# Sourced by bench/run.sh and tests/run.sh: installs what is missing, and asks apt only then.

missing_packages=()

# need PACKAGE COMMAND...: the package is missing where the command fails.
need() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing_packages+=("$package")
}

has() { command -v "$1"; }
has_header() { c++ -std=c++20 -fsyntax-only -x c++ - <<<"#include <$1>"; }
has_fuzzer() {
  clang++ -fsanitize=fuzzer,address -x c++ - -o /dev/null \
    <<<'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }'
}

need_build() {
  need g++ has c++
  need cmake has cmake
  need ninja-build has ninja
  need libxsimd-dev has_header xsimd/xsimd.hpp
}

need_onednn() { need libdnnl-dev has_header oneapi/dnnl/dnnl.hpp; }
need_bench() {
  need_onednn
  need libbenchmark-dev has_header benchmark/benchmark.h
}
need_tests() {
  need_onednn
  need libgtest-dev has_header gtest/gtest.h
}
need_all_checks() {
  need python3 has python3
  need clang has clang++
  need libclang-rt-dev has_fuzzer
  need g++-aarch64-linux-gnu has aarch64-linux-gnu-g++
  need googletest test -e /usr/src/googletest/CMakeLists.txt
  need qemu-user has qemu-aarch64
}

install_missing_packages() {
  ((${#missing_packages[@]})) || return 0
  local install="apt-get install --no-install-recommends ${missing_packages[*]}" as_root=()
  if ! has apt-get >/dev/null; then
    echo "These packages (Debian's names) are missing, and there is no apt-get to install them: ${missing_packages[*]}" >&2
    return 1
  fi
  if ((EUID != 0)); then
    if ! sudo -n true 2>/dev/null; then
      echo "Packages are missing, and installing them takes root. Please run: sudo apt-get update && sudo $install" >&2
      return 1
    fi
    as_root=(sudo -n)
  fi
  "${as_root[@]}" apt-get update -q >&2
  # shellcheck disable=SC2086  # words
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $install -y -q >&2
}
