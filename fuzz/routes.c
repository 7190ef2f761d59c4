/* SPDX-License-Identifier: MIT */
/* A table of GSI routes beside a plain list, and MSIs taken apart by the SDM's fields. */
#include <errno.h>
#include <lapwing/msi.h>
#include <lapwing/route.h>
#include <string.h>

#include "fuzz.h"

#define GSIS   64u
#define ROUTES 96u
#define MANY   128u

static struct {
	_Alignas(LW_ROUTES_ALIGN) unsigned char storage[1u << 15];
	struct lw_routes *table;
	struct lw_route list[ROUTES];
	size_t count;
} rig;

static struct lw_route some_route(struct input *in)
{
	uint8_t how = in_byte(in);
	struct lw_route r = {.gsi = in_below(in, GSIS), .type = (enum lw_route_type)(how % 3)};

	if (r.type == LW_ROUTE_MSI) {
		r.address = 0xfee00000u | (uint32_t)in_byte(in) << 12;
		r.data = in_byte(in);
	} else {
		r.chip = how >> 2 & 1u;
		r.pin = (uint16_t)in_below(in, r.type == LW_ROUTE_PIC ? 8 : 24);
	}
	switch (how >> 4) { /* now and then what is out of range */
	case 8:
		r.gsi = in_word(in);
		break;
	case 9:
		r.chip = (uint16_t)in_bytes(in, 2);
		break;
	case 10:
		r.pin = (uint16_t)in_bytes(in, 2);
		break;
	case 11:
		r.address = in_bytes(in, 8);
		break;
	case 12:
		r.type = (enum lw_route_type)(in_byte(in) % 8);
		break;
	default:
		break;
	}
	return r;
}

/* The header's words, one after the other. */
static int naive_check(const struct lw_route *r)
{
	if (r->gsi >= GSIS || (unsigned)r->type > LW_ROUTE_MSI || r->chip > 16383)
		return -EINVAL;
	if (r->type == LW_ROUTE_IOAPIC && r->pin > 239)
		return -EINVAL;
	if (r->type == LW_ROUTE_PIC && (r->chip > 1 || r->pin > 7))
		return -EINVAL;
	if (r->type == LW_ROUTE_MSI && r->address >> 32)
		return -EINVAL;
	return 0;
}

static size_t naive_count(const struct lw_route *list, size_t count, uint32_t gsi)
{
	size_t found = 0;

	for (size_t n = 0; n < count; n++)
		found += list[n].gsi == gsi;
	return found;
}

static int naive_set(const struct lw_route *list, size_t count)
{
	if (count > ROUTES)
		return -E2BIG;
	for (size_t n = 0; n < count; n++)
		if (naive_check(&list[n]))
			return -EINVAL;
	for (size_t n = 0; n < count; n++)
		if (naive_count(list, count, list[n].gsi) > LW_ROUTES_PER_GSI)
			return -EEXIST;
	memcpy(rig.list, list, count * sizeof(*list));
	rig.count = count;
	return 0;
}

/* Where several things are wrong at once, any of their errors will do. */
static void same_answer(const char *what, int ours, int theirs)
{
	fuzz_same(what, ours < 0, theirs < 0);
	if (ours && ours != -EINVAL && ours != -E2BIG && ours != -EEXIST)
		fuzz_fail("%s: an error of no name, %d", what, ours);
}

static void set(struct input *in)
{
	struct lw_route list[MANY];
	size_t count = in_below(in, MANY + 1);

	if (count % 2)
		count %= 24;
	for (size_t n = 0; n < count; n++)
		list[n] = some_route(in);
	same_answer("a table", lw_routes_set(rig.table, list, count), naive_set(list, count));
}

static void replace(struct input *in)
{
	struct lw_route list[8], whole[ROUTES + 8];
	uint32_t gsi = in_below(in, GSIS + 2);
	size_t count = in_below(in, 8), kept = 0;
	bool wrong = gsi >= GSIS;
	int theirs;

	for (size_t n = 0; n < count; n++) {
		list[n] = some_route(in);
		if (in_byte(in) < 0xf0)
			list[n].gsi = gsi;
		wrong = wrong || list[n].gsi != gsi;
	}
	for (size_t n = 0; n < rig.count; n++)
		if (rig.list[n].gsi != gsi)
			whole[kept++] = rig.list[n];
	memcpy(whole + kept, list, count * sizeof(*list));
	theirs = wrong ? -EINVAL : naive_set(whole, kept + count);
	same_answer("one GSI's routes", lw_routes_replace(rig.table, gsi, list, count), theirs);
}

