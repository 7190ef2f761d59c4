#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A short differential run against a Debian kernel's chips, and whether it can fail.
# Usage: diff.sh KERNEL
. "$LAPWING_SOURCE/tests/lib/tap.sh"
run=$LAPWING_SOURCE/tests/diff/run
kernel=$1

# attempt FILE OPTION...: 2 says that there is no machine to run it in. 3 and more, that the machine
# fell over or stood still, as emulated SVM does now and then (docs/tinyvmm.md): what Lapwing does
# wrong, it does again.
attempt() {
	local to=$1 try
	shift
	for try in first second; do
		"$run" --kernel "$kernel" --time 200 "$@" >"$to" 2>"$tap_dir/err" </dev/null
		status=$?
		[ "$status" -gt 2 ] || break
		note "the $try try ended with exit status $status: $(tail -n 1 "$tap_dir/err")"
		sed 's/^/# /' "$to" "$tap_dir/err"
	done
	case $status in
	1 | 2) sed 's/^/# /' "$to" "$tap_dir/err" ;;
	esac
}

attempt "$tap_dir/out" --ops 40000
if [ "$status" -eq 2 ]; then
	skip "as linux $kernel's chips" "no nested machine: $(tail -n 1 "$tap_dir/err")"
	finish
fi
check "as linux $kernel's chips, but for known deviations" test "$status" -eq 0
note "$(grep ' operations in ' "$tap_dir/out")"
while read -r _ rule _; do
	check "docs/deviations.md tells of $rule" \
		grep -qE "^\| \`$rule\` \|.*\|.*\|.*\|\$" "$LAPWING_SOURCE/docs/deviations.md"
done < <(grep '^deviation ' "$tap_dir/out")

attempt "$tap_dir/mutants" --ops 40000 --mutants
check "each mutant is found" test "$status" -eq 0
check "and there are some" grep -q ': found after ' "$tap_dir/mutants"
finish
