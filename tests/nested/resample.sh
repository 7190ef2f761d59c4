#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An assigned device's interrupts through the split backend, none lost and none doubled, while the
# pin is moved. Usage: resample.sh host|KERNEL COUNT
. "$LAPWING_SOURCE/tests/lib/tap.sh"
where=$1
count=$2

check "it builds" "$LAPWING_SOURCE/tests/nested/watch/build" resample "$tap_dir/resample"
name="$count interrupts on $where: none lost, none doubled"
if [ "$where" = host ]; then
	if ! [ -r /dev/kvm ] || ! [ -w /dev/kvm ]; then
		skip "$name" "no access to /dev/kvm"
		finish
	fi
	run() { "$tap_dir/resample" "$count"; }
else
	run() {
		"$LAPWING_SOURCE/tests/nested/nested" "$where" --quiet --cpus 2 --time 250 \
			--file "$tap_dir/resample" -- resample "$count" </dev/null
	}
fi
run >"$tap_dir/said" 2>"$tap_dir/err"
status=$?
check "$name" test "$status" -eq 0
note "$(cat "$tap_dir/said" "$tap_dir/err")"
check "each was told" grep -q "^raised $count served $count told $count moves" "$tap_dir/said"
check "routes were changed in flight" grep -q ' deferred [1-9]' "$tap_dir/said"
finish
