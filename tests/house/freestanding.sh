#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The chips and the policies need nothing but memcpy, memmove, memset and memcmp; the chips not
# even the policies.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1
shopt -s nullglob

# undefined FILE...: what these sources together leave undefined.
undefined() {
	local source objects=()

	rm -f "$tap_dir"/*.o
	for source; do
		gcc -std=c11 -O2 -ffreestanding -fno-stack-protector -fno-pic -Iinclude -Isrc \
			-c "$source" -o "$tap_dir/${source//\//_}.o" || return
		objects+=("$tap_dir/${source//\//_}.o")
	done
	ld -r "${objects[@]}" -o "$tap_dir/whole.o" || return
	nm -u "$tap_dir/whole.o" | awk '{print $2}' | grep -vxE 'mem(cpy|move|set|cmp)'
}

# only_mem NAME FILE...
only_mem() {
	local name=$1 left
	shift
	if [ $# -eq 0 ]; then
		skip "$name" "there are no sources yet"
		return
	fi
	left=$(undefined "$@" 2>&1)
	if [ -z "$left" ]; then
		ok "$name"
	else
		printf '%s\n' "$left" | sed 's/^/# undefined: /'
		not_ok "$name"
	fi
}

only_mem "src/core needs only mem*" src/core/*.c
only_mem "src/core and src/eoi need only mem*" src/core/*.c src/eoi/*.c
finish
