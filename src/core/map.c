/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "bits.h"
#include "dest.h"
#include "map.h"

#define SEVERAL (LW_MAP_NOBODY - 1u)
#define RETRIES 4

/* What a vCPU's LAPIC is known to have: its mode, and in xAPIC mode DFR's model and the logical id.
 */
#define VIEW_MODE  3u
#define VIEW_FLAT  (1u << 2)
#define VIEW_SHIFT 8

/* Word 0 of a table: the modes that some LAPIC is in. */
#define USED(mode) (1u << (mode))

/* ---- the books, under the lock ---- */

size_t lw_map_size(uint32_t nvcpus, uint32_t ids)
{
	return sizeof(struct lw_map) + ((size_t)ids + nvcpus) * sizeof(uint32_t);
}

int lw_map_init(struct lw_map *m, uint32_t nvcpus, uint32_t ids, const uint32_t *id)
{
	memset(m, 0, lw_map_size(nvcpus, ids));
	memset(m->rest, 0xff, (size_t)ids * sizeof(uint32_t)); /* LW_MAP_NOBODY */
	memset(m->word, 0xff, sizeof(m->word));
	m->nvcpus = nvcpus;
	m->ids = ids;
	m->modes[LW_LAPIC_DISABLED] = nvcpus;
	for (uint32_t n = 0; n < nvcpus; n++) {
		uint32_t mine = id ? id[n] : n;

		if (lw_map_by_id(m, mine) != LW_MAP_NOBODY)
			return -EINVAL;
		m->rest[mine] = n;
	}
	for (uint32_t n = 0; n < 2; n++)
		atomic_store_explicit(&m->word[n][0], USED(LW_LAPIC_DISABLED),
				      memory_order_relaxed);
	return 0;
}

static uint32_t view_of(const struct lw_lapic_address *a)
{
	if (a->mode != LW_LAPIC_XAPIC)
		return a->mode;
	return a->mode | (a->flat ? VIEW_FLAT : 0) | (uint32_t)a->ldr << VIEW_SHIFT;
}

static void move(struct lw_map_slot *slot, uint32_t vcpu, uint32_t weight, bool in)
{
	slot->count = in ? slot->count + weight : slot->count - weight;
	slot->vcpus ^= vcpu;
}

/* The slots of one logical id. */
static void move_logical(struct lw_map *m, uint32_t vcpu, uint32_t view, bool in)
{
	bool flat = view & VIEW_FLAT;
	uint32_t ldr = view >> VIEW_SHIFT, bits = flat ? ldr : ldr & 0xfu;
	struct lw_map_slot *first = &m->slot[flat ? LW_MAP_FLAT : LW_MAP_CLUSTER + (ldr >> 4) * 4];
	uint32_t weight = bits & (bits - 1u) ? 2 : 1;

	for (; bits; bits &= bits - 1u)
		move(&first[lw_word_low(bits)], vcpu, weight, in);
}

static void account(struct lw_map *m, uint32_t vcpu, uint32_t id, uint32_t view, bool in)
{
	uint32_t mode = view & VIEW_MODE;

	m->modes[mode] = in ? m->modes[mode] + 1u : m->modes[mode] - 1u;
	if (mode != LW_LAPIC_XAPIC)
		return;
	move_logical(m, vcpu, view, in);
	if (id > 0xffu)
		move(&m->slot[LW_MAP_ALIAS + (id & 0xffu)], vcpu, 1, in);
}

/* ---- the tables ---- */

static uint32_t word_of(const struct lw_map_slot *slot)
{
	if (slot->count > 1)
		return SEVERAL;
	return slot->count ? slot->vcpus : LW_MAP_NOBODY;
}

/* `aliases` is set before the first alias can be found, and cleared after the last one. */
static void publish(struct lw_map *m)
{
	uint32_t used = 0, aliases = 0, version;
	_Atomic uint32_t *word;

	for (uint32_t mode = 0; mode < 3; mode++)
		used |= m->modes[mode] ? USED(mode) : 0;
	for (uint32_t n = LW_MAP_ALIAS; n < LW_MAP_SLOTS; n++)
		aliases |= m->slot[n].count;
	if (aliases)
		atomic_store_explicit(&m->aliases, 1, memory_order_relaxed);
	version = lw_twin_begin(&m->twin);
	word = m->word[version & 1u];
	atomic_store_explicit(&word[0], used, memory_order_relaxed);
	for (uint32_t n = 0; n < LW_MAP_SLOTS; n++)
		atomic_store_explicit(&word[1 + n], word_of(&m->slot[n]), memory_order_relaxed);
	lw_twin_end(&m->twin, version);
	if (!aliases)
		atomic_store_explicit(&m->aliases, 0, memory_order_relaxed);
}

