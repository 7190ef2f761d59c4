/* SPDX-License-Identifier: MIT */
/* What the known deviations are told by, and their list. */
#ifndef LAPWING_DIFF_RULES_H
#define LAPWING_DIFF_RULES_H

#include "diff.h"

#define ALL         UINT64_MAX
#define NO_REGISTER UINT32_MAX

#define LVT_STATUS     (1u << 12)
#define LVT_REMOTE_IRR (1u << 14)
#define LVT_MASKED     (1u << 16)
#define ICR_ASSERT     (1u << 14)
#define ICR_LEVEL      (1u << 15)
#define ICR_LOGICAL    (1u << 11)
#define MSI_LEVEL      (1u << 15)
#define MSI_ASSERT     (1u << 14)
#define MSI_LOGICAL    (1u << 2)
#define MSI_HINT       (1u << 3)
#define BASE_EN        (1u << 11)
#define BASE_EXTD      (1u << 10)
#define RTE_KEPT                                                                                \
	(LW_RTE_VECTOR | LW_RTE_DM | LW_RTE_LOGICAL | LW_RTE_LOW | LW_RTE_LEVEL | LW_RTE_MASK | \
	 LW_RTE_PENDING | LW_RTE_REMOTE_IRR | 0xffull << LW_RTE_DEST_SHIFT)

/* The message that the operation sends by itself: an MSI's or an IPI's. */
struct diff_message {
	uint32_t vector, delivery;
	bool level, asserted, logical, hint, shorthand, ipi;
};

/* Were these the EN and EXTD bits of the vCPU that made the access? */
bool diff_in_mode(const struct diff_case *c, uint32_t bits);
/* The register that a guest's access names, in the form of the mode it is in; or NO_REGISTER. */
uint32_t diff_accessed(const struct diff_case *c);
bool diff_is_write(const struct diff_case *c);
bool diff_writes(const struct diff_case *c, uint32_t reg);
/* The register that differs, in the state or in what the guest read of it; or NO_REGISTER. */
uint32_t diff_register_of(const struct diff_case *c, const struct diff_one *d);
/* The bit of a vector in IRR or TMR, if this is the register that has it. */
uint64_t diff_vector_bit(const struct diff_one *d, uint32_t vector);
bool diff_is_nmi(const struct diff_one *d);
/* False if the operation sends none. */
bool diff_message_of(const struct diff_case *c, struct diff_message *m);
/* All that a vCPU's own write may have changed. */
uint64_t diff_anything_of(const struct diff_one *d, uint32_t cpu);
uint64_t diff_remote_irr(const struct diff_one *d);
/* The bits of vectors that level pins, in flight before, deliver anew because their lines are up.
 */
uint64_t diff_redelivered(const struct diff_case *c, const struct diff_one *d);
/* The bits of the vectors that pins may have sent which have these bits in their RTEs. */
uint64_t diff_pins_send(const struct diff_case *c, const struct diff_one *d, uint64_t mask,
			uint64_t value);

/* Each: the name in docs/deviations.md, what follows, and rule_NAME(), which says which bits differ
 * for this reason. The first to explain a bit counts. */
#define DIFF_RULES(RULE)                                       \
	RULE(directed_eoi, "directed-eoi", THEN_GO_ON)         \
	RULE(tpr_subclass, "tpr-subclass", THEN_GO_ON)         \
	RULE(illegal_vector, "illegal-vector", THEN_GO_ON)     \
	RULE(no_esr, "no-esr", THEN_GO_ON)                     \
	RULE(no_lvt_error, "no-lvt-error", THEN_MEND)          \
	RULE(lvt_read_only, "lvt-read-only", THEN_GO_ON)       \
	RULE(icr_reserved, "icr-reserved", THEN_GO_ON)         \
	RULE(id_writable, "id-writable", THEN_MEND)            \
	RULE(stale_read, "stale-read", THEN_GO_ON)             \
	RULE(x2apic_reserved, "x2apic-reserved", THEN_MEND)    \
	RULE(off_forgets, "off-forgets", THEN_MEND)            \
	RULE(off_cr8, "off-cr8", THEN_GO_ON)                   \
	RULE(icr_carried_over, "icr-carried-over", THEN_MEND)  \
	RULE(init_icr, "init-keeps-icr", THEN_MEND)            \
	RULE(init_resolves, "init-resolves", THEN_MEND)        \
	RULE(ipi_level, "ipi-level", THEN_MEND)                \
	RULE(msi_deassert, "msi-deassert", THEN_MEND)          \
	RULE(lowest_priority, "lowest-priority", THEN_MEND)    \
	RULE(mixed_modes, "mixed-modes", THEN_MEND)            \
	RULE(dfr_reserved, "dfr-reserved", THEN_END)           \
	RULE(signal_disabled, "signal-disabled", THEN_MEND)    \
	RULE(signal_hint, "signal-hint", THEN_MEND)            \
	RULE(rte_reserved, "rte-reserved", THEN_GO_ON)         \
	RULE(io_no_register, "ioapic-no-register", THEN_GO_ON) \
	RULE(io_narrow, "ioapic-narrow-write", THEN_MEND)      \
	RULE(delivery_status, "delivery-status", THEN_GO_ON)   \
	RULE(refused, "refused-remote-irr", THEN_MEND)         \
	RULE(retried, "retry", THEN_MEND)                      \
	RULE(level_signal, "level-signal", THEN_MEND)          \
	RULE(eoi_tmr, "eoi-tmr", THEN_MEND)                    \
	RULE(eoi_rewritten, "eoi-rewritten", THEN_MEND)        \
	RULE(eoi_of_another, "eoi-of-another", THEN_MEND)      \
	RULE(eoi_sends_edges, "eoi-sends-edges", THEN_MEND)    \
	RULE(pic_icw1, "8259-icw1", THEN_MEND)                 \
	RULE(pic_elcr, "8259-elcr", THEN_MEND)                 \
	RULE(pic_initialized, "8259-initialized", THEN_MEND)   \
	RULE(pic_initializing, "8259-initializing", THEN_END)  \
	RULE(pic_special_mask, "8259-special-mask", THEN_END)  \
	RULE(pic_sfnm, "8259-special-fully-nested", THEN_END)  \
	RULE(pic_poll, "8259-poll", THEN_END)                  \
	RULE(pic_rotation, "8259-icw1-rotation", THEN_END)     \
	RULE(pic_options, "8259-icw1-options", THEN_END)       \
	RULE(pic_wide, "8259-wide-access", THEN_GO_ON)

#define DIFF_DECLARE(function, name, then) \
	uint64_t rule_##function(const struct diff_case *c, const struct diff_one *d);
DIFF_RULES(DIFF_DECLARE)

#endif
