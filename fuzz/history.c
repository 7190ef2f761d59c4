/* SPDX-License-Identifier: MIT */
#include "history.h"

#include <string.h>

#include "core/lapic_priv.h"
#include "fuzz.h"
#include "model/invariants.h"

#define ROUNDS 100u

/* Not by lw_lapic_read(), which merges what was posted. */
static struct seen look_at(const struct lw_lapic *lapic, bool *suppresses)
{
	uint32_t svr = load(lapic->shared.svr);

	*suppresses = svr & LW_SVR_SUPPRESS;
	return (struct seen){.ldr = load(lapic->shared.ldr),
			     .dfr = load(lapic->shared.dfr),
			     .enabled = svr & LW_SVR_ENABLE,
			     .mode = lw_lapic_mode(lapic)};
}

void history_begin(struct history *h, struct lw_chip *chip, uint32_t nvcpus)
{
	bool suppresses;

	memset(h, 0, sizeof(*h));
	h->chip = chip;
	h->nvcpus = nvcpus;
	for (uint32_t n = 0; n < nvcpus; n++)
		h->seen[n] = look_at(lw_chip_lapic(chip, n), &suppresses);
}

void history_look(struct history *h)
{
	for (uint32_t n = 0; n < h->nvcpus; n++) {
		bool suppresses;
		struct seen now = look_at(lw_chip_lapic(h->chip, n), &suppresses);
		struct seen was = h->seen[n];

		if (suppresses)
			h->given |= LW_GIVEN_SUPPRESSION;
		if (now.ldr != was.ldr || now.dfr != was.dfr || now.enabled != was.enabled ||
		    now.mode != was.mode)
			h->given |= LW_GIVEN_REMAP;
		if (now.mode == LW_LAPIC_DISABLED)
			history_cleared(h, n);
		h->seen[n] = now;
	}
}

void history_send(struct history *h, const struct lw_msg *msg)
{
	if (msg->delivery != LW_DM_FIXED || msg->level || msg->vector < LW_FIRST_VECTOR)
		return;
	for (uint32_t n = 0; n < h->nvcpus; n++) {
		const struct lw_lapic *lapic = lw_chip_lapic(h->chip, n);

		if (lw_lapic_matches(lapic, msg) && lw_lapic_accepts(lapic))
			h->owed[n][msg->vector] = true;
	}
}

void history_taken(struct history *h, uint32_t vcpu, int vector)
{
	if (vector >= 0)
		h->owed[vcpu][vector] = false;
}

void history_cleared(struct history *h, uint32_t vcpu)
{
	memset(h->owed[vcpu], 0, sizeof(h->owed[vcpu]));
}

/* Every pin is masked as well: some are active low, and some can't be reached by their GSI now. */
static void silence(struct history *h, uint32_t gsis, uint32_t sources)
{
	struct lw_ioapic *io;

	for (uint32_t gsi = 0; gsi < gsis; gsi++)
		for (uint32_t source = 0; source < sources; source++)
			lw_chip_line(h->chip, gsi, source, false);
	for (uint32_t n = 0; (io = lw_chip_ioapic(h->chip, n)) != NULL; n++) {
		uint32_t last = lw_ioapic_read(io, 1) >> 16 & 0xffu;

		for (uint32_t index = 0x10; index <= 0x10 + 2 * last; index += 2)
			lw_ioapic_write(io, index, lw_ioapic_read(io, index) | LW_RTE_MASK);
	}
	if (lw_chip_pic(h->chip))
		lw_pic_reset(lw_chip_pic(h->chip));
}

/* A vCPU takes and ends whatever there is. */
static bool serve_all(struct history *h, uint32_t vcpu)
{
	struct lw_lapic *lapic = lw_chip_lapic(h->chip, vcpu);
	bool busy = false;

	lw_lapic_lint(lapic, 1, false);
	lw_lapic_write(lapic, LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);
	lw_lapic_set_cr8(lapic, 0);
	for (uint32_t n = 0; n < 600; n++) {
		int vector = lw_chip_accept(h->chip, vcpu);

		if (vector < 0)
			break;
		history_taken(h, vcpu, vector);
		busy = true;
	}
	while (lw_lapic_eoi(lapic) >= 0)
		busy = true;
	lw_chip_exit(h->chip, vcpu);
	return busy;
}

void history_rest(struct history *h, uint32_t gsis, uint32_t sources, void (*served)(void))
{
	bool busy = true;

	silence(h, gsis, sources);
	for (uint32_t round = 0; busy && round < ROUNDS; round++) {
		busy = false;
		for (uint32_t n = 0; n < h->nvcpus; n++)
			busy |= serve_all(h, n);
		if (served)
			served();
	}
	history_look(h);
	if (busy)
		fuzz_fail("there is no end of interrupts, though all is silent");
	for (uint32_t n = 0; n < h->nvcpus; n++)
		for (int vector = 0; vector < 256; vector++)
			if (h->owed[n][vector])
				fuzz_fail("vCPU %u never got vector %#x", n, (unsigned)vector);
}

void history_all_resolved(const struct history *h)
{
	struct lw_ioapic *io;

	for (uint32_t n = 0; (io = lw_chip_ioapic(h->chip, n)) != NULL; n++) {
		uint64_t rte = 0;

		for (uint32_t pin = 0; lw_ioapic_rte(io, pin, &rte) == 0; pin++)
			if (rte & LW_RTE_REMOTE_IRR)
				fuzz_fail("the EOI of pin %u of I/O APIC %u was lost", pin, n);
	}
}
