/* SPDX-License-Identifier: MIT */
/*
 * The split backend over the unit tests' made-up kernel, with its scan of 6.1 or of 6.12: a guest
 * that reconfigures as it likes, devices by lines and by eventfds, 8259s, MSIs with routes and
 * irqfds of their own, chips saved and restored, and ioctls that fail. The I/O APIC's invariants
 * hold at all times; with every rule on and no failure no EOI may be lost, and no more exits may be
 * superfluous than coincidences account for.
 */
#include <lapwing/snapshot.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fuzz.h"
#include "model/invariants.h"
#include "unit/split_rig.h"

#define EVENTS  3u
#define SOURCES 8u

static struct input *input;
static bool faulty; /* an ioctl may have failed: figures are off, and nothing else */

static struct {
	int trigger, resample; /* -1: not made yet */
	uint32_t pin, source;
	bool attached;
} event[EVENTS];

static struct {
	struct kvm_run run;
	uint8_t data[16];
} played;

static uint8_t resampler; /* what it does, by a bit for each pin modulo 8 */

/* ---- operands ---- */

static uint32_t draw(uint32_t n)
{
	return in_below(input, n);
}

static uint8_t some_vector(struct input *in)
{
	(void)in;
	return drawn_vector(draw);
}

static uint32_t some_pin(struct input *in)
{
	(void)in;
	return drawn_pin(draw);
}

/* ---- ops ---- */

static void kick(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	if (vcpu)
		fuzz_fail("the 8259s kick vCPU %u", vcpu);
}

static void resample(void *ctx, uint32_t gsi)
{
	(void)ctx;
	if (gsi >= PINS)
		fuzz_fail("GSI %u was resolved", gsi);
	lw_split_line(split, gsi, 0, resampler >> gsi % 8 & 1);
}

static void storm(void *ctx, uint32_t gsi)
{
	(void)ctx;
	if (gsi >= PINS)
		fuzz_fail("GSI %u storms", gsi);
}

static const struct lw_split_ops ops = {
	.kick = kick, .resample = resample, .storm = storm, .now = rig_now};

/* ---- the guest ---- */

static void rewrite(struct input *in)
{
	(void)in;
	reconfigure(draw);
}

static void raise_line(struct input *in)
{
	lw_split_line(split, some_pin(in), 0, true);
}

static void lower_line(struct input *in)
{
	lw_split_line(split, some_pin(in), 0, false);
}

static void send_msi(struct input *in)
{
	uint32_t vcpu = in_byte(in) % VCPUS;

	lw_split_msi_send(split, 0xfee00000u | (APIC_ID + vcpu) << 12, some_vector(in));
}

static void take(struct input *in)
{
	int vector = fake_accept(in_byte(in) % VCPUS);
	uint8_t which = in_byte(in);

	for (uint32_t n = 0; vector >= 0 && n < PINS_USED; n++)
		if (which >> n & 1 && (rte_at(FIRST_PIN + n) & 0xff) == (uint64_t)vector)
			lw_split_line(split, FIRST_PIN + n, 0, false);
}

static bool end_one(uint32_t vcpu)
{
	int vector = fake_eoi(vcpu);

	if (vector >= 0)
		lw_split_eoi(split, vcpu, (uint8_t)vector);
	fake_enter(vcpu);
	return vector != -2;
}

static void end(struct input *in)
{
	end_one(in_byte(in) % VCPUS);
}

static void wait_a_little(struct input *in)
{
	rig_clock += (uint64_t)in_byte(in) << 20;
}

/* ---- the VMM ---- */

static void own_msis(struct input *in)
{
	uint8_t what = in_byte(in);
	uint32_t gsi = PINS + what % (MSIS + 1);

	switch (what >> 5) {
	case 0:
	case 1:
		lw_split_msi_alloc(split);
		break;
	case 2:
	case 3:
	case 4:
		lw_split_msi_route(split, gsi, 0xfee00000u | (uint32_t)in_byte(in) << 12,
				   some_vector(in));
		break;
	case 5:
		lw_split_msi_mask(split, gsi);
		break;
	case 6:
		lw_split_msi_irqfd(split, gsi, in_byte(in) & 1 ? event[0].trigger : -1);
		break;
	default:
		lw_split_msi_free(split, gsi);
	}
}

/* ---- devices with eventfds ---- */

static void be_attached(struct input *in, uint32_t n)
{
	uint8_t how = in_byte(in);
	int err;

	event[n].pin = some_pin(in);
	event[n].source = 1 + how % 3u;
	err = lw_split_attach(split, event[n].pin, event[n].source, event[n].trigger,
			      how & 0x80 ? -1 : event[n].resample);
	if (err && err != -EBUSY && !faulty)
		fuzz_fail("an eventfd was refused: %d", err);
	event[n].attached = !err;
}

static void be_detached(uint32_t n)
{
	int err = lw_split_detach(split, event[n].pin, event[n].source);

	if (err && !faulty)
		fuzz_fail("an eventfd can't be detached: %d", err);
	event[n].attached = false;
}

