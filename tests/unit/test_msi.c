/* SPDX-License-Identifier: MIT */
#include "test.h"

#include <errno.h>
#include <lapwing/msi.h>
#include <string.h>

#define BASE 0xfee00000ull

static const struct lw_msg untouched = {0xdeadbeef, 0xaa, 0xbb, true, true};

static void assert_same(const struct lw_msg *a, const struct lw_msg *b)
{
	assert_int_equal(a->dest, b->dest);
	assert_int_equal(a->vector, b->vector);
	assert_int_equal(a->delivery, b->delivery);
	assert_int_equal(a->logical, b->logical);
	assert_int_equal(a->level, b->level);
}

static void each_field_is_decoded(void **state)
{
	struct lw_msg msg;

	(void)state;
	assert_int_equal(lw_msi_decode(BASE | 0xab << 12, 0x31, 0, &msg), 0);
	assert_same(&msg, &(struct lw_msg){.dest = 0xab, .vector = 0x31});
	assert_int_equal(lw_msi_decode(BASE | 1 << 2 | 3 << 12, 0x1fe, 0, &msg), 0);
	assert_same(&msg,
		    &(struct lw_msg){
			    .dest = 3, .vector = 0xfe, .delivery = LW_DM_LOWEST, .logical = true});
	assert_int_equal(lw_msi_decode(BASE, 0xc041, 0, &msg), 0);
	assert_same(&msg, &(struct lw_msg){.vector = 0x41, .level = true});
	assert_int_equal(lw_msi_decode(BASE, 0x400, 0, &msg), 0);
	assert_int_equal(msg.delivery, LW_DM_NMI);
}

/* propolis#956: more than 254 vCPUs. */
static void bits_11_to_5_count_only_where_asked_for(void **state)
{
	struct lw_msg msg;

	(void)state;
	assert_int_equal(lw_msi_decode(BASE | 0x34 << 12 | 0x12 << 5, 0x31, 0, &msg), 0);
	assert_int_equal(msg.dest, 0x34);
	assert_int_equal(lw_msi_decode(BASE | 0x34 << 12 | 0x12 << 5, 0x31, LW_MSI_EXT_DEST, &msg),
			 0);
	assert_int_equal(msg.dest, 0x1234);
}

static uint8_t delivery_of(uint32_t address, uint32_t data)
{
	struct lw_msg msg;

	assert_int_equal(lw_msi_decode(BASE | address, data, 0, &msg), 0);
	return msg.delivery;
}

static void the_redirection_hint_picks_one_of_a_logical_destination(void **state)
{
	(void)state;
	assert_int_equal(delivery_of(1 << 2 | 1 << 3, 0x31), LW_DM_LOWEST);
	assert_int_equal(delivery_of(1 << 2 | 1 << 3, 0x131), LW_DM_LOWEST);
	assert_int_equal(delivery_of(1 << 2 | 1 << 3, 0x431), LW_DM_NMI);
	assert_int_equal(delivery_of(1 << 3, 0x31), LW_DM_FIXED);
	assert_int_equal(delivery_of(1 << 2, 0x31), LW_DM_FIXED);
}

/* Found by the differential test. */
static void an_nmi_has_no_deassert(void **state)
{
	(void)state;
	assert_int_equal(delivery_of(0, 0x8431), LW_DM_NMI);
	assert_int_equal(delivery_of(0, 0x8531), LW_DM_INIT);
	assert_int_equal(delivery_of(0, 0x8700), LW_DM_EXTINT);
}

static void refuse(uint64_t address, uint32_t data)
{
	struct lw_msg msg = untouched;

	assert_int_equal(lw_msi_decode(address, data, 0, &msg), -EINVAL);
	assert_same(&msg, &untouched);
}

