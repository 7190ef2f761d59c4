/* SPDX-License-Identifier: MIT */
#include "machine/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- ops ---- */

static void kick(void *ctx, uint32_t vcpu)
{
	struct machine *m = ctx;

	if (m->vcpu[vcpu].kicked)
		return;
	m->vcpu[vcpu].kicked = true;
	m->kicked[m->kicks++] = vcpu;
}

/* A posted interrupt is seen in guest mode without an exit, and by others when they enter it. */
static void notify(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	(void)vcpu;
}

/* Out of guest mode nobody's thread is at work but ours. */
static bool owned(void *ctx, uint32_t vcpu)
{
	const struct machine *m = ctx;

	return !m->vcpu[vcpu].in_guest;
}

static void resample(void *ctx, uint32_t gsi)
{
	struct machine *m = ctx;

	if (m->resample)
		m->resample(m, gsi);
}

static void storm(void *ctx, uint32_t gsi)
{
	struct machine *m = ctx;

	m->truth.pin[gsi].delayed = true;
}

static void trace(void *ctx, const struct lw_trace *event)
{
	struct machine *m = ctx;

	if (event->kind == LW_TRACE_POSTED)
		truth_sent(&m->truth, event->gsi, event->vcpu, event->vector, event->level);
	else if (event->kind == LW_TRACE_PUBLISHED)
		truth_published(&m->truth, event->vcpu, event->vector);
}

static const struct lw_chip_ops chip_ops = {
	.kick = kick,
	.notify = notify,
	.owned = owned,
	.resample = resample,
	.storm = storm,
	.trace = trace,
};

/* ---- building ---- */

static size_t round64(size_t n)
{
	return (n + 63) / 64 * 64;
}

static int open_eoi(struct machine *m)
{
	struct lw_eoi_config config = {
		.policy = m->config.policy,
		.flags = (m->config.hardware ? LW_EOI_HARDWARE : 0) |
			 (m->config.in_kernel ? LW_EOI_IN_KERNEL : 0),
		.nvcpus = m->config.vcpus,
		.env = lw_chip_env(),
		.ctx = m->chip,
	};

	return lw_eoi_init(m->eoi, &config);
}

static int open_chip(struct machine *m)
{
	struct lw_chip_ioapic ioapic[LW_CHIP_MAX_IOAPICS];
	struct lw_chip_config config = {
		.ops = &chip_ops,
		.ctx = m,
		.hooks = lw_eoi_hooks(),
		.nvcpus = m->config.vcpus,
		.x2apic = m->config.x2apic,
		.nioapics = m->config.ioapics,
		.ioapic = ioapic,
		.gsis = m->config.ioapics * m->config.pins,
	};
	int err;

	if (m->config.ioapics > LW_CHIP_MAX_IOAPICS)
		return -EINVAL;
	for (uint32_t n = 0; n < m->config.ioapics; n++)
		ioapic[n] = (struct lw_chip_ioapic){
			.gsi_base = n * m->config.pins,
			.pins = m->config.pins,
			.flags = m->config.x2apic ? LW_IOAPIC_EXT_DEST : 0,
			.id = (uint8_t)(n & 15u),
			.version = m->config.version,
		};
	if (!lw_chip_size(&config) || !lw_eoi_size(m->config.vcpus))
		return -EINVAL;
	m->storage[0] = aligned_alloc(64, round64(lw_chip_size(&config)));
	m->storage[1] = aligned_alloc(64, round64(lw_eoi_size(m->config.vcpus)));
	if (!m->storage[0] || !m->storage[1])
		return -ENOMEM;
	m->chip = m->storage[0];
	m->eoi = m->storage[1];
	config.eoi = m->eoi;
	err = open_eoi(m);
	return err ? err : lw_chip_init(m->chip, &config);
}

int m_open(struct machine *m, const struct machine_config *config, uint64_t seed)
{
	int err;

	memset(m, 0, sizeof(*m));
	m->config = *config;
	m->random = seed * 0x9e3779b97f4a7c15ull + 1;
	m->vcpu = calloc(config->vcpus, sizeof(*m->vcpu));
	m->kicked = calloc(config->vcpus, sizeof(*m->kicked));
	if (!m->vcpu || !m->kicked)
		return -ENOMEM;
	err = truth_open(&m->truth, config->vcpus, config->ioapics * config->pins, config->x2apic);
	if (err)
		return err;
	err = open_chip(m);
	for (uint32_t n = 0; !err && n < config->vcpus; n++)
		m_svr(m, n, LW_SVR_ENABLE | 0xff);
	return err;
}

void m_close(struct machine *m)
{
	truth_close(&m->truth);
	free(m->storage[0]);
	free(m->storage[1]);
	free(m->vcpu);
	free(m->kicked);
	memset(m, 0, sizeof(*m));
}

int m_replace(struct machine *m, void *storage[2])
{
	struct machine old = *m;
	int err;

	m->storage[0] = m->storage[1] = NULL;
	err = open_chip(m);
	if (err) {
		free(m->storage[0]);
		free(m->storage[1]);
		*m = old;
		return err;
	}
	storage[0] = old.storage[0];
	storage[1] = old.storage[1];
	return 0;
}