static void serve(void)
{
	struct pollfd fd = {lw_split_poll_fd(split), POLLIN, 0};
	int ready = poll(&fd, 1, 0), served = lw_split_serve(split);

	if (!faulty && (served > 0) != (ready > 0))
		fuzz_fail("%d eventfds are ready, %d were served", ready, served);
}

static void eventfds(struct input *in)
{
	uint8_t what = in_byte(in);
	uint32_t n = what % EVENTS;
	uint64_t value = 1;

	if (event[n].trigger < 0) {
		event[n].trigger = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		event[n].resample = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	switch (what >> 5) {
	case 0:
	case 1:
		if (!event[n].attached)
			be_attached(in, n);
		else if (what & 8)
			be_detached(n);
		break;
	case 2: /* what the device would do when it is told of an EOI */
		if (read(event[n].resample, &value, sizeof(value)) < 0)
			break;
		/* fall through */
	case 3:
	case 4:
		value = 1;
		if (write(event[n].trigger, &value, sizeof(value)) < 0)
			fuzz_fail("an eventfd is full");
		break;
	default:
		serve();
	}
}

/* ---- the 8259s ---- */

static void ports(struct input *in)
{
	static const uint16_t numbers[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x22, 0x80};
	uint8_t what = in_byte(in), how = in_byte(in);

	memset(&played, 0, sizeof(played));
	played.run.exit_reason = how & 0x80 ? KVM_EXIT_IRQ_WINDOW_OPEN : KVM_EXIT_IO;
	if (!(how & 0x80)) {
		played.run.io.port = numbers[what & 7];
		played.run.io.direction = what & 8 ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
		played.run.io.size = (uint8_t)(1u << in_below(in, 3));
		played.run.io.count = 1 + (what >> 4 & 3u);
		played.run.io.data_offset = sizeof(played.run);
		memset(played.data, in_byte(in), sizeof(played.data));
	}
	lw_split_handle(split, 0, &played.run);
	played.run.ready_for_interrupt_injection = how & 1;
	played.run.if_flag = how >> 1 & 1;
	fake.vcpu[0].extint = -1;
	lw_split_enter(split, 0, &played.run);
	if (fake.vcpu[0].extint >= 0 && (how & 3) != 3)
		fuzz_fail("an ExtINT was injected where it can't be");
	if (fake.vcpu[0].extint >= 0 && played.run.ready_for_interrupt_injection)
		fuzz_fail("one more could be injected");
}

static void isa(struct input *in)
{
	uint8_t what = in_byte(in);

	lw_split_isa_line(split, what >> 4, what & 7 ? 0 : 4 + in_below(in, 4), what & 8);
}

/* An exit as KVM hands it over: of the I/O APIC's page, or of an EOI. */
static void exits(struct input *in)
{
	uint8_t what = in_byte(in);
	uint32_t vcpu = what & 3, value = in_word(in);

	memset(&played, 0, sizeof(played));
	faulty = true; /* as in window(), and such an EOI is nobody's */
	if (what & 4) {
		played.run.exit_reason = KVM_EXIT_IOAPIC_EOI;
		played.run.eoi.vector = some_vector(in);
	} else {
		played.run.exit_reason = KVM_EXIT_MMIO;
		played.run.mmio.phys_addr = LW_SPLIT_IOAPIC + (what & 8 ? in_bytes(in, 3) : 0x10);
		played.run.mmio.is_write = what >> 4 & 1;
		played.run.mmio.len = 1u << (what >> 5 & 3);
		memcpy(played.run.mmio.data, &value, sizeof(value));
	}
	lw_split_handle(split, vcpu, &played.run);
}

static void window(struct input *in)
{
	uint8_t what = in_byte(in);
	uint64_t offset = what & 1 ? 0x10 : what >> 1, value = in_bytes(in, 4);

	/* A guest that writes anything has no claim to an EOI: only crashes count from here on. */
	faulty = true;
	if (what & 0x80)
		lw_split_mmio_read(split, offset, &value, in_byte(in) % 9);
	else
		lw_split_mmio_write(split, offset, &value, in_byte(in) % 9);
}

static void fail_an_ioctl(struct input *in)
{
	static const unsigned long requests[] = {KVM_SET_GSI_ROUTING, KVM_SIGNAL_MSI, KVM_GET_LAPIC,
						 KVM_IRQFD};

	fake.fail_request = requests[in_byte(in) % 4];
	fake.fail_in = 1 + in_byte(in) % 4;
	fake.fail_with = in_byte(in) & 1 ? ENOMEM : EINVAL;
	faulty = true;
}

/* Chips through bytes and back, with everybody at rest; another kernel's routes at the end. */
static void migrate(void)
{
	static uint8_t io[1u << 16], pic[1u << 12];
	size_t size = lw_ioapic_save(lw_split_ioapic(split), io, sizeof(io)), more = 0;

	if (lw_split_pic(split))
		more = lw_pic_save(lw_split_pic(split), pic, sizeof(pic));
	if (size > sizeof(io) || more > sizeof(pic) ||
	    lw_ioapic_restore(lw_split_ioapic(split), io, size) ||
	    (more && lw_pic_restore(lw_split_pic(split), pic, more)))
		fuzz_fail("what was saved can't be restored");
	lw_split_restored(split);
}

static void rarely(struct input *in)
{
	uint8_t what = in_byte(in);

	faulty = faulty || what % 12 > 3; /* else records that are resolved early come again */
	switch (what % 12) {
	case 0:
	case 1:
		lw_split_hold(split);
		reconfigure(draw);
		lw_split_release(split);
		break;
	case 2:
	case 3:
		lw_split_retry(split);
		break;
	case 4:
		window(in);
		break;
	case 5:
		resampler = in_byte(in);
		lw_split_notify(split, what >> 3, what & 128);
		break;
	case 6:
		lw_split_reconcile(split);
		break;
	case 7:
		lw_split_reset(split);
		break;
	case 8:
		lw_split_reconcile_vcpu(split, what / 12 % (VCPUS + 1));
		break;
	case 9:
		migrate();
		break;
	case 10:
		lw_split_resume(split, in_byte(in));
		break;
	default:
		fail_an_ioctl(in);
	}
}

/* What most VMs do seldom. */
static void more(struct input *in)
{
	static void (*const happens[])(struct input *) = {own_msis, own_msis, eventfds, eventfds,
							  eventfds, eventfds, ports,    isa};

	happens[in_byte(in) % 8](in);
}

/* ---- judgement ---- */

static void is_sound(void)
{
	struct broken why;

	if (!lw_ioapic_holds(lw_split_ioapic(split), &why))
		fuzz_fail("%s (pin %u, vector %#x)", why.rule, why.pin, why.vector);
}

static void account(void)
{
	struct lw_split_counters c = lw_split_counters(split);

	fuzz_same("the classes of all exits", c.necessary + c.redundant + c.superfluous,
		  c.eoi_exits);
	if (!faulty && c.superfluous - c.covered > fake.coincidences + c.left_over + c.busy)
		fuzz_fail("%llu exits are superfluous, %llu coincidences",
			  (unsigned long long)(c.superfluous - c.covered),
			  (unsigned long long)fake.coincidences);
}

/* Everybody takes and ends what there is; a pin that is still in flight then will be for ever. */
static void come_to_rest(void)
{
	bool busy = true;

	fake.fail_request = 0;
	resampler = 0;
	lw_split_retry(split);
	for (uint32_t n = 0; n < PINS * SOURCES; n++)
		lw_split_line(split, n / SOURCES, n % SOURCES, false);
	while (busy) {
		busy = false;
		for (uint32_t n = 0; n < VCPUS; n++) {
			fake_accept(n);
			busy |= end_one(n);
		}
	}
	for (uint32_t pin = FIRST_PIN; !faulty && pin < FIRST_PIN + PINS_USED; pin++)
		if (remote_irr(pin))
			fuzz_fail("the EOI of pin %u was lost", pin);
	if (lw_split_reconcile(split))
		fuzz_fail("records can't be reconciled");
	for (uint32_t pin = 0; pin < PINS; pin++)
		if (remote_irr(pin))
			fuzz_fail("pin %u is in flight to nobody", pin);
}

/* ---- the whole ---- */

static void set_up(uint8_t how)
{
	struct lw_split_config config =
		rig_config(how & 2 ? how >> 2 & LW_SPLIT_FAST : LW_SPLIT_FAST);

	faulty = how & 2;
	config.ops = &ops;
	config.flags |= how & 0x20 ? LW_SPLIT_PIC : 0;
	config.flags |= how & 0x40 ? LW_SPLIT_EXT_DEST : 0;
	config.version = how & 0x80 ? 0x20 : 0x11;
	fake_reset(how & 1 ? SCAN_6_1 : SCAN_6_12);
	rig_open(&config);
	memset(event, 0, sizeof(event));
	for (uint32_t n = 0; n < EVENTS; n++)
		event[n].trigger = event[n].resample = -1;
	resampler = 0;
}

static void tear_down(void)
{
	rig_close();
	for (uint32_t n = 0; n < EVENTS; n++)
		if (event[n].trigger >= 0) {
			close(event[n].trigger);
			close(event[n].resample);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const happens[16])(struct input *) = {
		raise_line, raise_line, lower_line, send_msi,      send_msi, take, take, take,
		end,        end,        end,        wait_a_little, rewrite,  take, end,  more,
	};
	struct input in = {data, data + size};
	uint64_t operations = 0;
	uint8_t how;

	input = &in;
	how = in_byte(&in);
	set_up(how);
	for (; in_more(&in); operations++) {
		uint8_t what = in_byte(&in);

		rig_clock += 1000000;
		if (what >= 0xf8 && how & 0x80)
			(what & 1 ? exits : rarely)(&in);
		else
			happens[what % 16](&in);
		if (operations % 16 == 15)
			is_sound();
		if (operations % 256 == 255) {
			account();
			come_to_rest();
		}
	}
	is_sound();
	account();
	come_to_rest();
	tear_down();
	fuzz_count(operations);
	return 0;
}
