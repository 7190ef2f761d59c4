/* SPDX-License-Identifier: MIT */
/*
 * The map of destinations, of two vCPUs whose APIC ids are any two below 20, or one of them above
 * 255. So look-ups find two at most; what bounds them with more vCPUs is add(), which
 * prove_lw_map_add() is about: it is called 28 times at most, LW_MAP_MOST.
 */
#include "core/map.c"

#include "prove.h"

#define VCPUS 2u
#define IDS   20u

static struct {
	struct lw_map m;
	uint32_t rest[IDS + VCPUS];
} w;

static uint32_t id[VCPUS];

struct lw_map nondet_map(void);
struct lw_map_found nondet_found(void);

static bool is_answer(uint32_t word)
{
	return word == LW_MAP_NOBODY || word == SEVERAL || word < VCPUS;
}

/* How often a vCPU of this view counts in a slot. */
static uint32_t weight_in(uint32_t n, uint32_t vcpu, uint32_t view)
{
	uint32_t ldr = view >> VIEW_SHIFT, bits = view & VIEW_FLAT ? ldr : ldr & 0xfu;
	uint32_t weight = bits & (bits - 1u) ? 2 : 1;

	if ((view & VIEW_MODE) != LW_LAPIC_XAPIC)
		return 0;
	if (n >= LW_MAP_ALIAS)
		return id[vcpu] > 0xffu && (id[vcpu] & 0xffu) == n - LW_MAP_ALIAS;
	if (n < LW_MAP_CLUSTER)
		return view & VIEW_FLAT && bits >> n & 1u ? weight : 0;
	n -= LW_MAP_CLUSTER;
	return !(view & VIEW_FLAT) && ldr >> 4 == n / 4u && bits >> n % 4u & 1u ? weight : 0;
}

static bool slot_holds(uint32_t n)
{
	uint32_t in0 = weight_in(n, 0, w.m.rest[IDS]), in1 = weight_in(n, 1, w.m.rest[IDS + 1]);

	return w.m.slot[n].count == in0 + in1 && w.m.slot[n].vcpus == (in1 ? 1u : 0u);
}

static bool view_holds(uint32_t view)
{
	if ((view & VIEW_MODE) == LW_LAPIC_XAPIC)
		return !(view & ~(0xffu << VIEW_SHIFT | VIEW_FLAT | VIEW_MODE));
	return view == LW_LAPIC_DISABLED || view == LW_LAPIC_X2APIC;
}

static bool table_holds(uint32_t n)
{
	return is_answer(w.m.word[0][1 + n]) && is_answer(w.m.word[1][1 + n]);
}

static bool id_holds(uint32_t n)
{
	uint32_t vcpu = w.m.rest[n];

	return vcpu == LW_MAP_NOBODY || (vcpu < VCPUS && id[vcpu] == n);
}

static void any_map(void)
{
	w.m = nondet_map();
	w.m.nvcpus = VCPUS;
	w.m.ids = IDS;
	id[0] = nondet_u32();
	id[1] = nondet_u32();
	for (uint32_t n = 0; n < IDS; n++) {
		w.m.rest[n] = nondet_u32();
		assume(id_holds(n));
	}
	for (uint32_t n = IDS; n < IDS + VCPUS; n++) {
		w.m.rest[n] = nondet_u32();
		assume(view_holds(w.m.rest[n]));
	}
	for (uint32_t n = 0; n < LW_MAP_SLOTS; n++)
		assume(slot_holds(n) && table_holds(n));
	/* Writers take turns: nobody writes when a call begins. */
	assume(w.m.twin.begun == w.m.twin.done);
}

static void still_holds(void)
{
	uint32_t n = any_below(LW_MAP_SLOTS);

	must_hold(slot_holds(n), "a slot has whoever can be found there");
	must_hold(table_holds(n), "a table names vCPUs");
	must_hold(w.m.word[w.m.twin.done & 1u][1 + n] == word_of(&w.m.slot[n]),
		  "the table to read says what the slots say");
	must_hold(id_holds(any_below(IDS)), "an id is its vCPU's");
	must_hold(view_holds(w.m.rest[IDS + any_below(VCPUS)]), "a view is one");
	reached();
}

/* lw_lapic_address() answers no more than its types say, and an id does not change. */
void prove_lw_map_put(void)
{
	uint32_t vcpu = any_below(VCPUS);
	struct lw_lapic_address now = {
		.mode = any_below(3),
		.id = nondet_u32(),
		.ldr = nondet_u8(),
		.flat = nondet_bool(),
	};

	any_map();
	assume(now.id == id[vcpu]);
	if (lw_map_put(&w.m, vcpu, &now)) {
		still_holds();
		return;
	}
}

void prove_lw_map_find(void)
{
	struct lw_map_found found;
	struct lw_msg msg = {.dest = nondet_u32(), .logical = nondet_bool()};
	uint32_t n = any_below(LW_MAP_MOST);

	any_map();
	lw_map_find(&w.m, &msg, &found);
	must_hold(found.everybody || found.count <= LW_MAP_MOST, "there is room for whom it finds");
	must_hold(found.everybody || n >= found.count || found.vcpu[n] < VCPUS,
		  "whom it finds exists");
	reached();
}

void prove_lw_map_add(void)
{
	struct lw_map_found found = nondet_found();

	assume(found.count < LW_MAP_MOST);
	add(&found, nondet_u32());
	must_hold(found.count <= LW_MAP_MOST, "there is room");
	reached();
}

/* The ids are below `ids`, as map.h says. */
void prove_lw_map_init(void)
{
	static uint32_t ids[VCPUS];

	ids[0] = id[0] = any_below(IDS);
	ids[1] = id[1] = any_below(IDS);
	w.m = nondet_map();
	if (nondet_bool()) {
		id[0] = 0;
		id[1] = 1;
		must_hold(!lw_map_init(&w.m, VCPUS, IDS, NULL), "its number is an id");
		still_holds();
	} else if (!lw_map_init(&w.m, VCPUS, IDS, ids)) {
		still_holds();
	}
}
