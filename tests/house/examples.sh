#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each literal block in the EXAMPLES of a page of section 3 is C that compiles by itself; one that has
# a main() is run and exits with 0.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1
shopt -s nullglob

# blocks PAGE: the page's blocks as $tap_dir/1.c, 2.c, …
blocks() {
	rm -f "$tap_dir"/*.c
	awk -v dir="$tap_dir" '
		/^\.Sh / { examples = $2 == "EXAMPLES" }
		/^\.Ed/ { inside = 0 }
		inside { gsub(/\\&/, ""); gsub(/\\-/, "-"); gsub(/\\e/, "\\"); print >file }
		/^\.Bd -literal/ && examples { inside = 1; file = dir "/" ++n ".c" }
	' "$1"
}

pages=(man/*.3)
[ ${#pages[@]} -eq 0 ] && skip "examples" "there are no pages of section 3 yet"
for page in "${pages[@]}"; do
	grep -q '^\.Sh EXAMPLES' "$page" || continue
	blocks "$page"
	check "$page has a block among its examples" test -s "$tap_dir/1.c"
	for block in "$tap_dir"/*.c; do
		check "$page: example $(basename "$block" .c) compiles" gcc -std=c11 -Wall -Wextra \
			-Wshadow -Werror -fsyntax-only -Iinclude "$block"
		grep -q '^int main(' "$block" || continue
		check "$page: example $(basename "$block" .c) links" gcc -std=gnu11 -Iinclude -Isrc \
			"$block" src/core/*.c src/eoi/*.c -o "$tap_dir/example"
		check "$page: example $(basename "$block" .c) runs" "$tap_dir/example"
	done
done
finish
