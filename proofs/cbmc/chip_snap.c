/* SPDX-License-Identifier: MIT */
/*
 * The controller's snapshot, and its clock: chip.h. Of each part it has up to 8 bytes, read or
 * written as snapshot.c's are; of the policy any number that there is room for. The buffer has any
 * size up to SIZE bytes, and ends where the object does.
 */
#include "chip.h"

#define SIZE 64u

static uint8_t bytes[SIZE];

static void some(struct lw_snap *s)
{
	uint64_t word = nondet_u64();
	uint8_t byte = nondet_u8();

	is_locked();
	if (nondet_bool())
		lw_snap_u64(s, &word);
	else
		lw_snap_u8(s, &byte);
	lw_snap_must(s, nondet_bool());
}

void lw_lapic_walk(struct lw_snap *s, void *l)
{
	is_lapic(l);
	some(s);
}

void lw_ioapic_walk(struct lw_snap *s, void *io)
{
	is_ioapic(io);
	some(s);
}

void lw_pic_walk(struct lw_snap *s, void *pic)
{
	is_pic(pic);
	some(s);
}

void lw_routes_walk(struct lw_snap *s, void *routes)
{
	is_routes(routes);
	some(s);
}

void lw_ioapic_tell_records(struct lw_ioapic *io, bool open)
{
	is_ioapic(io);
	is_locked();
	if (nondet_bool())
		to_ioapic->record(&chip, 1, nondet_u8(), open);
}

void lw_pic_drain(struct lw_pic *pic)
{
	is_pic(pic);
	is_unlocked();
}

void lw_lapic_tell_restored(const struct lw_lapic *l)
{
	is_lapic(l);
	is_unlocked();
}

bool lw_lapic_can_shift(const struct lw_lapic *l, int64_t delta_ns)
{
	(void)delta_ns;
	is_lapic(l);
	return nondet_bool();
}

int lw_lapic_shift_time(struct lw_lapic *l, int64_t delta_ns)
{
	(void)delta_ns;
	is_lapic(l);
	return 0;
}

static size_t hook_save(const void *eoi, void *buf, size_t size)
{
	(void)eoi;
	is_locked();
	must_hold(!size || __CPROVER_w_ok(buf, size), "the policy may write so much");
	return any_below(1u << 16);
}

static int hook_restore(void *eoi, const void *buf, size_t size, bool apply)
{
	(void)eoi, (void)apply;
	is_locked();
	must_hold(!size || __CPROVER_r_ok(buf, size), "the policy may read so much");
	return nondet_bool() ? 0 : -EBADMSG;
}

static void any_saved_chip(void)
{
	static struct lw_eoi_hooks saved;

	any_chip();
	a_pic.state.intr = nondet_bool();
	saved = hooks;
	if (nondet_bool()) {
		saved.save = hook_save;
		saved.restore = hook_restore;
	}
	chip.hooks = &saved;
	__CPROVER_havoc_object(bytes);
}

void prove_lw_chip_save(void)
{
	size_t size = any_below(SIZE + 1u);

	any_saved_chip();
	lw_chip_save(&chip, size ? bytes + (SIZE - size) : NULL, size);
	still_sound();
}

void prove_lw_chip_restore(void)
{
	size_t size = any_below(SIZE + 1u);
	int err;

	any_saved_chip();
	err = lw_chip_restore(&chip, nondet_bool() ? bytes + (SIZE - size) : NULL, size);
	if (!err)
		still_sound();
	is_unlocked();
}

void prove_lw_chip_shift_time(void)
{
	any_chip();
	lw_chip_shift_time(&chip, (int64_t)nondet_u64());
	still_sound();
}
