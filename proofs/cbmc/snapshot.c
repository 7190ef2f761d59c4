/* SPDX-License-Identifier: MIT */
/*
 * What all snapshots are made of: the fields, the header and the checksum, in a buffer of any
 * content and of any size up to SIZE bytes, which ends where the object does.
 */
#include "core/snapshot.h"
#include "prove.h"

#define SIZE 48u

static uint8_t bytes[SIZE];

static struct lw_snap any_snap(void)
{
	size_t size = nondet_size();
	uint32_t phase = any_below(3);

	__CPROVER_havoc_object(bytes);
	assume(size <= SIZE);
	return (struct lw_snap){.phase = (enum snap_phase)phase,
				.out = phase == SNAP_SAVE ? bytes + (SIZE - size) : NULL,
				.in = phase == SNAP_SAVE ? NULL : bytes + (SIZE - size),
				.size = size,
				.at = nondet_size(),
				.err = nondet_bool() ? -EBADMSG : 0};
}

/* Each field of any snapshot, wherever the one before it ended. */
void prove_lw_snap_fields(void)
{
	struct lw_snap s = any_snap();
	uint64_t u64 = nondet_u64();
	uint32_t u32 = nondet_u32();
	uint16_t u16 = nondet_u16();
	uint8_t u8 = nondet_u8();
	bool boolean = nondet_bool();

	if (nondet_bool())
		lw_snap_u8(&s, &u8);
	if (nondet_bool())
		lw_snap_u16(&s, &u16);
	if (nondet_bool())
		lw_snap_u32(&s, &u32);
	if (nondet_bool())
		lw_snap_u64(&s, &u64);
	if (nondet_bool())
		lw_snap_bool(&s, &boolean);
	if (nondet_bool())
		lw_snap_same(&s, nondet_u64());
	reached();
}

void prove_lw_snap_u64s(void)
{
	struct lw_snap s = any_snap();
	uint64_t u64s[3] = {nondet_u64(), nondet_u64(), nondet_u64()};

	lw_snap_u64s(&s, u64s, any_below(4));
	reached();
}

static void walk(struct lw_snap *s, void *chip)
{
	uint64_t *state = chip, copy = *state;

	lw_snap_u64(s, &copy);
	lw_snap_must(s, nondet_bool());
	if (lw_snap_applies(s))
		*state = copy;
}

static enum snap_kind any_kind(void)
{
	return (enum snap_kind)(1u + any_below(SNAP_CHIP));
}

void prove_lw_snap_save(void)
{
	struct lw_snap any = any_snap();
	uint64_t state = nondet_u64();

	lw_snap_save(any_kind(), walk, &state, any.size ? bytes + (SIZE - any.size) : NULL,
		     any.size);
	reached();
}

/* And what is found good is put in place. */
void prove_lw_snap_check(void)
{
	struct lw_snap any = any_snap();
	const void *buf = nondet_bool() ? bytes + (SIZE - any.size) : NULL;
	uint64_t state = nondet_u64(), before = state;
	int err = lw_snap_check(any_kind(), walk, &state, buf, any.size);

	must_hold(state == before, "a check changes nothing");
	must_hold(err == 0 || err == -EBADMSG || err == -ENOTSUP || err == -EINVAL,
		  "it answers as lapwing/snapshot.h says");
	if (!err) {
		lw_snap_apply(walk, &state, buf, any.size);
		reached();
	}
}
