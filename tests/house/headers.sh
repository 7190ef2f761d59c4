#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: headers.sh CC CXX. Every public header compiles alone, as C11 and as C++.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1
shopt -s nullglob

flags=(-pedantic -Wall -Wextra -Werror -fsyntax-only -Iinclude)
headers=(include/lapwing/*.h)
[ ${#headers[@]} -eq 0 ] && skip "public headers" "there are none yet"
for header in "${headers[@]}"; do
	echo "#include <${header#include/}>" >"$tap_dir/one.c"
	cp "$tap_dir/one.c" "$tap_dir/one.cc"
	check "$header as C11, $1" "$1" -std=c11 "${flags[@]}" "$tap_dir/one.c"
	check "$header as C++, $2" "$2" -std=c++11 "${flags[@]}" "$tap_dir/one.cc"
done
finish
