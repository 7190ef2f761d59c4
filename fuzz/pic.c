/* SPDX-License-Identifier: MIT */
/* The pair of 8259As beside its naive twin: lines, ports of every width, INTA and reset. */
#include <lapwing/pic.h>
#include <lapwing/snapshot.h>
#include <string.h>

#include "fuzz.h"
#include "model/invariants.h"
#include "model/naive_pic.h"

static struct {
	_Alignas(LW_PIC_ALIGN) unsigned char storage[LW_PIC_SIZE];
	struct lw_pic *pic;
	struct naive_pic naive;
	bool intr, over[16], locked;
	int rises;
} rig;

static void on_intr(void *ctx, bool level)
{
	(void)ctx;
	if (level == rig.intr)
		fuzz_fail("INT was told twice");
	rig.intr = level;
	rig.rises += level;
}

static void on_eoi(void *ctx, uint32_t pin)
{
	struct broken why;

	(void)ctx;
	if (pin >= 16 || pin == 2)
		fuzz_fail("the end of pin %u was told", pin);
	if (!lw_pic_holds(rig.pic, &why))
		fuzz_fail("%s, while an end is told", why.rule);
	rig.over[pin] = true;
}

static void lock(void *ctx)
{
	(void)ctx;
	if (rig.locked)
		fuzz_fail("the lock is taken twice");
	rig.locked = true;
}

static void unlock(void *ctx)
{
	(void)ctx;
	rig.locked = false;
}

static const struct lw_pic_ops ops = {
	.lock = lock, .unlock = unlock, .intr = on_intr, .eoi = on_eoi};

static uint16_t some_port(struct input *in)
{
	static const uint16_t ports[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x1f, 0x9f};
	uint8_t byte = in_byte(in);

	return byte < 0xf0 ? ports[byte % 8] : (uint16_t)in_bytes(in, 2);
}

static uint32_t some_width(struct input *in)
{
	uint8_t byte = in_byte(in);

	return byte < 0xe0 ? 1 : 1u << byte % 3;
}

static void out(struct input *in)
{
	uint16_t port = some_port(in);
	uint32_t width = some_width(in), value = (uint32_t)in_bytes(in, width);

	lw_pic_write(rig.pic, port, value, width);
	for (uint32_t n = 0; n < width; n++)
		naive_pic_out(&rig.naive, (uint16_t)(port + n), value >> 8 * n & 0xff);
}

static void read_port(struct input *in)
{
	uint16_t port = some_port(in);
	uint32_t width = some_width(in), naive = 0, ours = lw_pic_read(rig.pic, port, width);

	for (uint32_t n = 0; n < width; n++)
		naive |= (uint32_t)naive_pic_in(&rig.naive, (uint16_t)(port + n)) << 8 * n;
	fuzz_same("what was read", ours, naive);
}

static void odd_width(struct input *in)
{
	uint32_t width = in_byte(in);

	if (width == 1 || width == 2 || width == 4)
		return;
	lw_pic_write(rig.pic, 0x20, in_byte(in), width);
	fuzz_same("a read of an odd width", lw_pic_read(rig.pic, 0x20, width), 0xffffffff);
}

static void move_line(struct input *in)
{
	uint32_t what = in_byte(in), pin = what & 15, source = what & 16 ? in_byte(in) : 0;
	bool level = what & 32, any = false;
	int err = lw_pic_line(rig.pic, pin, source, level);

	fuzz_same("the answer to a line", err < 0, pin == 2 || source > 31);
	if (err)
		return;
	rig.naive.source[pin][source] = level;
	for (int n = 0; n < 32; n++)
		any = any || rig.naive.source[pin][n];
	naive_pic_line(&rig.naive, (int)pin / 8, (int)pin % 8, any);
	naive_pic_outputs(&rig.naive);
}

static void acknowledge(struct input *in)
{
	int pending = lw_pic_pending(rig.pic), vector = lw_pic_inta(rig.pic);

	(void)in;
	fuzz_same("the vector pending", (uint64_t)pending,
		  (uint64_t)(rig.naive.intr ? vector : -1));
	fuzz_same("the vector", (uint64_t)vector, (uint64_t)naive_pic_inta(&rig.naive));
}

/* Through bytes and back. */
static void migrate(void)
{
	static uint8_t bytes[512];
	static char text[1024];
	size_t size = lw_pic_save(rig.pic, bytes, sizeof(bytes));

	lw_pic_dump(rig.pic, text, sizeof(text));
	if (size > sizeof(bytes) || lw_pic_restore(rig.pic, bytes, size))
		fuzz_fail("what was saved can't be restored");
}

static void reset(struct input *in)
{
	if (in_byte(in) & 3) {
		migrate();
		return;
	}
	lw_pic_reset(rig.pic);
	naive_pic_reset(&rig.naive);
}

static void compare(void)
{
	struct lw_pic_regs regs;
	struct broken why;

	fuzz_same("INT", rig.intr, rig.naive.intr);
	fuzz_same("INT asked for", lw_pic_intr(rig.pic), rig.naive.intr);
	fuzz_same("the count of rises", (uint64_t)rig.rises, (uint64_t)rig.naive.rises);
	if (memcmp(rig.over, rig.naive.over, sizeof(rig.over)) != 0)
		fuzz_fail("other ends were told");
	memset(rig.over, 0, sizeof(rig.over));
	memset(rig.naive.over, 0, sizeof(rig.naive.over));
	for (uint32_t n = 0; n < 2; n++) {
		lw_pic_regs(rig.pic, n, &regs);
		fuzz_same("ISR", regs.isr, (uint64_t)naive_pic_bits(rig.naive.chip[n].serving));
		fuzz_same("IMR", regs.imr, (uint64_t)naive_pic_bits(rig.naive.chip[n].masked));
	}
	if (!lw_pic_holds(rig.pic, &why))
		fuzz_fail("%s (chip %u, pin %u)", why.rule, why.chip, why.pin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const happens[16])(struct input *) = {
		move_line, move_line,   move_line,   move_line, move_line, out,
		out,       out,         out,         out,       read_port, read_port,
		odd_width, acknowledge, acknowledge, reset,
	};
	struct input in = {data, data + size};
	struct lw_pic_config config = {.ops = &ops, .flags = in_below(&in, 2)};
	uint64_t operations = 0;

	memset(&rig, 0, sizeof(rig));
	rig.pic = (void *)rig.storage;
	naive_pic_init(&rig.naive, config.flags == LW_PIC_STRICT);
	if (lw_pic_init(rig.pic, &config))
		fuzz_fail("a sound configuration was refused");
	for (; in_more(&in); operations++) {
		happens[in_byte(&in) % 16](&in);
		compare();
	}
	fuzz_count(operations);
	return 0;
}
