#!/usr/bin/env bash
# Builds and runs the benchmark; options go to narrow_bench (--help lists them). Only the benchmark writes to stdout.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/cmake/packages.sh"

need_build
need_bench
install_missing_packages

(cd "$root" && cmake --preset bench && cmake --build --preset bench --target narrow_bench) >&2
exec "$root/build/bench/bench/narrow_bench" "$@"
