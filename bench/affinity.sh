#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Instructions of one affinity change, by callgrind: a table, and as TAP with --tap. Armed must be
# flat within 1.2 from 1 to 4,096 vCPUs and from 24 to 4,096 routes; scan must grow.
set -u
program=${1:?usage: affinity.sh PROGRAM [--tap]}
tap=${2:-}
changes=32

command -v valgrind >/dev/null || {
	[ -z "$tap" ] || { echo 1..1; echo "ok 1 - affinity # SKIP valgrind is not installed"; exit 0; }
	echo "affinity.sh: valgrind is not installed" >&2
	exit 2
}

# POLICY VCPUS ROUTES [CHANGES] -> instructions of one change
instructions() {
	local n=${4:-$changes} total
	total=$(valgrind --tool=callgrind --toggle-collect=measured --callgrind-out-file=/dev/null \
		"$program" "$1" "$2" "$3" "$n" 2>&1 |
		sed -n 's/^==[0-9]*== Collected : \([0-9]*\).*/\1/p')
	echo $((${total:-0} / n))
}

points="1:24 4096:24 1:4096 64:1024 4096:4096"
least=0 most=0
for point in $points; do
	count=$(instructions armed "${point%:*}" "${point#*:}")
	[ "$count" -gt 0 ] || { echo "affinity.sh: callgrind counted nothing for armed $point" >&2; exit 2; }
	rows+=("armed $point $count")
	[ "$least" -ne 0 ] && [ "$least" -le "$count" ] || least=$count
	[ "$most" -ge "$count" ] || most=$count
done
small=$(instructions scan 1 24)
large=$(instructions scan 64 1024 2)
rows+=("scan 1:24 $small" "scan 64:1024 $large")

flat=$((most * 10 <= least * 12))
grows=$((large > small * 100))
if [ -n "$tap" ]; then
	printf '# %s\n' "${rows[@]}"
	echo 1..2
	[ $flat = 1 ] && echo "ok 1 - armed is flat: $least to $most instructions" ||
		echo "not ok 1 - armed is flat: $least to $most instructions"
	[ $grows = 1 ] && echo "ok 2 - scan grows: $small to $large" ||
		echo "not ok 2 - scan grows: $small to $large"
	exit 0
fi
printf '%-8s %6s %7s %14s\n' policy vCPUs routes instructions
for row in "${rows[@]}"; do
	set -- $row
	printf '%-8s %6s %7s %14s\n' "$1" "${2%:*}" "${2#*:}" "$3"
done
