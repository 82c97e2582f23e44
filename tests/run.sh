# What ./dev test does; sourced by ./dev, which has configure, compile, lint and say.
#
# Every part leaves lines "passed failed name" in build-test/results, and what the failed tests said last in
# build-test/failures, which is printed at the end; the last line printed is "N passed, N failed".
# A test that is skipped counts as failed.

results=build-test/results
failures=build-test/failures

# As in meson.build, for the programs that pytest starts.
export ASAN_OPTIONS="detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=1:allocator_may_return_null=1"
export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1"
export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp:halt_on_error=1:ignore_noninstrumented_modules=1"
TSAN_OPTIONS+=":allocator_may_return_null=1:external_symbolizer_path=/usr/bin/llvm-symbolizer-14"

step() {
    say "── $* ($((SECONDS / 60)) min $((SECONDS % 60)) s)"
}

# report KIND PLACE: what a tool left at PLACE; it must not be there from an earlier run.
report() {
    .venv/bin/python3 tests/report.py "$@" >>"$results" 2>>"$failures"
}

test_lint() {
    step "lint"
    lint | tee build-test/lint.txt
    report lint build-test/lint.txt
}

# gcc here, clang for the thread sanitizer: so both compilers' warnings are errors somewhere. Two of gcc's are confused by its
# own sanitizers; clang has the first as well.
configure_asan() {
    CC="ccache gcc" CXX="ccache g++" configure build-asan -Db_sanitize=address,undefined -Db_lundef=false \
        "-Dc_args=['-Wno-conversion', '-Wno-nonnull']"
    compile build-asan
}

# Servers that tests need and Debian has not: built once, into the cache of services (minutes); each test says so if one is
# missing.
build_services() {
    tests/services/s3 install && tests/services/toxiproxy install
}

test_unit() {
    step "unit tests and simulation, with address and undefined-behaviour sanitizers"
    build_services
    configure_asan
    rm -f build-asan/meson-logs/testlog.json
    meson test -C build-asan --no-rebuild --print-errorlogs --timeout-multiplier 3
    # What the simulation hit.
    sed -n '/ seeds (.* count): /,/ failures in /p' build-asan/meson-logs/testlog.txt
    report meson build-asan
}

# pytest's arguments may be given, to run a part of them.
test_integration() {
    step "integration tests against MariaDB and pypaimon, with address and undefined-behaviour sanitizers"
    build_services
    configure_asan
    rm -f build-test/integration.xml
    LEAT_BUILD="$PWD/build-asan" pytest -q --junitxml=build-test/integration.xml tests/integration "$@"
    report junit build-test/integration.xml
}

# The lab under faults; pytest's arguments may be given. The services' proxies and the shim are made when they are missing.
test_faults() {
    step "faults: the lab under a schedule from a seed, with address and undefined-behaviour sanitizers"
    build_services
    configure_asan
    rm -f build-test/faults.xml
    LEAT_BUILD="$PWD/build-asan" pytest -q -m "not long" --junitxml=build-test/faults.xml tests/faults "$@"
    report junit build-test/faults.xml
}

# Threads meet in these folders; the rest is single-threaded code under them.
thread_suites=(common storage columnar flow taskmanager)

# The address space must be laid out the old way for the runtimes of these compilers.
as_thread_sanitizer_wants() {
    if setarch -R true 2>/dev/null; then setarch -R "$@"; else "$@"; fi
}

test_thread() {
    step "threads: unit tests and one integration run, with the thread sanitizer"
    local suites=() suite
    for suite in "${thread_suites[@]}"; do suites+=(--suite "$suite"); done
    CC="ccache clang-14" CXX="ccache clang++-14" configure build-tsan -Db_sanitize=thread -Db_lundef=false
    compile build-tsan
    rm -f build-tsan/meson-logs/testlog.json
    as_thread_sanitizer_wants meson test -C build-tsan --no-rebuild --print-errorlogs --timeout-multiplier 5 "${suites[@]}"
    report meson build-tsan
    rm -f build-test/threads.xml
    LEAT_BUILD="$PWD/build-tsan" as_thread_sanitizer_wants pytest -q -m threads --junitxml=build-test/threads.xml tests/integration
    report junit build-test/threads.xml
}

run_tests() {
    local parts=(lint unit integration faults thread) part before
    [ $# -eq 0 ] || { parts=("$1"); shift; }
    mkdir -p build-test
    : >"$results"
    : >"$failures"
    set +e
    for part in "${parts[@]}"; do
        case $part in
        lint | unit | integration | faults | thread) ;;
        *) die "no such part of the tests: '$part'; there are lint, unit, integration, faults, thread" ;;
        esac
        # A part that dies before it reports (a build that fails) must not count as nothing to do.
        before=$(wc -l <"$results")
        ("test_$part" "$@")
        [ "$(wc -l <"$results")" -gt "$before" ] || echo "0 1 $part: ended before a test ran" >>"$results"
    done
    cat "$failures"
    awk -v seconds="$SECONDS" '
        { passed += $1; failed += $2; if ($2) { $1 = ""; $2 = ""; print "FAILED" $0 } }
        END { printf "%d min %d s\n%d passed, %d failed\n", seconds / 60, seconds % 60, passed, failed; exit failed > 0 || passed == 0 }
    ' "$results"
}
