/* SPDX-License-Identifier: MIT */
/*
 * To and from what KVM's ioctls carry: struct kvm_lapic_state, kvm_ioapic_state, kvm_pic_state and
 * kvm_irq_routing of <linux/kvm.h>, so that a guest can move between Lapwing and the kernel's
 * chips. Nothing here says ioctl.
 *
 * An export changes the chip only where it says so. An import replaces the chip's state; it drops
 * what Lapwing's chip has not got, and returns a negative errno with nothing changed where the
 * whole can't be. To bring in a controller: its LAPICs, then the 8259s and the I/O APIC, then the
 * routes.
 *
 * What KVM's form can't hold, or Lapwing can't know, stands with each call. Counters, timers other
 * than the LAPIC's, line sources (KVM's form has the line, and all of it comes in as source 0) and
 * what was posted but not merged (which an export shows in IRR) are in none of them.
 *
 * Threads: as for a snapshot (lapwing/snapshot.h): all vCPUs stopped, and out of guest mode.
 */
#ifndef LAPWING_KVM_STATE_H
#define LAPWING_KVM_STATE_H

#include <lapwing/chip.h>
#include <lapwing/ioapic.h>
#include <lapwing/lapic.h>
#include <lapwing/pic.h>
#include <lapwing/route.h>
#include <lapwing/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kvm_lapic_state; /* <linux/kvm.h> */
struct kvm_ioapic_state;
struct kvm_pic_state;
struct kvm_irq_routing;

/* The VM has KVM_X2APIC_API_USE_32BIT_IDS (KVM_CAP_X2APIC_API): in x2APIC mode the id register
 * holds the id and not the id shifted by 24, and an MSI's upper address half the upper id bits. */
#define LW_KVM_32BIT_IDS 1u

/* KVM keeps 24 pins. */
#define LW_KVM_PINS 24u

/*
 * A LAPIC as KVM_GET_LAPIC shows it. IA32_APIC_BASE and IA32_TSC_DEADLINE go apart:
 * lw_lapic_base() for KVM_SET_SREGS, which must come before KVM_SET_LAPIC, and
 * lw_lapic_tsc_deadline() for KVM_SET_MSRS, which must come after it. (KVM drops TMICT where
 * KVM_SET_LAPIC takes LVT timer to or from TSC-deadline mode: a second one sets it.)
 *
 * Left out: the levels of LINT0 and LINT1, and errors not yet latched into ESR. TMCCT is as of the
 * time told last. Returns 0, or -EINVAL (a null pointer, an unknown flag; without LW_KVM_32BIT_IDS,
 * an x2APIC id above 255, which the shifted form can't hold).
 */
int lw_kvm_lapic_export(const struct lw_lapic *lapic, unsigned flags,
			struct kvm_lapic_state *state);

/*
 * And back, with those two MSRs, in one call so that no order can lose the deadline. What is left
 * of a count runs on from the time told last; a periodic one with nothing left begins anew. Bits
 * that Lapwing does not keep are dropped, and so are LVT CMCI and vectors below 16; PPR, and in
 * x2APIC mode LDR, follow from the rest. LINT0's remote IRR, which KVM has not got, is believed
 * where its vector is pending or in service. The lines of LINT0 and LINT1 stay as they are.
 *
 * Tells what lw_lapic_restore() does. Returns 0, or -EINVAL: a null pointer, an unknown flag, an id
 * that is not this LAPIC's (KVM lets an xAPIC's id be rewritten), an IA32_APIC_BASE that a guest
 * could not have written.
 */
int lw_kvm_lapic_import(struct lw_lapic *lapic, unsigned flags, const struct kvm_lapic_state *state,
			uint64_t apic_base, uint64_t tsc_deadline);

