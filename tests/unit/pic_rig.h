/* SPDX-License-Identifier: MIT */
/* A pair of 8259As alone, set up as a PC's firmware does, with a diary of what it tells. */
#ifndef LAPWING_PIC_RIG_H
#define LAPWING_PIC_RIG_H

#include "diary.h"
#include "test.h"

#include <errno.h>
#include <lapwing/pic.h>
#include <stdio.h>
#include <string.h>

#define MASTER 0x20u
#define SLAVE  0xa0u
#define ELCR   0x4d0u

#define AEOI 0x02u
#define SFNM 0x10u

#define EOI        0x20u
#define SPECIFIC   0x60u
#define ROTATE     0xa0u
#define SET_LOWEST 0xc0u
#define ROTATE_ON  0xe0u
#define READ_IRR   0x0au
#define READ_ISR   0x0bu
#define POLL       0x0cu
#define SMM_ON     0x68u
#define SMM_OFF    0x48u

static struct {
	_Alignas(LW_PIC_ALIGN) unsigned char storage[LW_PIC_SIZE];
	struct lw_pic *pic;
	bool locked;
	unsigned locks, depth;
	void (*on_eoi)(uint32_t pin);
} rig;

static inline void rig_lock(void *ctx)
{
	assert_ptr_equal(ctx, &rig);
	assert_false(rig.locked);
	rig.locked = true;
	rig.locks++;
}

static inline void rig_unlock(void *ctx)
{
	assert_ptr_equal(ctx, &rig);
	assert_true(rig.locked);
	rig.locked = false;
}

static inline void rig_intr(void *ctx, bool level)
{
	assert_ptr_equal(ctx, &rig);
	assert_true(rig.locked);
	note(level ? "+" : "-");
}

static inline void rig_eoi(void *ctx, uint32_t pin)
{
	assert_ptr_equal(ctx, &rig);
	assert_false(rig.locked);
	assert_int_equal(rig.depth, 0);
	note("%u ", pin);
	rig.depth++;
	if (rig.on_eoi)
		rig.on_eoi(pin);
	rig.depth--;
}

static const struct lw_pic_ops rig_ops = {
	.lock = rig_lock, .unlock = rig_unlock, .intr = rig_intr, .eoi = rig_eoi};

static inline void out(uint32_t port, uint32_t value)
{
	lw_pic_write(rig.pic, (uint16_t)port, value, 1);
}

static inline uint32_t in(uint32_t port)
{
	return lw_pic_read(rig.pic, (uint16_t)port, 1);
}

static inline uint32_t isr(uint32_t chip)
{
	out(chip, READ_ISR);
	return in(chip);
}

static inline uint32_t irr(uint32_t chip)
{
	out(chip, READ_IRR);
	return in(chip);
}

static inline void line(uint32_t pin, bool level)
{
	assert_int_equal(lw_pic_line(rig.pic, pin, 0, level), 0);
}

static inline void pulse(uint32_t pin)
{
	line(pin, true);
	line(pin, false);
}

static inline uint32_t inta(void)
{
	return lw_pic_inta(rig.pic);
}

/* As a PC's firmware: vectors from 0x20 and 0x28, slave on pin 2. */
static inline void init_master(uint32_t icw4)
{
	out(MASTER, 0x11);
	out(MASTER + 1, 0x20);
	out(MASTER + 1, 0x04);
	out(MASTER + 1, 0x01 | icw4);
}

static inline void init_slave(uint32_t icw4)
{
	out(SLAVE, 0x11);
	out(SLAVE + 1, 0x28);
	out(SLAVE + 1, 0x02);
	out(SLAVE + 1, 0x01 | icw4);
}

static inline int fresh(uint32_t flags)
{
	struct lw_pic_config config = {.ops = &rig_ops, .ctx = &rig, .flags = flags};

	memset(&rig, 0, sizeof(rig));
	forget_diary();
	memset(rig.storage, 0x5a, sizeof(rig.storage));
	rig.pic = (void *)rig.storage;
	if (lw_pic_init(rig.pic, &config))
		return -1;
	init_master(0);
	init_slave(0);
	return 0;
}

static inline int setup(void **state)
{
	(void)state;
	return fresh(0);
}

#endif
