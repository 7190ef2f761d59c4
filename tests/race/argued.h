/* SPDX-License-Identifier: MIT */
/*
 * Atomics that no scenario comes to: where they stand, how many there are of that kind, and why
 * none needs to; docs/concurrency.md says more of each reason. As gcc compiles them.
 */
#ifndef LAPWING_RACE_ARGUED_H
#define LAPWING_RACE_ARGUED_H

static const char stopped[] = "before anybody is in the chip, or with all of them stopped";
static const char word[] = "a single word: what is stale came before the change";
static const char counter[] = "a counter: nothing hangs on it";
static const char turn[] = "whose turn it is: fairness is all that is at stake";
static const char locked[] = "under the lock, as every write to it";
static const char aliases[] = "set before the first alias and cleared after the last";
static const char cost[] = "a guess at what a kick costs";
static const char errors[] = "errors: nothing hangs on them";

static const struct {
	const char *site;
	unsigned count;
	const char *why;
} unmet[] = {
	{"chip_dump.c value: load", 1, counter},
	{"chip_priv.h count_one: add", 1, counter},
	{"chip_snap.c walk: load", 1, stopped},
	{"chip_snap.c walk: store", 1, stopped},
	{"deliver.c arbitrate: load", 1, turn},
	{"deliver.c give_one: store", 1, turn},
	{"deliver.c is_one: load", 1, aliases},
	{"engine.c load: add", 1, counter},
	{"engine.c lw_eoi_bitmap: load", 1, word},
	{"engine.c lw_eoi_counters: load", 1, counter},
	{"engine.c rebuild: store", 1, locked},
	{"eoi_snap.c copy_in: store", 5, stopped},
	{"eoi_snap.c copy_out: load", 5, stopped},
	{"lapic.c exceeds_ppr: load", 1, word},
	{"lapic.c how_busy: load", 1, word},
	{"lapic.c is_flat: load", 1, word},
	{"lapic.c lw_lapic_address: load", 1, word},
	{"lapic.c lw_lapic_counters: load", 2, counter},
	{"lapic.c lw_lapic_derive: store", 1, word},
	{"lapic.c lw_lapic_eoi: store", 1, word},
	{"lapic.c lw_lapic_holds: load", 1, locked},
	{"lapic.c lw_lapic_id: load", 1, word},
	{"lapic.c lw_lapic_init: store", 2, stopped},
	{"lapic.c lw_lapic_logical_id: load", 1, word},
	{"lapic.c lw_lapic_matches: load", 1, word},
	{"lapic.c lw_lapic_ppr: load", 1, word},
	{"lapic.c lw_lapic_set_tpr: store", 1, word},
	{"lapic.c power_on: store", 3, word},
	{"lapic.c serve: store", 1, word},
	{"lapic_dump.c lw_lapic_text: load", 1, stopped},
	{"lapic_dump.c registers: load", 4, stopped},
	{"lapic_dump.c vectors: load", 1, stopped},
	{"lapic_ipi.c lw_lapic_self_ipi: load", 1, word},
	{"lapic_ipi.c lw_lapic_send: load", 1, word},
	{"lapic_lvt.c lw_lapic_extint: load", 1, word},
	{"lapic_lvt.c lw_lapic_lint: load", 1, word},
	{"lapic_lvt.c lw_lapic_listen: load", 1, word},
	{"lapic_lvt.c lw_lapic_write_esr: xchg", 1, errors},
	{"lapic_mode.c enter_mode: store", 1, word},
	{"lapic_mode.c lw_lapic_base: load", 1, word},
	{"lapic_mode.c lw_lapic_mode: load", 1, word},
	{"lapic_priv.h is_x2apic: load", 1, word},
	{"lapic_regs.c lw_lapic_page_read: load", 1, word},
	{"lapic_regs.c lw_lapic_page_write: load", 1, word},
	{"lapic_regs.c read_addressing: load", 3, word},
	{"lapic_regs.c read_register: load", 2, word},
	{"lapic_regs.c row_of: load", 1, word},
	{"lapic_regs.c stray: load", 1, word},
	{"lapic_regs.c write_destination: store", 1, word},
	{"lapic_snap.c copy_in: store", 7, stopped},
	{"lapic_snap.c lw_lapic_copy_out: load", 8, stopped},
	{"lapic_snap.c same: load", 1, stopped},
	{"lazy.c deliver: load", 1, cost},
	{"map.c lw_map_init: store", 1, stopped},
	{"map.c publish: store", 2, aliases},
	{"posts.c no_error_waits: load", 1, stopped},
	{"wire.c lw_chip_walk_wire: load", 1, stopped},
	{"wire.c lw_chip_walk_wire: store", 1, stopped},
};

#endif