/*
 * An I/O APIC as KVM_GET_IRQCHIP shows it. Deliveries that were let go of are settled first, which
 * is all that changes. `irr` has the level pins whose lines are asserted: an edge of ours is never
 * pending. KVM matches an EOI against the RTE's present vector: where the guest has rewritten the
 * vector of a delivery in flight, remote IRR is shown clear, since KVM would never clear it, and
 * the line as it is, so that KVM delivers it anew. base_address is 0xFEC00000.
 *
 * Left out: who took what is in flight, residue, a storm's count and delay, whom to notify.
 * Returns 0; -EINVAL (not 24 pins, a null pointer); or -ERANGE (an RTE with a 15-bit
 * destination or in the remappable format).
 */
int lw_kvm_ioapic_export(struct lw_ioapic *io, struct kvm_ioapic_state *state);

/*
 * Who has taken `msg`, which is in flight: as ops->deliver would have said when it was sent, in
 * struct lw_takers; count 0 where nobody has it any more.
 */
typedef void lw_kvm_taken(void *arg, const struct lw_msg *msg, struct lw_takers *takers);

/*
 * And back. A level pin with remote IRR set is in flight to those that `taken` names. Where it
 * names nobody the EOI has been, or the vector was rewritten since, which nobody can tell now:
 * remote IRR is dropped. What is asserted and not in flight is then delivered, as KVM_SET_IRQCHIP
 * does; so is an edge in `irr`, if unmasked. lw_ioapic_notify() stays as it is.
 *
 * Tells ops->record and ops->route, first of all that was and then of all that is. Returns 0, or
 * -EINVAL: not 24 pins, a null pointer.
 */
int lw_kvm_ioapic_import(struct lw_ioapic *io, const struct kvm_ioapic_state *state,
			 lw_kvm_taken *taken, void *arg);

/*
 * The n-th I/O APIC of a controller: lw_chip_settle() and lw_kvm_ioapic_export(); and
 * lw_kvm_ioapic_import() after its LAPICs have been imported. In flight is then what the vCPUs that
 * the RTE names have posted, pending or in service; and if none of them has, what some vCPU has so
 * with its TMR bit set, as after a route was moved in service. An MSI of the same vector can be
 * mistaken for it: its EOI then ends the pin's delivery early, and an asserted line is delivered
 * once more. -EINVAL also if there is no such I/O APIC.
 */
int lw_kvm_chip_ioapic_export(struct lw_chip *chip, uint32_t n, struct kvm_ioapic_state *state);
int lw_kvm_chip_ioapic_import(struct lw_chip *chip, uint32_t n,
			      const struct kvm_ioapic_state *state);

/*
 * The pair of 8259s as KVM_GET_IRQCHIP shows them. The cascade's line is shown low, as KVM's
 * always is. Left out: ICW1's LTIM and SNGL and ICW3, for
 * KVM's pair is wired in one way. Returns 0, or -EINVAL for a null pointer.
 */
int lw_kvm_pic_export(struct lw_pic *pic, struct kvm_pic_state *master,
		      struct kvm_pic_state *slave);

/*
 * And back, wired as KVM's is. A line is high where last_irr says so. Tells ops->intr if INT
 * changes, and ops->eoi nothing. Returns 0, or -EINVAL: a null pointer, or an init_state above 3.
 */
int lw_kvm_pic_import(struct lw_pic *pic, const struct kvm_pic_state *master,
		      const struct kvm_pic_state *slave);

/*
 * A route table as KVM_SET_GSI_ROUTING takes it. Returns how many entries it has, and fills in
 * `routing` if `room` of them are enough; with a room of 0 it may be null. -EINVAL for an unknown
 * flag; -ERANGE for a route that KVM can't have: to a second I/O APIC or a pin above 23, or an MSI
 * in the remappable format, or to an id above 255 without LW_KVM_32BIT_IDS.
 */
int lw_kvm_routes_export(const struct lw_routes *routes, unsigned flags,
			 struct kvm_irq_routing *routing, size_t room);

/*
 * And back, as lw_routes_set(). Returns also -EINVAL: a null pointer, an unknown flag, an entry
 * that is no pin or MSI of an x86; -ERANGE: an MSI to an id above 32,767.
 */
int lw_kvm_routes_import(struct lw_routes *routes, unsigned flags,
			 const struct kvm_irq_routing *routing);

#ifdef __cplusplus
}
#endif

#endif
