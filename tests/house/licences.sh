#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every file names its licence near its top.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1

without=()
# A patch is named by its folder: git am wants its first lines for itself.
while IFS= read -r -d '' file; do
	[ -f "$file" ] || continue
	head -n 5 "$file" | grep -q 'SPDX-License-Identifier: ' || without+=("$file")
done < <(git ls-files -z ':!LICENSES' ':!*.patch')

check "every file has an SPDX line" test ${#without[@]} -eq 0
[ ${#without[@]} -eq 0 ] || printf '# without: %s\n' "${without[@]}"

while read -r licence; do
	check "the text of $licence is here" test -s "LICENSES/$licence.txt"
done < <(git grep -hoE 'SPDX-License-Identifier: [A-Za-z0-9.-]+' -- ':!tests/house' |
	sed 's/.*: //' | sort -u)
finish
