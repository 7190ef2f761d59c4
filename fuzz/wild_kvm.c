/* SPDX-License-Identifier: MIT */
/* The chips to KVM's structures and back, as they are or changed on the way. */
#include "wild.h"

#include <lapwing/kvm_state.h>
#include <linux/kvm.h>
#include <string.h>

#define ENTRIES ((size_t)GSIS * LW_ROUTES_PER_GSI)

static void change(struct input *in, void *state, size_t size)
{
	for (uint8_t edits = in_byte(in) % 6; edits; edits--) {
		size_t at = in_bytes(in, 2) % size;

		((uint8_t *)state)[at] ^= in_byte(in);
		wild.forged = true;
	}
}

static void through_lapic(struct input *in)
{
	struct lw_lapic *lapic = lw_chip_lapic(wild.chip, in_byte(in) % VCPUS);
	uint64_t base = lw_lapic_base(lapic), deadline = lw_lapic_tsc_deadline(lapic);
	unsigned flags = in_byte(in) & 1 ? LW_KVM_32BIT_IDS : 0;
	struct kvm_lapic_state state;

	if (lw_kvm_lapic_export(lapic, flags, &state))
		return;
	change(in, &state, sizeof(state));
	lw_kvm_lapic_import(lapic, flags, &state, base, deadline);
}

static void through_ioapic(struct input *in)
{
	struct kvm_ioapic_state state;

	if (lw_kvm_chip_ioapic_export(wild.chip, 0, &state))
		return;
	change(in, &state, sizeof(state));
	lw_kvm_chip_ioapic_import(wild.chip, 0, &state);
}

static void through_pic(struct input *in)
{
	struct lw_pic *pic = lw_chip_pic(wild.chip);
	struct kvm_pic_state state[2];

	if (!pic || lw_kvm_pic_export(pic, &state[0], &state[1]))
		return;
	change(in, state, sizeof(state));
	lw_kvm_pic_import(pic, &state[0], &state[1]);
}

static void through_routes(struct input *in)
{
	static struct {
		struct kvm_irq_routing routing;
		struct kvm_irq_routing_entry entries[ENTRIES];
	} state;
	struct lw_routes *routes = lw_chip_routes(wild.chip);
	unsigned flags = in_byte(in) & 1 ? LW_KVM_32BIT_IDS : 0;
	int count;

	memset(&state, 0, sizeof(state));
	count = lw_kvm_routes_export(routes, flags, &state.routing, ENTRIES);
	if (count <= 0)
		return;
	change(in, state.entries, (size_t)count * sizeof(state.entries[0]));
	lw_kvm_routes_import(routes, flags, &state.routing);
}

void wild_kvm(struct input *in)
{
	static void (*const through[])(struct input *) = {through_lapic, through_ioapic,
							  through_pic, through_routes};

	for (uint32_t n = 0; n < VCPUS; n++)
		if (wild.in_guest[n])
			wild_leave(n);
	wild.imported = true;
	through[in_byte(in) % 4](in);
	for (uint32_t n = 0; n < VCPUS; n++)
		lw_chip_exit(wild.chip, n);
}