/* ---- vCPUs ---- */

static void leave(struct machine *m, uint32_t vcpu)
{
	m->vcpu[vcpu].in_guest = false;
	lw_chip_exit(m->chip, vcpu);
}

static void enter(struct machine *m, uint32_t vcpu)
{
	lw_chip_enter(m->chip, vcpu);
	m->vcpu[vcpu].in_guest = true;
}

static void start_step(struct machine *m)
{
	m->depth++;
	truth_step(&m->truth);
}

/* Take what is pending. Guest mode. */
static int take(struct machine *m, uint32_t vcpu)
{
	int vector = lw_lapic_accept(lw_chip_lapic(m->chip, vcpu));

	if (vector >= 0) {
		m->interrupts++;
		truth_taken(&m->truth, vcpu, (uint8_t)vector);
	}
	return vector;
}

/* End the vector, the highest in service. Returns whether the vCPU left guest mode for it. */
static bool end(struct machine *m, uint32_t vcpu, uint8_t vector)
{
	bool left = lw_chip_eoi_leaves(m->chip, vcpu, vector);

	truth_eoi(&m->truth, vcpu, vector, left);
	if (left)
		m->vcpu[vcpu].in_guest = false;
	lw_lapic_eoi(lw_chip_lapic(m->chip, vcpu));
	return left;
}

/* A kick is on its way, and the vCPU still runs: it may take an interrupt, and end it, before the
 * kick arrives. No draw of its own, as chance.c wants it. */
static void run_on(struct machine *m, uint32_t vcpu)
{
	int vector;

	if (!m->slow_kicks || !(m->random >> 17 & 1))
		return;
	truth_step(&m->truth);
	take(m, vcpu);
	vector = truth_serving(&m->truth, vcpu);
	if (vector >= 0 && end(m, vcpu, (uint8_t)vector))
		enter(m, vcpu);
}

/* Send whoever was kicked through an exit, and a halted one back to sleep. */
static void end_step(struct machine *m)
{
	while (m->kicks) {
		uint32_t vcpu = m->kicked[--m->kicks];
		bool was_in_guest = m->vcpu[vcpu].in_guest;

		m->vcpu[vcpu].kicked = false;
		if (was_in_guest)
			run_on(m, vcpu);
		truth_step(&m->truth);
		leave(m, vcpu);
		if (was_in_guest)
			enter(m, vcpu);
	}
	if (--m->depth == 0 && m->stepped)
		m->stepped(m);
}

void m_enter(struct machine *m, uint32_t vcpu)
{
	start_step(m);
	if (!m->vcpu[vcpu].in_guest)
		enter(m, vcpu);
	end_step(m);
}

void m_exit(struct machine *m, uint32_t vcpu)
{
	start_step(m);
	if (m->vcpu[vcpu].in_guest)
		leave(m, vcpu);
	end_step(m);
}

void m_halt(struct machine *m, uint32_t vcpu)
{
	m_exit(m, vcpu);
}

/* Leave guest mode for an access, if the vCPU was in it. */
static bool trap(struct machine *m, uint32_t vcpu)
{
	bool was_in_guest = m->vcpu[vcpu].in_guest;

	start_step(m);
	if (was_in_guest)
		leave(m, vcpu);
	return was_in_guest;
}

static void resume(struct machine *m, uint32_t vcpu, bool was_in_guest)
{
	if (was_in_guest)
		enter(m, vcpu);
	end_step(m);
}

int m_take(struct machine *m, uint32_t vcpu)
{
	int vector;

	if (!m->vcpu[vcpu].in_guest)
		m_enter(m, vcpu);
	start_step(m);
	vector = take(m, vcpu);
	end_step(m);
	return vector;
}

void m_eoi(struct machine *m, uint32_t vcpu)
{
	int vector = truth_serving(&m->truth, vcpu);

	if (vector < 0)
		return;
	if (!m->vcpu[vcpu].in_guest)
		m_enter(m, vcpu);
	start_step(m);
	resume(m, vcpu, end(m, vcpu, (uint8_t)vector));
}

void m_init(struct machine *m, uint32_t vcpu)
{
	bool was = trap(m, vcpu);

	truth_init(&m->truth, vcpu);
	lw_chip_init_vcpu(m->chip, vcpu);
	resume(m, vcpu, was);
}

void m_tpr(struct machine *m, uint32_t vcpu, uint32_t tpr)
{
	lw_lapic_write(lw_chip_lapic(m->chip, vcpu), LW_LAPIC_TPR, tpr);
}

void m_svr(struct machine *m, uint32_t vcpu, uint32_t svr)
{
	bool was = trap(m, vcpu);

	m->truth.lapic[vcpu].svr = svr;
	lw_lapic_write(lw_chip_lapic(m->chip, vcpu), LW_LAPIC_SVR, svr);
	resume(m, vcpu, was);
}

void m_ldr(struct machine *m, uint32_t vcpu, uint32_t logical)
{
	bool was = trap(m, vcpu);

	m->truth.lapic[vcpu].ldr = logical;
	lw_lapic_write(lw_chip_lapic(m->chip, vcpu), LW_LAPIC_LDR, logical << 24);
	resume(m, vcpu, was);
}

