/* SPDX-License-Identifier: MIT */
/* Snapshots of the whole controller taken, restored and forged, and what debuggers read. */
#include "wild.h"

#include <lapwing/snapshot.h>
#include <string.h>

#define HEADER 16u
#define CRC_AT 12u

/* What debuggers read, and the policy alone through bytes and back. */
void wild_look(void)
{
	char *text = (char *)wild.again;
	size_t size;

	if (lw_chip_dump(wild.chip, text, sizeof(wild.again)) >= sizeof(wild.again))
		fuzz_fail("a dump without end");
	lw_routes_dump(lw_chip_routes(wild.chip), text, sizeof(wild.again));
	if (lw_eoi_policy_by_name(lw_eoi_policy_name(wild.policy)) != (int)wild.policy)
		fuzz_fail("a policy of another name");
	if (lw_chip_pic(wild.chip))
		lw_pic_counters(lw_chip_pic(wild.chip));
	lw_chip_counters(wild.chip);
	lw_eoi_counters(wild.eoi);
	size = lw_eoi_save(wild.eoi, wild.state, sizeof(wild.state));
	if (lw_eoi_restore(wild.eoi, wild.state, size))
		fuzz_fail("a policy's own snapshot was refused");
	size = lw_routes_save(lw_chip_routes(wild.chip), wild.state, sizeof(wild.state));
	if (lw_routes_restore(lw_chip_routes(wild.chip), wild.state, size))
		fuzz_fail("a table's own snapshot was refused");
	if (!lw_chip_shift_time(wild.chip, 1000) && lw_chip_shift_time(wild.chip, -1000))
		fuzz_fail("time can't be shifted back");
	lw_chip_shift_time(wild.chip, -(int64_t)(wild.now / 2));
	lw_chip_shift_time(wild.chip, (int64_t)(wild.now / 2));
}

static uint32_t crc_of(const uint8_t *p, size_t size)
{
	static uint32_t table[256];
	uint32_t crc = UINT32_MAX;

	for (uint32_t n = 0; !table[255] && n < 256; n++) {
		table[n] = n;
		for (int bit = 0; bit < 8; bit++)
			table[n] = table[n] >> 1 ^ (table[n] & 1 ? 0xedb88320u : 0);
	}
	for (size_t n = 0; n < size; n++)
		if (n < CRC_AT || n >= HEADER)
			crc = crc >> 8 ^ table[(crc ^ p[n]) & 0xff];
	return ~crc;
}

static void seal(uint8_t *p, size_t size)
{
	uint32_t crc = crc_of(p, size);

	for (uint32_t n = 0; n < 4; n++)
		p[CRC_AT + n] = (uint8_t)(crc >> 8 * n);
}

static size_t save(void)
{
	size_t size = lw_chip_save(wild.chip, wild.state, sizeof(wild.state));

	if (size > sizeof(wild.state))
		fuzz_fail("a snapshot takes %zu bytes", size);
	return size;
}

static void everybody_out(void)
{
	for (uint32_t n = 0; n < VCPUS; n++)
		if (wild.in_guest[n])
			wild_leave(n);
}

static void migrate(struct input *in)
{
	size_t size;

	(void)in;
	everybody_out();
	size = save();
	if (lw_chip_restore(wild.chip, wild.state, size))
		fuzz_fail("what was saved can't be restored");
	lw_chip_save(wild.chip, wild.again, sizeof(wild.again));
	if (memcmp(wild.state, wild.again, size) != 0)
		fuzz_fail("what was restored is not what was saved");
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_chip_exit(wild.chip, n);
}

/* The policy's part lies at the end, sealed on its own. */
static void forge(struct input *in)
{
	size_t size, eoi = lw_eoi_save(wild.eoi, NULL, 0);
	uint8_t edits = in_byte(in) % 6;

	everybody_out();
	size = save();
	for (; edits; edits--) {
		size_t at = HEADER + in_bytes(in, 3) % (size - HEADER);

		wild.state[at] ^= (uint8_t)(in_byte(in) | 1);
	}
	if (in_byte(in) < 0xf8) {
		seal(wild.state + size - eoi, eoi);
		seal(wild.state, size);
	}
	if (in_byte(in) >= 0xf8)
		size -= in_byte(in) % size;
	if (lw_chip_restore(wild.chip, wild.state, size))
		return;
	wild.forged = true;
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_chip_exit(wild.chip, n);
}

void wild_snapshots(struct input *in)
{
	uint8_t what = in_byte(in);

	if (wild.snapshots++ >= 3)
		return;
	if (wild.imports && what & 1)
		wild_kvm(in);
	else if (wild.forges && what & 1)
		forge(in);
	else
		migrate(in);
}
