#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: lint.sh TOOL... What these tools find in the tree stands in docs/static.md; and each of
# them finds a fault that is planted in a copy.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1
copy=$tap_dir/copy

lint() {
	tests/static/lint.py --build "$LAPWING_BUILD" "$@"
}

# planted TOOL CHECK FILE [LINE...]: with these lines behind it FILE has a finding, without none.
planted() {
	local tool=$1 wanted=$2 file=$3
	shift 3
	mkdir -p "$copy/$(dirname "$file")" "$copy/src"
	cp .clang-tidy "$copy"
	cp -r include "$copy"
	cp -r src/core "$copy/src"
	cp "$file" "$copy/$file"
	check "$tool finds nothing in a copy" lint --tree "$copy" --list docs/static.md --tool "$tool" \
		"$file"
	printf '%s\n' "$@" >>"$copy/$file"
	check_exit "$tool finds a fault that is planted there" 1 \
		lint --tree "$copy" --list docs/static.md --tool "$tool" "$file"
	check_says "… and names it" out "^$file:[0-9]+: .*$wanted"
	rm -r "$copy"
}

plant() {
	case $1 in
	clang-tidy)
		planted clang-tidy bugprone-sizeof-expression src/core/pic_snap.c \
			'int lw_planted(const int *p);' \
			'int lw_planted(const int *p) { return (int)sizeof(sizeof(p)); }'
		;;
	cppcheck)
		planted cppcheck arrayIndexOutOfBounds src/core/pic_snap.c \
			'int lw_planted(void);' \
			'int lw_planted(void) { int a[4] = {0}; return a[4]; }'
		;;
	gcc)
		planted gcc Wanalyzer-use-after-free src/core/pic_snap.c \
			'int lw_planted(int *p);' \
			'int lw_planted(int *p) { __builtin_free(p); return *p; }'
		;;
	sparse)
		planted sparse 'context imbalance' src/core/pic_snap.c \
			'int lw_planted(pthread_mutex_t *m);' \
			'int lw_planted(pthread_mutex_t *m) { return pthread_mutex_lock(m); }'
		;;
	shellcheck)
		planted shellcheck SC2070 scripts/packages.sh '[ -n $planted ]'
		;;
	pyflakes) planted pyflakes python tests/run_tests.py 'planted()' ;;
	*) not_ok "a fault to plant for $1" ;;
	esac
}

for tool; do
	check "$tool finds nothing that is not in docs/static.md" lint --tool "$tool"
	plant "$tool"
done

# The list itself: a row that takes nothing and a row without a reason are told.
list=$tap_dir/list
{
	sed 's/^| `pyflakes:.*//' docs/static.md
	echo '| `pyflakes:python` | `no/such/file.py` | `text` | a reason of some words |'
} >"$list"
check_exit "a row that matches nothing" 1 lint --list "$list" --tool pyflakes
check_says "… is told" out 'pyflakes:python in no/such/file.py: nothing matches'
echo '| `pyflakes:python` | `tests/*` | | why |' >>"$list"
check_exit "a row without a reason" 1 lint --list "$list" --tool pyflakes tests/run_tests.py
check_says "… is told" out 'pyflakes:python in tests/\*: no reason'
check "nothing is suppressed in place" test -z "$(git grep -lE \
	'NOLINT|cppcheck-suppress|shellcheck disabl[e]|#[[:space:]]*noqa' -- ':!tests/house/lint.sh')"
finish
