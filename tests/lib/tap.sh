# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# TAP for shell tests. Source it, call ok / not_ok / skip or one of the checks, end with finish.

tap_count=0
tap_failed=0
tap_dir=$(mktemp -d)
trap 'rm -rf "$tap_dir"' EXIT

ok() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}

not_ok() {
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $1"
}

# skip NAME REASON
skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# A line that the runner shows even when all is well.
note() {
	echo "# NOTE $1"
}

# check NAME COMMAND...: the command succeeds.
check() {
	local name=$1
	shift
	if "$@" >"$tap_dir/output" 2>&1; then
		ok "$name"
	else
		sed 's/^/# /' "$tap_dir/output"
		not_ok "$name"
	fi
}

# check_exit NAME STATUS COMMAND...: the exit status is STATUS; leaves $tap_dir/out and /err.
check_exit() {
	local name=$1 wanted=$2 status=0
	shift 2
	"$@" >"$tap_dir/out" 2>"$tap_dir/err" </dev/null || status=$?
	if [ "$status" -eq "$wanted" ]; then
		ok "$name"
	else
		sed 's/^/# /' "$tap_dir/out" "$tap_dir/err"
		echo "# exit status $status, wanted $wanted"
		not_ok "$name"
	fi
}

# check_says NAME out|err REGEX: what the last check_exit printed matches.
check_says() {
	if grep -Eq -- "$3" "$tap_dir/$2"; then
		ok "$1"
	else
		sed 's/^/# /' "$tap_dir/$2"
		echo "# nothing there matches: $3"
		not_ok "$1"
	fi
}

finish() {
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ]
	exit
}