static bool is_there(const struct lw_route *r)
{
	for (size_t n = 0; n < rig.count; n++)
		if (rig.list[n].gsi == r->gsi && rig.list[n].type == r->type &&
		    (r->type == LW_ROUTE_MSI
			     ? rig.list[n].address == r->address && rig.list[n].data == r->data
			     : rig.list[n].chip == r->chip && rig.list[n].pin == r->pin))
			return true;
	return false;
}

static void find(struct input *in)
{
	struct lw_route found[LW_ROUTES_PER_GSI];
	uint8_t byte = in_byte(in);
	uint32_t gsi = byte < 0xf0 ? byte % GSIS : in_word(in);
	size_t count = lw_routes_find(rig.table, gsi, found);

	fuzz_same("how many routes a GSI has", count, naive_count(rig.list, rig.count, gsi));
	for (size_t n = 0; n < count; n++)
		if (found[n].gsi != gsi || !is_there(&found[n]))
			fuzz_fail("GSI %u leads where nobody led it", gsi);
}

/* SDM figures 11-14 and 11-15. */
static void msi(struct input *in)
{
	uint8_t how = in_byte(in);
	uint64_t address = how & 4 ? in_bytes(in, 8) : 0xfee00000u | (in_word(in) & 0xfffffu), back;
	uint32_t data = how & 2 ? in_word(in) : in_word(in) & 0xc7ffu, back_data;
	bool extended = how & 1, logical = address & 4, hint = address & 8;
	uint32_t delivery = data >> 8 & 7;
	struct lw_msg m, untouched, again;
	struct lw_remap entry;
	int err;

	if (!lw_msi_remap(address, data, &entry)) {
		fuzz_same("a remappable MSI's format", address >> 4 & 1, 1);
		fuzz_same("a remappable MSI's entry", entry.index,
			  (address >> 5 & 0x7fff) + (address >> 2 & 1) * 0x8000 +
				  (address >> 3 & 1) * (data & 0xffff));
	}
	memset(&m, 0x5a, sizeof(m));
	untouched = m;
	err = lw_msi_decode(address, data, extended ? LW_MSI_EXT_DEST : 0, &m);
	if (err) {
		if (memcmp(&m, &untouched, sizeof(m)) != 0)
			fuzz_fail("a refused MSI has left something");
		return;
	}
	fuzz_same("an MSI's address", address >> 20, 0xfee);
	fuzz_same("an MSI's format", address >> 4 & 1, 0);
	fuzz_same("an MSI's vector", m.vector, data & 0xff);
	if (hint && logical && delivery == LW_DM_FIXED)
		delivery = LW_DM_LOWEST;
	fuzz_same("an MSI's delivery mode", m.delivery, delivery);
	fuzz_same("an MSI's destination mode", m.logical, logical);
	fuzz_same("an MSI's destination", m.dest,
		  (address >> 12 & 0xff) | (extended ? (address >> 5 & 0x7f) << 8 : 0));
	if (lw_msi_encode(&m, extended ? LW_MSI_EXT_DEST : 0, &back, &back_data) ||
	    lw_msi_decode(back, back_data, extended ? LW_MSI_EXT_DEST : 0, &again))
		fuzz_fail("what was decoded can't be encoded");
	fuzz_same("a destination, there and back", again.dest, m.dest);
	fuzz_same("a vector, there and back", again.vector, m.vector);
	fuzz_same("a trigger mode, there and back", again.level, m.level);
	fuzz_same("a destination mode, there and back", again.logical, m.logical);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const happens[8])(struct input *) = {find, find,    find,    msi,
							   msi,  replace, replace, set};
	struct input in = {data, data + size};
	uint64_t operations = 0;

	memset(&rig, 0, sizeof(rig));
	rig.table = (void *)rig.storage;
	if (lw_routes_size(GSIS, ROUTES) > sizeof(rig.storage) ||
	    lw_routes_init(rig.table, GSIS, ROUTES))
		fuzz_fail("a sound size was refused");
	for (; in_more(&in); operations++)
		happens[in_byte(&in) % 8](&in);
	fuzz_count(operations);
	return 0;
}