bool lw_map_put(struct lw_map *m, uint32_t vcpu, const struct lw_lapic_address *now)
{
	uint32_t *view = &m->rest[m->ids + vcpu], to = view_of(now);

	if (*view == to)
		return false;
	account(m, vcpu, now->id, *view, false);
	account(m, vcpu, now->id, to, true);
	*view = to;
	publish(m);
	return true;
}

/* ---- asking ---- */

/* In its place, once: a vCPU may be found in several ways while its mode changes. */
static void add(struct lw_map_found *found, uint32_t vcpu)
{
	uint32_t n = found->count;

	if (vcpu == LW_MAP_NOBODY)
		return;
	while (n > 0 && found->vcpu[n - 1] > vcpu)
		n--;
	if (n > 0 && found->vcpu[n - 1] == vcpu)
		return;
	memmove(&found->vcpu[n + 1], &found->vcpu[n], (found->count - n) * sizeof(*found->vcpu));
	found->vcpu[n] = vcpu;
	found->count++;
}

static void add_slot(struct lw_map_found *found, const _Atomic uint32_t *word, uint32_t slot)
{
	uint32_t vcpu = atomic_load_explicit(&word[1 + slot], memory_order_relaxed);

	if (vcpu == SEVERAL)
		found->everybody = true;
	else
		add(found, vcpu);
}

/* x2APIC: cluster in the upper half, one of sixteen below (SDM 11.12.10.2). */
static void find_x2apic(const struct lw_map *m, uint32_t dest, struct lw_map_found *found)
{
	for (uint32_t bits = dest & 0xffffu; bits; bits &= bits - 1u)
		add(found, lw_map_by_id(m, (dest >> 16) << 4 | lw_word_low(bits)));
}

/* xAPIC: either model, for each LAPIC has a DFR of its own (SDM 11.6.2.2). */
static void find_xapic(const _Atomic uint32_t *word, uint32_t dest, struct lw_map_found *found)
{
	uint32_t cluster = LW_MAP_CLUSTER + (dest >> 4 & 0xfu) * 4;

	for (uint32_t bits = dest & 0xffu; bits; bits &= bits - 1u)
		add_slot(found, word, LW_MAP_FLAT + lw_word_low(bits));
	for (uint32_t bits = dest & 0xfu; bits; bits &= bits - 1u)
		add_slot(found, word, cluster + lw_word_low(bits));
}

static void look_up(const struct lw_map *m, const _Atomic uint32_t *word, const struct lw_msg *msg,
		    struct lw_map_found *found)
{
	uint32_t used = atomic_load_explicit(&word[0], memory_order_relaxed);
	bool xapic = used & USED(LW_LAPIC_XAPIC);

	found->count = 0;
	found->everybody = msg->dest == BROADCAST || (xapic && msg->dest == XAPIC_BROADCAST);
	if (found->everybody)
		return;
	if (!msg->logical) {
		add(found, lw_map_by_id(m, msg->dest));
		if (msg->dest <= 0xffu)
			add_slot(found, word, LW_MAP_ALIAS + msg->dest);
		return;
	}
	if (used & USED(LW_LAPIC_X2APIC))
		find_x2apic(m, msg->dest, found);
	if (xapic)
		find_xapic(word, msg->dest, found);
}

/* A guest that keeps rewriting LDRs holds nobody up: all are asked. */
void lw_map_find(const struct lw_map *m, const struct lw_msg *msg, struct lw_map_found *found)
{
	for (int n = 0; n < RETRIES; n++) {
		uint32_t version = lw_twin_read(&m->twin);

		look_up(m, m->word[version & 1u], msg, found);
		if (!lw_twin_torn(&m->twin, version))
			return;
	}
	found->everybody = true;
}
