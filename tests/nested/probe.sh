#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lapwing probe on a Debian kernel, stock, and patched where the modules have been built.
# Usage: probe.sh KERNEL
. "$LAPWING_SOURCE/tests/lib/tap.sh"
kernel=$1
tool=$LAPWING_SOURCE/build/lapwing-static
nested=$LAPWING_SOURCE/tests/nested/nested

# verdicts FILE: split=VERDICT in-kernel=VERDICT
verdicts() {
	python3 -c 'import json, sys
print(*(m["mode"] + "=" + m["verdict"] for m in json.load(sys.stdin)["modes"]))' <"$1"
}

# compare FILE: what a VMM on the split backend makes of the same kernel.
compare() {
	python3 - "$1" "$kernel" "$tap_dir/compared" <<'PY'
import json, sys
said = open(sys.argv[3], "w")
report, kernel = json.load(open(sys.argv[1])), sys.argv[2]
itself = {c["case"]: c for c in report["modes"][0]["cases"]}
mine = {c["case"]: c for c in report["through_lapwing"]["cases"]}
for name in ("moved-in-service", "coincidence", "vector-rewrite"):
    one, two = itself[name], mine[name]
    print(f"{name}: arrived {one['eoi_arrived']}, needless {one['superfluous']}; "
          f"through Lapwing arrived {two['eoi_arrived']}, needless {two['superfluous']}",
          file=said)
assert mine["moved-in-service"]["eoi_arrived"] and mine["vector-rewrite"]["eoi_arrived"]
assert mine["moved-in-service"]["superfluous"] == mine["vector-rewrite"]["superfluous"] == 0
assert mine["coincidence"]["superfluous"] <= 1
assert itself["vector-rewrite"]["eoi_arrived"] is False
if kernel == "6.1":
    assert itself["moved-in-service"]["eoi_arrived"] is False
if kernel == "6.12":
    assert itself["moved-in-service"]["superfluous"] == itself["coincidence"]["superfluous"] == 200
    assert mine["coincidence"]["superfluous"] == 1
PY
}

if [ ! -x "$tool" ]; then
	skip "probe on linux $kernel" "no $tool: ./x build"
	finish
fi

# The probe's own exit status is 1 on a kernel that is affected, 0 on one that is not. Every kernel
# loses the EOI of vector-rewrite, so that case is left out.
"$nested" "$kernel" --quiet --file "$tool" -- lapwing-static probe --json --ignore vector-rewrite \
	>"$tap_dir/stock" 2>"$tap_dir/err" </dev/null
status=$?
if check "stock linux $kernel: the probe tells something" test "$status" -le 1; then
	found=$(verdicts "$tap_dir/stock")
	note "stock linux $kernel: $found"
	case $kernel in
	6.1) known="split=loses-eoi in-kernel=stale" ;;
	6.12) known="split=stale in-kernel=stale" ;;
	*) known=$found ;;
	esac
	# Another verdict than the known one means that the distribution picked something up.
	[ "$found" = "$known" ] || note "news: stock linux $kernel used to be $known"
	check "nothing lost and nothing left through Lapwing" compare "$tap_dir/stock"
	while read -r line; do note "$line"; done <"$tap_dir/compared"
	check "its exit status is the verdict's" test "$status" -eq \
		"$(grep -qE 'loses-eoi|stale' <<<"$found" && echo 1 || echo 0)"
fi
[ "$status" -le 1 ] || sed 's/^/# /' "$tap_dir/err"

"$nested" "$kernel" --quiet --patched --file "$tool" -- lapwing-static probe --json --ignore vector-rewrite \
	>"$tap_dir/patched" 2>"$tap_dir/err" </dev/null
status=$?
if grep -q 'not built yet' "$tap_dir/err"; then
	skip "patched linux $kernel: clean" "modules not built: ./x kernel build $kernel"
else
	check "patched linux $kernel: clean, exit status 0" test "$status" -eq 0
	check "in both modes" test "$(verdicts "$tap_dir/patched")" = "split=clean in-kernel=clean"
	[ "$status" -eq 0 ] || sed 's/^/# /' "$tap_dir/err" "$tap_dir/patched"
fi
finish
