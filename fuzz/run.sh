#!/usr/bin/env bash
# Runs each fuzz target for a while: fuzz/run.sh [SECONDS]. Needs neither cargo-fuzz nor a nightly toolchain. It does not find
# what AddressSanitizer would, and the code has no `unsafe` outside the host binding, which no target reaches.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

seconds=${1:-30}
host=$(rustc --version --verbose | sed -n 's/^host: //p')
target_dir=${CARGO_TARGET_DIR:-$PWD/target}

# What cargo-fuzz asks of the compiler, of it what the stable one has.
export RUSTFLAGS="--cfg fuzzing -Cdebug-assertions -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares"
# With --target, so that build scripts and macros are built without the flags.
cargo build --quiet --locked --release --target "$host" --target-dir "$target_dir"
./seed.sh

for source in targets/*.rs; do
  name=$(basename "$source" .rs)
  mkdir -p "corpus/$name" "artifacts/$name"
  echo "fuzzing $name for $seconds s"
  "$target_dir/$host/release/$name" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
    -artifact_prefix="artifacts/$name/" "corpus/$name" >"artifacts/$name.log" 2>&1 || {
    tail -n 40 "artifacts/$name.log"
    exit 1
  }
  grep -E '^stat::(number_of_executed_units|peak_rss_mb)' "artifacts/$name.log"
done
