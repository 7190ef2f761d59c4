/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_WATCH_TRACE_H
#define LAPWING_WATCH_TRACE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What KVM itself does, from the kernel's trace: the machine that this runs in is ours alone.
 * Counts are of everything since the last trace_start(), on all vCPUs.
 */
struct trace_counts {
	uint64_t eois;            /* kvm_eoi for the vector: EOIs that KVM saw */
	uint64_t ioapic_eois;     /* calls of the in-kernel I/O APIC's EOI handler for it */
	uint64_t acks;            /* kvm_ack_irq for the pin: somebody asked for its EOI */
	uint64_t userspace_exits; /* kvm_userspace_exit with reason KVM_EXIT_IOAPIC_EOI */
	uint64_t eoi_induced;     /* VM exits because of the hardware's EOI-exit bitmap */
	uint64_t lost_events;
};

/* Returns 0 or a negative errno. */
int trace_open(void);
int trace_start(void);
int trace_stop(uint8_t vector, struct trace_counts *counts);
void trace_close(void);

#endif
