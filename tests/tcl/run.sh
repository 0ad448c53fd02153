#!/usr/bin/env bash
# Runs units of the stock Redis Tcl suite with Ringfort in the place of src/redis-server, and compares what passes with
# expected.txt: a failure that is not listed, a listed case that passes, and a case that is nowhere are errors.
#
#   REDIS_TREE=/path/to/redis-7.4.1 tests/tcl/run.sh [unit/x ...]     (without units: all that expected.txt names)
#
# REDIS_TREE   a source tree of Redis 7.4; it is only read, and is no part of this project
# RINGFORT     the program (target/debug/ringfort)
# SHARDS       number of shards (as the program decides)
# RUNTEST      further arguments of runtest (--force-resp3)
set -euo pipefail
export LC_ALL=C
here="$(cd "$(dirname "$0")" && pwd)"
: "${REDIS_TREE:?a source tree of Redis 7.4}"
ringfort="$(realpath "${RINGFORT:-$here/../../target/debug/ringfort}")"
expected="$here/expected.txt"
unit_seconds_max=900

tree="$(mktemp -d)"
trap 'rm -rf "$tree"' EXIT
cp -r "$REDIS_TREE/tests" "$REDIS_TREE/runtest" "$tree/"
rm -rf "$tree/tests/tmp" && mkdir -p "$tree/tests/tmp" "$tree/src"
# Options that begin the command line come after ours, as some cases end it with one that lacks its value.
cat >"$tree/src/redis-server" <<END
#!/bin/sh
case "\$1" in
    --version | --help | --check-* | --test-* | -[!-]*) exec "$ringfort" "\$@" ;;
    --*) exec "$ringfort" ${SHARDS:+--shards $SHARDS} "\$@" ;;
    *) exec "$ringfort" "\$@" ${SHARDS:+--shards $SHARDS} ;;
esac
END
chmod +x "$tree/src/redis-server"
for tool in redis-check-aof redis-check-rdb; do
    ln -s "$ringfort" "$tree/src/$tool"
done
for tool in redis-cli redis-benchmark; do
    ln -s "$(command -v $tool)" "$tree/src/$tool"
done

# Asked outside of any case; without the debugger the rest of the file would not run.
sed -i '/^    r script debug sync$/d' "$tree/tests/unit/scripting.tcl"

# The names of cases of a unit that runtest is told to leave out.
left_out() {
    awk -F ' [|] ' -v unit="$1" '$1 == unit && $3 ~ /^(slow|breaks): / { print $2 }' "$expected" | sort -u
}

# Prints "ok|NAME" and "err|NAME" for every case of a unit that ran; the rest of the suite's output goes to $tree/log.
cases_of() {
    local unit="$1" name names=()
    while read -r name; do names+=(--skiptest "$name"); done < <(left_out "$unit")
    # Its exit code says no more than its lines do.
    (cd "$tree" && timeout "$unit_seconds_max" ./runtest --single "$unit" --clients 1 --durable "${names[@]}" ${RUNTEST:-}) \
        </dev/null >"$tree/log" 2>&1 || true
    sed 's/\x1b\[[0-9;]*m//g' "$tree/log" | sed -nE \
        -e 's/^\[ok\]: (.*) \([0-9]+ ms\)$/ok|\1/p' \
        -e 's/^\[err\]: (.*) in tests\/(unit|integration)\/.*\.tcl$/err|\1/p'
}

# The names of cases of a unit that may pass or not.
varying() {
    awk -F ' [|] ' -v unit="$1" '$1 == unit && $3 ~ /^varies: / { print $2 }' "$expected"
}

# The names listed for a unit, one a line.
listed() {
    awk -F ' [|] ' -v unit="$1" '$1 == unit { print $2 }' "$expected"
}

units=("$@")
if [ ${#units[@]} -eq 0 ]; then
    mapfile -t units < <(awk -F ' [|] ' '$1 == "cases" { print $2 }' "$expected")
fi

wrong=0
printf '%-44s %6s %6s %6s %8s\n' unit cases passed failed "not run"
for unit in "${units[@]}"; do
    total="$(awk -F ' [|] ' -v unit="$unit" '$1 == "cases" && $2 == unit { print $3 }' "$expected")"
    if [ -z "$total" ]; then
        echo "expected.txt does not know $unit" >&2
        exit 2
    fi
    cases_of "$unit" >"$tree/cases"
    listed "$unit" >"$tree/listed"
    varying "$unit" >"$tree/varying"
    # A name may stand for several cases, so names are counted.
    awk -v unit="$unit" -v total="$total" '
        FILENAME ~ /listed$/ { listed[$0]++; next }
        FILENAME ~ /varying$/ { varying[$0]++; next }
        { name = substr($0, index($0, "|") + 1) }
        /^ok\|/ { ok[name]++; passed++ }
        /^err\|/ { err[name]++; failed++ }
        END {
            for (name in err) if (err[name] > listed[name]) { print "  fails, but is not listed: " name; wrong = 1 }
            for (name in listed) if (listed[name] > err[name]) {
                if (varying[name]) {
                    rest = listed[name] - err[name] - ok[name]
                    if (rest > 0) unrun += rest
                    continue
                }
                if (ok[name]) { print "  stale: passes, but is listed: " name; wrong = 1 }
                else unrun += listed[name] - err[name]
            }
            if (passed + failed + unrun != total) {
                print "  " passed + failed + unrun " cases instead of " total; wrong = 1
            }
            printf "%-44s %6d %6d %6d %8d\n", unit, total, passed, failed, unrun
            exit wrong
        }' "$tree/listed" "$tree/varying" "$tree/cases" | tee -a "$tree/report" || wrong=1
done
awk '/^(unit|integration)\// { cases += $2; passed += $3; failed += $4; unrun += $5 }
    END { printf "%-44s %6d %6d %6d %8d\n", "together", cases, passed, failed, unrun }' "$tree/report"
if [ $wrong -ne 0 ]; then
    echo "not as expected.txt says" >&2
fi
exit $wrong
