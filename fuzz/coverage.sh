#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# coverage.sh NAME=PROGRAM...: the lines of the chips and the policies that the fuzzers reach in three
# seconds each. Their counts go beside those of the tests that ran in this build.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1
lines=95
counts=$tap_dir/counts

# gcc's notes where the counts will be.
mkdir "$counts"
find "$LAPWING_BUILD"/src/liblapwing.* -name '*.gcno' -exec cp --parents {} "$counts" \;

for one; do
	name=${one%%=*}
	fuzz/corpus.py unpack "$name" "$tap_dir/seeds/$name"
	check "$name runs" env GCOV_PREFIX="$counts" "${one#*=}" --time 3 "$tap_dir/seeds/$name"/*
done
gcovr --root . --object-directory "$LAPWING_BUILD" --filter src/core/ --filter src/eoi/ --fail-under-line $lines "$counts" \
	>"$tap_dir/report" 2>&1
status=$?
sed -n '/^TOTAL/p' "$tap_dir/report" | while read -r line; do note "$line"; done
if [ $status -eq 0 ]; then
	ok "the fuzzers reach at least $lines % of src/core and src/eoi"
else
	sed 's/^/# /' "$tap_dir/report"
	not_ok "the fuzzers reach at least $lines % of src/core and src/eoi"
fi
finish
