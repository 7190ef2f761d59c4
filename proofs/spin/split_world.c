/* SPDX-License-Identifier: MIT */
#include "split_world.h"

#include <stdio.h>

#define VM_FD   1000
#define VCPU_FD 2000

/* Far enough between two looks that the VM may recommit as often as it likes. */
#define LONG_NS 1000000000u

const uint8_t world_vectors[WORLD_VECTORS] = {0x31, 0x41};

struct split_world sw;
unsigned lw_left_out;

static uint64_t now(void *ctx)
{
	static uint64_t clock;

	(void)ctx;
	return clock += LONG_NS;
}

static const struct lw_split_ops ops = {.now = now};

/* ---- steps ---- */

static void settle(bool by_itself)
{
	if (world_state_is_new())
		world_look();
	if (by_itself)
		world_save();
	else
		world_save_window();
}

void world_do(unsigned n)
{
	struct lw_split_counters before;
	bool by_itself;

	world_restore();
	world_broken = NULL;
	before = sw.split->counters;
	by_itself = threads_run(n);
	if (by_itself)
		look_at_commits(&before);
	settle(by_itself);
}

/* ---- setting it up ---- */

static void fail(const char *model)
{
	fprintf(stderr, "world: no such model: %s\n", model);
	exit(2);
}

static struct lw_split *room(size_t size)
{
	void *p = aligned_alloc(LW_SPLIT_ALIGN, lw_round_up(size, LW_SPLIT_ALIGN));

	if (!p)
		fail("no room");
	return p;
}

static uint32_t fast_paths(void)
{
	uint32_t flags = LW_SPLIT_FAST;

	if (world_has("without-defer"))
		flags &= ~LW_SPLIT_DEFER;
	if (world_has("without-recommit"))
		flags &= ~LW_SPLIT_RECOMMIT;
	if (world_has("without-quiet"))
		flags &= ~LW_SPLIT_QUIET;
	return flags;
}

static void open_split(const char *model)
{
	struct lw_split_config config = {
		.ops = &ops,
		.sys = &played_kvm,
		.vm_fd = VM_FD,
		.flags = fast_paths(),
		.nvcpus = WORLD_VCPUS,
		.pins = LW_IOAPIC_MIN_PINS,
		.version = 0x11,
	};
	int err;

	if (sw.split) {
		lw_split_close(sw.split);
		free(sw.split);
	}
	memset(&sw, 0, sizeof(sw));
	sw.split = room(lw_split_size(&config));
	err = lw_split_init(sw.split, &config);
	for (uint32_t n = 0; n < WORLD_VCPUS && !err; n++)
		err = lw_split_vcpu(sw.split, n, VCPU_FD + (int)n, n);
	if (err)
		fail(model);
	sw.defers = config.flags & LW_SPLIT_DEFER;
}

void world_init(const char *model)
{
	world_begin(model);
	if (!world_has("split") || world_has("6.1") == world_has("6.12"))
		fail(model);
	open_split(model);
	for (uint32_t n = 0; n < WORLD_VCPUS; n++)
		sw.kernel.vcpu[n].ldr = (uint8_t)(1u << n);
	sw.old_scan = world_has("6.1");
	sw.ldr = world_has("ldr");
	sw.writer = world_has("self") ? 0 : 1;
	sw.max_others = world_has("deep") ? 3 : 2;
	world_first_routes();
	sw.threads = world_has("threads");
	world_list_events();
	settle(true);
}
