#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1

sources=()
while IFS= read -r -d '' file; do
	[ -f "$file" ] && sources+=("$file")
done < <(git ls-files -z '*.c' '*.h' ':!kernel')

check "the sources are in shape (./x format)" clang-format --dry-run -Werror "${sources[@]}"
for file in "${sources[@]}"; do
	lines=$(wc -l <"$file")
	[ "$lines" -gt 600 ] && note "$file has $lines lines, more than 600"
done
finish
