#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# docs/reliability.md and docs/features.md can't rot: the tests and calls that they name exist, no
# cell is empty, and no row that was promised is missing.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1

records=(CVE-2012-2137 CVE-2013-1798 CVE-2013-6367 CVE-2013-6376 CVE-2014-0155 CVE-2015-4692
	CVE-2015-7513 CVE-2016-9777 CVE-2017-1000252 CVE-2018-19406 CVE-2018-19407 CVE-2020-27152
	CVE-2021-47255 CVE-2021-47390 CVE-2022-2153 CVE-2025-21779 CVE-2025-71104 CVE-2026-64513
	CVE-2026-74517 XSA-108 XSA-261 XSA-412 XSA-462 'ACRN 6131' 'jailhouse 851d7594'
	'jailhouse 08a0c14d')
races=25

# rows PAGE: the rows of its tables, the rules under the headings left out.
rows() {
	grep '^|' "$1" | grep -v '^|[-|]*$'
}

# first PAGE: the first cell of each row.
first() {
	rows "$1" | cut -d '|' -f 2
}

# runs FILE:CASE: defined in tests/unit/test_FILE.c, and named again among its cases.
runs() {
	local file=tests/unit/test_${1%%:*}.c name=${1#*:}

	grep -qE "^static void $name\(void \*\*state\)" "$file" &&
		[ "$(grep -cE "\b$name\b" "$file")" -ge 2 ]
}

# What stands in backquotes, by its form: a unit test's case, a call, a file.
cases() { grep -oE '`[a-z0-9_]+:[a-z0-9_]+`' "$1" | tr -d '`' | sort -u; }
calls() { grep -oE '`lw_[a-z0-9_]+\(\)`' "$1" | tr -d '`()' | sort -u; }
files() { grep -oE '`[a-z]+/[A-Za-z0-9_./-]+`' "$1" | tr -d '`' | sort -u; }

missing_cases() {
	local name
	cases "$1" | while read -r name; do runs "$name" || echo "no case $name"; done
}
missing_calls() {
	local name
	calls "$1" | while read -r name; do
		grep -qE "\b$name\(" include/lapwing/*.h || echo "no call $name"
	done
}
missing_files() {
	local name
	files "$1" | while read -r name; do [ -e "$name" ] || echo "no file $name"; done
}
empty_cells() {
	rows "$1" | grep -E '\|[[:space:]]*\|'
}

# A row of features.md has calls and something that shows them.
unshown() {
	rows docs/features.md | grep -v '^| feature ' |
		grep -vE '^\|[^|]*\|[^|]*`lw_[a-z0-9_]+\(\)`[^|]*\|[^|]*`[a-z0-9_]+[:/][^|]*\|$'
}

# none NAME COMMAND...: it prints nothing.
none() {
	local name=$1 said
	shift
	said=$("$@")
	[ -z "$said" ] || printf '%s\n' "$said" | sed 's/^/# /'
	check "$name" test -z "$said"
}

missing_rows() {
	local record n

	for record in "${records[@]}"; do
		first docs/reliability.md | grep -qE "\b$record\b" || echo "no row $record"
	done
	for ((n = 1; n <= races; n++)); do
		first docs/reliability.md | grep -qE "\b7\.$n\b" || echo "no row 7.$n"
	done
}

# Each row points to something that can be checked, or says why it can't apply.
bare_rows() {
	rows docs/reliability.md | grep -vE '`[a-z0-9_]+:[a-z0-9_]+`|The library has no' |
		grep -vE '^\| (record|number) '
}

for page in docs/reliability.md docs/features.md; do
	check "$page names tests" test -n "$(cases "$page")"
	none "$page: each case that it names runs" missing_cases "$page"
	none "$page: each call that it names is public" missing_calls "$page"
	none "$page: each file that it names exists" missing_files "$page"
	none "$page: no cell is empty" empty_cells "$page"
done
none "docs/features.md: each row has its calls and its test" unshown
none "docs/reliability.md: no row is missing" missing_rows
none "docs/reliability.md: each row has its test" bare_rows
finish
