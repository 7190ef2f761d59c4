#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Instructions of one affinity change, by callgrind, as a table. tests/house/figures.sh says what
# they may be.
set -euo pipefail
program=${1:?usage: affinity.sh PROGRAM}
changes=32

command -v valgrind >/dev/null || {
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

row() {
	local count

	count=$(instructions "$@")
	if [ "$count" -eq 0 ]; then
		echo "affinity.sh: callgrind counted nothing for $*" >&2
		exit 2
	fi
	printf '%-8s %6s %7s %14s\n' "$1" "$2" "$3" "$count"
}

printf '%-8s %6s %7s %14s\n' policy vCPUs routes instructions
row armed 1 24
row armed 4096 24
row armed 1 4096
row armed 64 1024
row armed 4096 4096
row scan 1 24
row scan 64 1024 2
