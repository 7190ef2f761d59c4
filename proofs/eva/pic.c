/* SPDX-License-Identifier: MIT */
/* Every call of the pair of 8259As but those of snapshots and dumps, with any arguments, in any
 * order. */
#include <lapwing/pic.h>

#include "any.h"

static _Alignas(LW_PIC_ALIGN) uint8_t storage[LW_PIC_SIZE];
static struct lw_pic *const pic = (struct lw_pic *)(void *)storage;
static struct lw_pic_ops ops;

static void on_lock(void *ctx)
{
	(void)ctx;
}

static void on_intr(void *ctx, bool level)
{
	(void)ctx;
	(void)level;
}

/* It may call back in: a device that raises its line again. */
static void on_eoi(void *ctx, uint32_t pin)
{
	(void)ctx;
	lw_pic_line(pic, pin, any_u32(), any_bool());
}

static void any_ops(void)
{
	ops.lock = any_bool() ? on_lock : NULL;
	ops.unlock = any_bool() ? on_lock : NULL;
	ops.intr = any_bool() ? on_intr : NULL;
	ops.eoi = any_bool() ? on_eoi : NULL;
}

static void set_up(void)
{
	struct lw_pic_config config = {.ops = &ops, .flags = any_u32()};

	any_ops();
	any_bytes(storage, sizeof(storage));
	while (lw_pic_init(pic, &config))
		;
}

static void guest_port(uint16_t port, uint32_t width)
{
	if (any_bool())
		lw_pic_read(pic, port, width);
	else
		lw_pic_write(pic, port, any_u32(), width);
}

/* Every width; one at a time where a loop counts to it. */
static void guest(void)
{
	guest_port(any_u16(), 0);
	guest_port(any_u16(), 1);
	guest_port(any_u16(), 2);
	guest_port(any_u16(), 3);
	guest_port(any_u16(), 4);
	guest_port(any_u16(), any_from(5, UINT32_MAX));
}

static void vmm(void)
{
	struct lw_pic_regs regs;

	switch (any_below(8)) {
	case 0:
		lw_pic_line(pic, any_u32(), any_u32(), any_bool());
		break;
	case 1:
		lw_pic_inta(pic);
		break;
	case 2:
		lw_pic_accept(pic);
		break;
	case 3:
		lw_pic_pending(pic);
		break;
	case 4:
		lw_pic_intr(pic);
		break;
	case 5:
		lw_pic_regs(pic, any_u32(), any_bool() ? &regs : NULL);
		break;
	case 6:
		lw_pic_counters(pic);
		break;
	default:
		lw_pic_reset(pic);
		break;
	}
}

int main(void)
{
	set_up();
	for (;;) {
		if (any_bool())
			guest();
		else
			vmm();
	}
}