static void what_is_no_msi_is_refused_and_leaves_the_message_alone(void **state)
{
	(void)state;
	refuse(0xfed00000, 0x31);
	refuse(0xfef00000, 0x31);
	refuse(0x1fee00000ull, 0x31);
	refuse(BASE | 1 << 4, 0x31); /* remappable */
	refuse(BASE, 0x331);         /* reserved delivery mode */
	refuse(BASE, 0x631);         /* SIPI is no MSI */
	refuse(BASE, 0x8031);        /* level, de-assert */
	refuse(BASE, 0x8131);
	assert_int_equal(lw_msi_decode(BASE, 0x31, 0, NULL), -EINVAL);
}

static void try_round_trip(const struct lw_msg *msg, unsigned flags)
{
	struct lw_msg back;
	uint64_t address;
	uint32_t data;

	assert_int_equal(lw_msi_encode(msg, flags, &address, &data), 0);
	assert_int_equal(lw_msi_decode(address, data, flags, &back), 0);
	assert_same(&back, msg);
}

static void encode_is_the_reverse_of_decode(void **state)
{
	static const uint8_t modes[] = {LW_DM_FIXED, LW_DM_LOWEST, LW_DM_SMI,
					LW_DM_NMI,   LW_DM_INIT,   LW_DM_EXTINT};

	(void)state;
	for (size_t n = 0; n < sizeof(modes) * 4; n++) {
		struct lw_msg msg = {.dest = 0x5a,
				     .vector = (uint8_t)(16 + n * 9),
				     .delivery = modes[n / 4],
				     .logical = n & 1,
				     .level = (n & 2) != 0};

		try_round_trip(&msg, 0);
		msg.dest = 0x7fff;
		try_round_trip(&msg, LW_MSI_EXT_DEST);
	}
}

static void refuse_encode(const struct lw_msg *msg, unsigned flags)
{
	uint64_t address = 7;
	uint32_t data = 9;

	assert_int_equal(lw_msi_encode(msg, flags, &address, &data), -EINVAL);
	assert_int_equal(address, 7);
	assert_int_equal(data, 9);
}

static void what_does_not_fit_is_not_encoded(void **state)
{
	struct lw_msg msg = {.vector = 0x31};
	uint64_t address;
	uint32_t data;

	(void)state;
	refuse_encode(&(struct lw_msg){.dest = 256}, 0);
	refuse_encode(&(struct lw_msg){.dest = 32768}, LW_MSI_EXT_DEST);
	refuse_encode(&(struct lw_msg){.delivery = LW_DM_RESERVED}, 0);
	refuse_encode(&(struct lw_msg){.delivery = LW_DM_SIPI}, 0);
	refuse_encode(&(struct lw_msg){.delivery = 8}, 0);
	refuse_encode(NULL, 0);
	assert_int_equal(lw_msi_encode(&msg, 0, NULL, &data), -EINVAL);
	assert_int_equal(lw_msi_encode(&msg, 0, &address, NULL), -EINVAL);
}

/* Whatever a guest puts into its capability: decoded to something that encodes, or refused. */
static void any_address_and_data_are_survived(void **state)
{
	uint32_t random = 1;

	(void)state;
	for (int n = 0; n < 20000; n++) {
		struct lw_msg msg;
		uint64_t address = BASE;

		random = random * 1664525u + 1013904223u;
		address |= random >> 12;
		random = random * 1664525u + 1013904223u;
		if (lw_msi_decode(address, random, LW_MSI_EXT_DEST, &msg) == 0)
			try_round_trip(&msg, LW_MSI_EXT_DEST);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_is_decoded),
		cmocka_unit_test(bits_11_to_5_count_only_where_asked_for),
		cmocka_unit_test(the_redirection_hint_picks_one_of_a_logical_destination),
		cmocka_unit_test(an_nmi_has_no_deassert),
		cmocka_unit_test(what_is_no_msi_is_refused_and_leaves_the_message_alone),
		cmocka_unit_test(encode_is_the_reverse_of_decode),
		cmocka_unit_test(what_does_not_fit_is_not_encoded),
		cmocka_unit_test(any_address_and_data_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
