/* SPDX-License-Identifier: MIT */
/*
 * The world of wild.c: wild_guest.c is what a guest does in it, wild_snap.c and
 * wild_kvm.c take its state and put it back.
 */
#ifndef LAPWING_FUZZ_WILD_H
#define LAPWING_FUZZ_WILD_H

#include <lapwing/lapwing.h>

#include "fuzz.h"
#include "history.h"

#define VCPUS     6u
#define PINS      24u
#define GSIS      72u
#define MAX_STATE (1u << 18)

struct wild {
	struct lw_chip *chip;
	struct lw_eoi *eoi;
	enum lw_eoi_policy policy;
	bool in_guest[VCPUS], kicked[VCPUS];
	unsigned depth, signals;
	uint8_t resample, table[8]; /* what resamplers do; the IOMMU's entries */
	uint64_t now;
	bool forges, imports; /* may the state be forged in this run, and go through KVM's? */
	bool forged;
	bool imported; /* from KVM's structures, which don't say who took what */
	bool strict;   /* I/O APICs: a vector rewritten in flight loses its EOI */
	bool calm;     /* LAPICs stay enabled, in their mode, and where messages find them */
	bool x2apic;
	struct history history;
	unsigned snapshots; /* they take long: a few in a run */
	uint8_t state[MAX_STATE], again[MAX_STATE];
};

extern struct wild wild;

void wild_leave(uint32_t vcpu);

/* A vCPU whose thread is at work in the VMM. */
uint32_t wild_trapped(struct input *in);
struct lw_lapic *wild_some_lapic(struct input *in);

/* wild_guest.c */
void wild_page(struct input *in);
void wild_msr(struct input *in);
void wild_ioapic(struct input *in);
void wild_port(struct input *in);
void wild_line(struct input *in);
void wild_msi(struct input *in);
void wild_message(struct input *in);
void wild_take(struct input *in);
void wild_eoi(struct input *in);
void wild_enter_or_leave(struct input *in);
void wild_routes(struct input *in);
void wild_pass_time(struct input *in);
void wild_wires(struct input *in);

/* wild_snap.c */
void wild_look(void);
void wild_snapshots(struct input *in);

/* wild_kvm.c */
void wild_kvm(struct input *in);

#endif
