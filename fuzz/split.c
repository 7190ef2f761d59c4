/* SPDX-License-Identifier: MIT */
/*
 * The split backend over the unit tests' made-up kernel, with its scan of 6.1 or of 6.12: a guest
 * that reconfigures as it likes, devices, MSIs with routes of their own, and ioctls that fail. With
 * every rule on and no failure no EOI may be lost, and no more exits may be superfluous than
 * coincidences account for.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "unit/split_rig.h"

#define PINS_USED 3u
#define FIRST_PIN 4u

static bool faulty; /* an ioctl may have failed: figures are off, and nothing else */

/* ---- operands ---- */

static uint8_t some_vector(struct input *in)
{
	static const uint8_t vectors[] = {0x50, 0x51, 0x62, 0x63, 0x74, 0x75, 0x86, 0x87};

	return vectors[in_byte(in) % 8];
}

static uint32_t some_pin(struct input *in)
{
	return FIRST_PIN + in_byte(in) % PINS_USED;
}

static uint64_t some_route(struct input *in)
{
	uint64_t rte = rte_to(in_byte(in) % VCPUS, some_vector(in));
	uint8_t byte = in_byte(in);

	if (byte % 4 == 0) {
		rte &= ~(0xffull << LW_RTE_DEST_SHIFT);
		rte |= LW_RTE_LOGICAL | (uint64_t)(1 + byte % 7) << LW_RTE_DEST_SHIFT;
		rte |= (uint64_t)(byte >> 7) << LW_RTE_DM_SHIFT;
	}
	return rte;
}

/* ---- the guest ---- */

static void reconfigure(struct input *in)
{
	uint32_t pin = some_pin(in);
	uint64_t rte = some_route(in);

	switch (in_byte(in) % 5) {
	case 0: /* as Linux does */
		write_low(pin, rte_at(pin) | LW_RTE_MASK);
		program(pin, rte | LW_RTE_MASK);
		write_low(pin, rte);
		break;
	case 1:
		write_low(pin, rte);
		write_high(pin, rte);
		break;
	case 2:
		write_low(pin, rte_at(pin) ^ LW_RTE_MASK);
		break;
	default:
		program(pin, rte);
	}
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
	default:
		lw_split_msi_free(split, gsi);
	}
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

static void rarely(struct input *in)
{
	uint8_t what = in_byte(in);

	switch (what % 8) {
	case 0:
		faulty = true; /* records that are resolved early are redelivered */
		lw_split_reconcile(split);
		break;
	case 1:
		faulty = true;
		lw_split_reset(split);
		break;
	case 2:
		lw_split_hold(split);
		reconfigure(in);
		lw_split_release(split);
		break;
	case 3:
		lw_split_retry(split);
		break;
	case 4:
		window(in);
		break;
	case 5:
		faulty = true;
		lw_split_notify(split, what >> 3, what & 128);
		break;
	default:
		fail_an_ioctl(in);
	}
}

/* ---- judgement ---- */

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
	lw_split_retry(split);
	for (uint32_t n = 0; n < PINS; n++)
		lw_split_line(split, n, 0, false);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const happens[16])(struct input *) = {
		raise_line,  raise_line, lower_line, send_msi, send_msi, take,
		take,        take,       end,        end,      end,      wait_a_little,
		reconfigure, take,       end,        own_msis,
	};
	struct input in = {data, data + size};
	uint8_t how = in_byte(&in);
	uint64_t operations = 0;

	faulty = how & 2;
	rig_open_with(how & 1 ? SCAN_6_1 : SCAN_6_12,
		      how & 2 ? how >> 2 & LW_SPLIT_FAST : LW_SPLIT_FAST);
	for (; in_more(&in); operations++) {
		uint8_t what = in_byte(&in);

		rig_clock += 1000000;
		if (what >= 0xf8 && how & 0x80)
			rarely(&in);
		else
			happens[what % 16](&in);
		if (operations % 256 == 255) {
			account();
			come_to_rest();
		}
	}
	account();
	come_to_rest();
	rig_close();
	fuzz_count(operations);
	return 0;
}
