/* SPDX-License-Identifier: MIT */
/*
 * The form of a snapshot: a header, then the fields in order, all little-endian.
 *
 *   0   magic, "LWSN"
 *   4   kind
 *   6   version
 *   8   length of the whole
 *   12  CRC-32 of all but itself
 */
#include "snapshot.h"

#define MAGIC   0x4e53574cu
#define VERSION 1u
#define HEADER  16u
#define CRC_AT  12u

/* ---- fields ---- */

static uint64_t get(const uint8_t *p, uint32_t bytes)
{
	uint64_t value = 0;

	for (uint32_t n = bytes; n-- > 0;)
		value = value << 8 | p[n];
	return value;
}

static void put(uint8_t *p, uint32_t bytes, uint64_t value)
{
	for (uint32_t n = 0; n < bytes; n++)
		p[n] = (uint8_t)(value >> 8 * n);
}

static void fail(struct lw_snap *s, int err)
{
	if (!s->err)
		s->err = err;
}

static uint64_t field(struct lw_snap *s, uint64_t value, uint32_t bytes)
{
	bool fits = s->at <= s->size && bytes <= s->size - s->at;
	size_t at = s->at;

	s->at += bytes;
	if (s->phase == SNAP_SAVE) {
		if (fits)
			put(s->out + at, bytes, value);
		return value;
	}
	if (!fits)
		fail(s, -EBADMSG);
	return s->err ? 0 : get(s->in + at, bytes);
}

void lw_snap_u8(struct lw_snap *s, uint8_t *value)
{
	*value = (uint8_t)field(s, *value, 1);
}

void lw_snap_u16(struct lw_snap *s, uint16_t *value)
{
	*value = (uint16_t)field(s, *value, 2);
}

void lw_snap_u32(struct lw_snap *s, uint32_t *value)
{
	*value = (uint32_t)field(s, *value, 4);
}

void lw_snap_u64(struct lw_snap *s, uint64_t *value)
{
	*value = field(s, *value, 8);
}

void lw_snap_u64s(struct lw_snap *s, uint64_t *value, size_t count)
{
	for (size_t n = 0; n < count; n++)
		lw_snap_u64(s, &value[n]);
}

void lw_snap_bool(struct lw_snap *s, bool *value)
{
	uint64_t byte = field(s, *value, 1);

	lw_snap_must(s, byte <= 1);
	*value = byte != 0;
}

void lw_snap_same(struct lw_snap *s, uint64_t value)
{
	if (field(s, value, 8) != value)
		fail(s, -EINVAL);
}

void lw_snap_must(struct lw_snap *s, bool so)
{
	if (s->phase != SNAP_SAVE && !so)
		fail(s, -EBADMSG);
}

/* ---- the whole ---- */

/* CRC-32 as in Ethernet, four bits at a time. */
static uint32_t crc32(uint32_t crc, const uint8_t *p, size_t size)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	for (size_t n = 0; n < size; n++) {
		crc ^= p[n];
		crc = crc >> 4 ^ table[crc & 15u];
		crc = crc >> 4 ^ table[crc & 15u];
	}
	return crc;
}

static uint32_t checksum(const uint8_t *p, size_t size)
{
	uint32_t crc = crc32(UINT32_MAX, p, CRC_AT);

	return ~crc32(crc, p + HEADER, size - HEADER);
}

size_t lw_snap_save(enum snap_kind kind, lw_snap_walk *walk, const void *chip, void *buf,
		    size_t size)
{
	struct lw_snap s = {.phase = SNAP_SAVE, .out = buf, .size = size, .at = HEADER};

	walk(&s, (void *)(uintptr_t)chip);
	if (s.at > size)
		return s.at;
	put(s.out, 4, MAGIC);
	put(s.out + 4, 2, kind);
	put(s.out + 6, 2, VERSION);
	put(s.out + 8, 4, s.at);
	put(s.out + CRC_AT, 4, checksum(s.out, s.at));
	return s.at;
}

/* The version before the length and the CRC: of another version even these may differ. */
static int check_header(enum snap_kind kind, const uint8_t *p, size_t size)
{
	if (!p)
		return -EINVAL;
	if (size < HEADER || get(p, 4) != MAGIC)
		return -EBADMSG;
	if (get(p + 6, 2) != VERSION)
		return -ENOTSUP;
	if (get(p + 8, 4) != size || get(p + CRC_AT, 4) != checksum(p, size))
		return -EBADMSG;
	return get(p + 4, 2) == kind ? 0 : -EINVAL;
}

int lw_snap_check(enum snap_kind kind, lw_snap_walk *walk, void *chip, const void *buf, size_t size)
{
	struct lw_snap s = {.phase = SNAP_CHECK, .in = buf, .size = size, .at = HEADER};
	int err = check_header(kind, buf, size);

	if (err)
		return err;
	walk(&s, chip);
	lw_snap_must(&s, s.at == size);
	return s.err;
}

void lw_snap_apply(lw_snap_walk *walk, void *chip, const void *buf, size_t size)
{
	struct lw_snap s = {.phase = SNAP_APPLY, .in = buf, .size = size, .at = HEADER};

	walk(&s, chip);
}
