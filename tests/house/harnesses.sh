#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every public function of the chips and of the policies has a harness for CBMC, or stands in
# docs/proofs.md with the reason why not. ./x prove --cbmc runs them.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
. "$LAPWING_SOURCE/tests/lib/declared.sh"
cd "$LAPWING_SOURCE" || exit 1

# The backends, and what turns state into KVM's structures, are in src/kvm.
mapfile -t headers < <(printf '%s\n' include/lapwing/*.h | grep -v '/kvm')

# A function has one harness or several, prove_NAME() or prove_NAME_PART(): a harness is that of the
# longest name which it begins with.
proven() {
	awk 'NR == FNR { public[$1]; next }
		{
			for (name = $2; !(name in public) && sub("_[^_]*$", "", name);)
				continue
			print name
		}' "$tap_dir/declared" - | sort -u
}

unproven() {
	declared "${headers[@]}" >"$tap_dir/declared"
	proofs/cbmc/cbmc --list | proven | comm -23 "$tap_dir/declared" - | while read -r name; do
		grep -q "^| \`$name()\` |" docs/proofs.md || echo "$name"
	done
}

check_exit 'an unknown option is refused' 2 proofs/prove --cbmc --nonsense
check_exit 'a harness that is not there is told' 2 proofs/prove --cbmc lw_nothing
check_says '… by its name' err "'lw_nothing' is no harness"
check 'each harness is C' proofs/prove --cbmc --look
said=$(unproven)
[ -z "$said" ] || printf '%s\n' "$said" | sed 's/^/# /'
check 'every public function has a harness' test -z "$said"
finish
