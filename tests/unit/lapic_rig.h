/* SPDX-License-Identifier: MIT */
/* A LAPIC by itself, and a diary of what it tells. */
#ifndef LAPWING_LAPIC_RIG_H
#define LAPWING_LAPIC_RIG_H

#include "diary.h"
#include "test.h"

#include <errno.h>
#include <lapwing/lapic.h>
#include <stdio.h>
#include <string.h>

#define ENABLED (LW_SVR_ENABLE | 0xffu)

static _Alignas(LW_LAPIC_ALIGN) unsigned char storage[LW_LAPIC_SIZE];
static struct lw_lapic *const l = (void *)storage;

static inline void on_changed(void *ctx, uint32_t vcpu)
{
	assert_ptr_equal(ctx, diary);
	assert_int_equal(vcpu, 9);
	note("changed ");
}

static inline void on_ipi(void *ctx, uint32_t vcpu, const struct lw_ipi *ipi)
{
	assert_ptr_equal(ctx, diary);
	assert_int_equal(vcpu, 9);
	assert_false(ipi->msg.level);
	note("ipi%u%s:%u:%02x/%u ", ipi->msg.dest, ipi->msg.logical ? "L" : "", ipi->msg.delivery,
	     ipi->msg.vector, ipi->shorthand);
}

static inline void on_signal(void *ctx, uint32_t vcpu, uint8_t delivery, uint8_t vector)
{
	assert_ptr_equal(ctx, diary);
	assert_int_equal(vcpu, 9);
	note("signal%u:%02x ", delivery, vector);
}

static inline void on_deadline(void *ctx, uint32_t vcpu, uint64_t deadline_ns)
{
	assert_ptr_equal(ctx, diary);
	assert_int_equal(vcpu, 9);
	note("deadline%llu ", (unsigned long long)deadline_ns);
}

static inline void on_threshold(void *ctx, uint32_t vcpu, uint8_t class_)
{
	assert_ptr_equal(ctx, diary);
	assert_int_equal(vcpu, 9);
	note("threshold%u ", class_);
}

static const struct lw_lapic_ops rig_ops = {
	.changed = on_changed,
	.ipi = on_ipi,
	.signal = on_signal,
	.deadline = on_deadline,
	.threshold = on_threshold,
};

static inline void open_with(struct lw_lapic_config config)
{
	config.ops = &rig_ops;
	config.ctx = diary;
	config.vcpu = 9;
	memset(storage, 0xa5, sizeof(storage));
	assert_int_equal(lw_lapic_init(l, &config), 0);
	lw_lapic_write(l, LW_LAPIC_SVR, ENABLED);
	forget_diary();
}

static inline int fresh(void **state)
{
	(void)state;
	open_with((struct lw_lapic_config){.id = 3});
	return 0;
}

static inline int fresh_x2apic(void **state)
{
	(void)state;
	open_with((struct lw_lapic_config){.id = 0x123, .x2apic = true});
	return 0;
}

static inline uint32_t get(uint32_t offset)
{
	return lw_lapic_read(l, offset);
}

static inline void put(uint32_t offset, uint32_t value)
{
	lw_lapic_write(l, offset, value);
}

/* What a guest does to see the errors since it last did. */
static inline uint32_t errors(void)
{
	put(LW_LAPIC_ESR, 0);
	return get(LW_LAPIC_ESR);
}

#define XAPIC(name)  cmocka_unit_test_setup(name, fresh)
#define X2APIC(name) cmocka_unit_test_setup(name, fresh_x2apic)

#endif
