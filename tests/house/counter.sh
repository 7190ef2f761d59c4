#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The counter of ./x test against programs that misbehave in each way it must notice.
. "$LAPWING_SOURCE/tests/lib/tap.sh"

fake=$tap_dir/fake
mkdir "$fake" "$tap_dir/bin"

# A stand-in for "meson introspect --tests": one test, the program $fake/program.
cat >"$tap_dir/bin/meson" <<MESON
#!/bin/sh
cat <<'JSON'
[{"name": "fake", "cmd": ["$fake/program"], "env": {}, "workdir": null, "timeout": 1,
  "suite": ["lapwing:quick"], "is_parallel": true}]
JSON
MESON
chmod +x "$tap_dir/bin/meson"

# counts NAME STATUS LAST-LINE [MORE]: runs the program given on standard input.
counts() {
	local name=$1 status=$2 last=$3 more=${4-} got=0
	{
		echo '#!/bin/sh'
		cat
	} >"$fake/program"
	chmod +x "$fake/program"
	PATH="$tap_dir/bin:$PATH" "$LAPWING_SOURCE/tests/run_tests.py" build:quick \
		>"$tap_dir/out" 2>&1 || got=$?
	if [ "$got" -eq "$status" ] && [ "$(tail -n 1 "$tap_dir/out")" = "$last" ] &&
		grep -qF -- "$more" "$tap_dir/out"; then
		ok "$name"
	else
		sed 's/^/# /' "$tap_dir/out"
		not_ok "$name"
	fi
}

counts "all well" 0 "2 passed, 0 failed, 0 skipped" <<'P'
printf '1..2\nok 1 - a\nok 2 - b\n'
P
counts "a failure" 1 "1 passed, 1 failed, 0 skipped" "failed: b" <<'P'
printf '1..2\nok 1 - a\nnot ok 2 - b\n'; exit 1
P
counts "a skip as cmocka writes it" 0 "1 passed, 0 failed, 1 skipped" "skipped: b: no luck" <<'P'
printf '1..2\nok 1 - a\n# SKIP no luck\nnot ok 2 # SKIP b\n'
P
counts "a skip as TAP has it" 0 "1 passed, 0 failed, 1 skipped" "skipped: b: no luck" <<'P'
printf 'ok 1 - a\nok 2 - b # SKIP no luck\n1..2\n'
P
counts "a program skipped whole is not a run" 1 "0 passed, 0 failed, 1 skipped" "no luck" <<'P'
echo '1..0 # SKIP no luck'
P
counts "two groups in one program" 0 "2 passed, 0 failed, 0 skipped" <<'P'
printf '1..1\nok 1 - a\n1..1\nok 1 - b\n'
P
counts "a crash" 1 "1 passed, 1 failed, 0 skipped" "killed by SIGSEGV" <<'P'
printf '1..2\nok 1 - a\n'; kill -SEGV $$
P
counts "a time-out, children included" 1 "1 passed, 1 failed, 0 skipped" "timed out" <<'P'
printf '1..2\nok 1 - a\n'; sleep 60; echo 'ok 2 - b'
P
counts "a missing plan" 1 "1 passed, 1 failed, 0 skipped" "printed no plan" <<'P'
echo 'ok 1 - a'
P
counts "a plan not kept" 1 "1 passed, 1 failed, 0 skipped" "planned 2 cases, ran 1" <<'P'
printf '1..2\nok 1 - a\n'
P
counts "no TAP at all" 1 "0 passed, 1 failed, 0 skipped" "printed no TAP" <<'P'
echo hello
P
counts "a bad exit after good cases" 1 "1 passed, 1 failed, 0 skipped" "exit status 3" <<'P'
printf '1..1\nok 1 - a\n'; exit 3
P
finish