/* ---- devices ---- */

void m_msi(struct machine *m, uint32_t vcpu, uint8_t vector)
{
	struct lw_msg msg = {.dest = vcpu, .vector = vector, .delivery = LW_DM_FIXED};

	start_step(m);
	lw_chip_send(m->chip, &msg);
	end_step(m);
}

void m_line(struct machine *m, uint32_t gsi, uint32_t source, bool level)
{
	start_step(m);
	truth_line(&m->truth, gsi, source, level);
	lw_chip_line(m->chip, gsi, source, level);
	end_step(m);
}

static struct lw_ioapic *ioapic_of(struct machine *m, uint32_t gsi)
{
	return lw_chip_ioapic(m->chip, gsi / m->config.pins);
}

void m_notify(struct machine *m, uint32_t gsi, bool on)
{
	start_step(m);
	lw_ioapic_notify(ioapic_of(m, gsi), gsi % m->config.pins, on);
	end_step(m);
}

void m_resume(struct machine *m)
{
	start_step(m);
	for (uint32_t gsi = 0; gsi < m->truth.pins; gsi++) {
		if (!m->truth.pin[gsi].delayed)
			continue;
		m->truth.pin[gsi].delayed = false;
		lw_ioapic_resume(ioapic_of(m, gsi), gsi % m->config.pins);
	}
	end_step(m);
}

/* ---- a guest's accesses ---- */

static uint32_t window(struct machine *m, uint32_t gsi, enum m_half half)
{
	uint32_t index = 0x10 + 2 * (gsi % m->config.pins) + (half == M_HIGH);

	lw_ioapic_mmio_write(ioapic_of(m, gsi), 0, &index, sizeof(index));
	return index;
}

void m_rte_half(struct machine *m, uint32_t by, uint32_t gsi, enum m_half half, uint64_t rte)
{
	bool was = trap(m, by);
	uint64_t old = m->truth.pin[gsi].rte;
	uint32_t value = (uint32_t)(half == M_HIGH ? rte >> 32 : rte);

	if (half == M_HIGH)
		truth_rte(&m->truth, gsi, (old & UINT32_MAX) | (uint64_t)value << 32);
	else
		truth_rte(&m->truth, gsi, (old & ~(uint64_t)UINT32_MAX) | value);
	window(m, gsi, half);
	lw_ioapic_mmio_write(ioapic_of(m, gsi), 0x10, &value, sizeof(value));
	resume(m, by, was);
}

void m_rte(struct machine *m, uint32_t by, uint32_t gsi, enum m_half first, uint64_t rte)
{
	m_rte_half(m, by, gsi, first, rte);
	m_rte_half(m, by, gsi, first == M_LOW ? M_HIGH : M_LOW, rte);
}

uint64_t m_rte_read(struct machine *m, uint32_t by, uint32_t gsi)
{
	uint32_t low = 0, high = 0;
	bool was = trap(m, by);

	window(m, gsi, M_LOW);
	lw_ioapic_mmio_read(ioapic_of(m, gsi), 0x10, &low, sizeof(low));
	window(m, gsi, M_HIGH);
	lw_ioapic_mmio_read(ioapic_of(m, gsi), 0x10, &high, sizeof(high));
	resume(m, by, was);
	return (uint64_t)high << 32 | low;
}

void m_eoi_register(struct machine *m, uint32_t by, uint32_t gsi, uint8_t vector)
{
	bool was = trap(m, by);
	uint32_t value = vector;

	truth_eoi_register(&m->truth, gsi / m->config.pins * m->config.pins, m->config.pins,
			   vector);
	lw_ioapic_mmio_write(ioapic_of(m, gsi), 0x40, &value, sizeof(value));
	resume(m, by, was);
}

uint64_t m_route(uint32_t vcpu, uint8_t vector, uint64_t flags)
{
	return flags | vector | (uint64_t)(vcpu & 0xff) << LW_RTE_DEST_SHIFT |
	       (uint64_t)(vcpu >> 8) << LW_RTE_EXT_SHIFT;
}

/* ---- chance ---- */

/* xorshift64*: short, seedable, and the same everywhere. */
uint32_t m_below(struct machine *m, uint32_t n)
{
	m->random ^= m->random >> 12;
	m->random ^= m->random << 25;
	m->random ^= m->random >> 27;
	return (uint32_t)((m->random * 0x2545f4914f6cdd1dull) >> 32) % n;
}

/* ---- the end ---- */

void m_finish(struct machine *m)
{
	truth_check(&m->truth);
	for (uint32_t gsi = 0; gsi < m->truth.pins; gsi++) {
		if (m->truth.pin[gsi].state != TRUTH_UNSEEN)
			continue;
		m_rte_read(m, 0, gsi); /* the first may only have asked */
		truth_read(&m->truth, gsi, (m_rte_read(m, 0, gsi) & LW_RTE_REMOTE_IRR) != 0);
	}
	truth_close_books(&m->truth);
}
