#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The C in docs/embedding.md, all blocks together, is a program.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1

awk '/^```/ { inside = $0 == "```c"; next } inside' docs/embedding.md >"$tap_dir/embedding.c"
check "there are ten steps" test "$(grep -c '^## ' docs/embedding.md)" -eq 10
check "each with its code" test "$(grep -c '^```c$' docs/embedding.md)" -eq 10
check "it compiles" gcc -std=gnu11 -Wall -Wextra -Wshadow -Werror -Iinclude -c \
	"$tap_dir/embedding.c" -o "$tap_dir/embedding.o"
check "it links" gcc -D_GNU_SOURCE -std=gnu11 -pthread -Iinclude -Isrc "$tap_dir/embedding.o" \
	src/{kvm,core,eoi}/*.c src/kvm/guest.S -o "$tap_dir/embedding"
check "it runs" "$tap_dir/embedding"
finish
