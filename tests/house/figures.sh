#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Figures that are promised: an affinity change costs the same however large the machine, and the
# machine simulates two million interrupts a second. Built here, optimised, for the tests' own build
# has sanitizers in it.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1

# compile NAME SOURCE...
compile() {
	local name=$1
	shift
	gcc -std=gnu11 -O2 -Iinclude -Isrc "$@" src/core/*.c src/eoi/*.c -o "$tap_dir/$name"
}

affinity() {
	compile affinity bench/affinity.c || return
	bench/affinity.sh "$tap_dir/affinity" >"$tap_dir/table" || return
	sed 's/^/# /' "$tap_dir/table" # shown, and a failure's evidence
}

# column POLICY: its figures, one a line.
column() {
	awk -v policy="$1" '$1 == policy { print $4 }' "$tap_dir/table" | sort -n
}

flat() {
	[ "$(column armed | wc -l)" -eq 5 ] &&
		[ $(($(column armed | tail -n 1) * 10)) -le $(($(column armed | head -n 1) * 12)) ]
}

grows() {
	[ "$(column scan | wc -l)" -eq 2 ] &&
		[ "$(column scan | tail -n 1)" -gt $(($(column scan | head -n 1) * 100)) ]
}

fast() {
	local rate

	compile throughput bench/throughput.c src/machine/*.c || return
	rate=$("$tap_dir/throughput" 500000 8) || return
	echo "$rate interrupts simulated per second"
	[ "$rate" -ge 2000000 ]
}

if ! command -v valgrind >/dev/null; then
	skip "an affinity change under armed is flat within 1.2" "valgrind is not installed"
	skip "an affinity change under scan grows" "valgrind is not installed"
elif affinity; then
	check "an affinity change under armed is flat within 1.2" flat
	check "an affinity change under scan grows" grows
else
	not_ok "an affinity change is measured"
fi
check "the machine simulates two million interrupts a second" fast
finish
