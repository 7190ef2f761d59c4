#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The series themselves: what git am takes, signed by nobody, and by the kernel's own rules.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
# shellcheck source=kernel/kernels.sh
. "$LAPWING_SOURCE/kernel/kernels.sh"
need_packages git patch perl
set +e

for folder in "$LAPWING_SOURCE"/kernel/linux-*; do
	name=${folder##*/linux-}
	series=("$folder"/*.patch)
	check "linux-$name: a series in order" test "$(printf '%s\n' "${series[@]##*/}" | cut -c1-4 |
		xargs)" = "$(seq -f %04g -s ' ' "${#series[@]}")"
	check "linux-$name: licence below the message" test \
		"$(grep -lx 'SPDX-License-Identifier: GPL-2.0-only' "${series[@]}" | wc -l)" = \
		"${#series[@]}"
	check "linux-$name: signed by nobody" test -z \
		"$(grep -lE '^(Signed-off|Acked|Reviewed|Tested)-by:' "${series[@]}")"
	mkdir "$tap_dir/$name"
	check "linux-$name: git reads them as mails" git mailsplit -o"$tap_dir/$name" "${series[@]}"

	source=$(find "$kernel_cache/kernel/$name" -maxdepth 2 -name source 2>/dev/null | tail -n 1)
	if [ -z "$source" ]; then
		skip "linux-$name: applies, and checkpatch is content" \
			"source not unpacked: ./x kernel build $name"
		continue
	fi
	cp -r "$source/arch" "$source/virt" "$source/tools" "$tap_dir/$name/"
	for patch in "${series[@]}"; do
		check "linux-$name: ${patch##*/} applies without fuzz" \
			patch -d "$tap_dir/$name" -p1 -s -F0 -i "$patch"
	done
	check "linux-$name: checkpatch --strict is content" "$LAPWING_SOURCE/kernel/kernel" check "$name"
done
finish
