#!/usr/bin/env bash
# Installs what the tests need (Debian packages, crates) and runs them all. README's second command; CI runs the same.
#
#   tests/run.sh            the short form of everything, for CI and every day
#   tests/run.sh asan       the library's tests under the address sanitizer (nightly toolchain)
#   tests/run.sh loom       rings, shelf and doorbell through all interleavings
set -euo pipefail
cd "$(dirname "$0")/.."

install_packages() {
    local missing=()
    command -v redis-server >/dev/null || missing+=(redis-server)
    command -v redis-cli >/dev/null || missing+=(redis-tools)
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    # Luau, the interpreter of scripts, is C++.
    command -v c++ >/dev/null || missing+=(g++)
    # Clients that people use: tests/clients.rs.
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    # Counts instructions: tests/instructions.rs.
    command -v valgrind >/dev/null || missing+=(valgrind)
    command -v npm >/dev/null || missing+=(nodejs npm)
    [ ${#missing[@]} -eq 0 ] && return
    local sudo=""
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    $sudo apt-get update -qq
    # The package would start a server on 6379, which no test needs.
    printf '#!/bin/sh\nexit 101\n' | $sudo tee /usr/sbin/policy-rc.d >/dev/null && $sudo chmod +x /usr/sbin/policy-rc.d
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}"
    $sudo rm -f /usr/sbin/policy-rc.d
}

case "${1:-all}" in
all)
    install_packages
    cargo test --no-fail-fast
    ;;
asan)
    # mimalloc would hide the heap from the sanitizer: under it the system's allocator is used (src/stats/memory.rs).
    LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp" RUSTFLAGS="-Zsanitizer=address --cfg system_allocator" cargo +nightly test --lib --target x86_64-unknown-linux-gnu --target-dir target/asan
    ;;
loom)
    RUSTFLAGS="--cfg loom" cargo test --lib --profile fast --target-dir target/loom loom_
    ;;
*)
    echo "usage: tests/run.sh [all|asan|loom]" >&2
    exit 2
    ;;
esac
