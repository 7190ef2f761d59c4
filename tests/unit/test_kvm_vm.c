/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "kvm/vm.h"

#include <string.h>
#include <unistd.h>

#define DEVICE "/dev/kvm"
#define VECTOR 0x60

static struct lw_kvm kvm;
static struct lw_vm vm;
static struct lw_reason reason;
static bool made;

static void begin(enum lw_vm_irqchip irqchip)
{
	if (lw_kvm_open(&kvm, DEVICE, &lw_kvm_host, &reason) < 0)
		lw_test_skip(reason.text);
	made = true;
	if (lw_vm_create(&vm, &kvm, irqchip, &reason) == 0)
		return;
	print_message("# %s\n", reason.text);
	fail();
}

static int end(void **state)
{
	(void)state;
	if (made) {
		assert_true(lw_vm_destroy(&vm));
		close(kvm.fd);
	}
	made = false;
	return 0;
}

/* Takes one MSI on the vCPU that is stopped. */
static void take_one(unsigned cpu)
{
	assert_int_equal(lw_vm_msi(&vm, cpu, VECTOR, false, &reason), 0);
	assert_int_equal(lw_vm_step(&vm, cpu, LW_VM_SERVICE, VECTOR, NULL, &reason), 0);
	assert_int_equal(lw_vm_step(&vm, cpu, LW_VM_DONE, VECTOR, NULL, &reason), 0);
}

static void an_msi_is_served_on_either_vcpu(void **state)
{
	(void)state;
	begin(LW_VM_SPLIT);
	take_one(0);
	take_one(1);
	assert_int_equal(lw_vm_eoi_exits(&vm, 0, VECTOR), 0);
}

static void the_guest_writes_the_rte(void **state)
{
	struct lw_guest_mailbox *mailbox;
	bool remote_irr = true;

	(void)state;
	begin(LW_VM_INKERNEL);
	mailbox = lw_vm_mailbox(&vm, 0);
	mailbox->write[0].reg = 0x10 + 2 * 20;
	mailbox->write[0].value = 1u << 15 | VECTOR;
	mailbox->writes = 1;
	take_one(0);
	assert_int_equal(mailbox->writes, 0);
	assert_int_equal(lw_vm_line(&vm, 20, true, &reason), 0);
	assert_int_equal(lw_vm_remote_irr(&vm, 20, &remote_irr, &reason), 0);
	assert_true(remote_irr);
}

static void a_silent_guest_is_given_up(void **state)
{
	(void)state;
	begin(LW_VM_SPLIT);
	vm.patience = 1;
	assert_true(lw_vm_step(&vm, 0, LW_VM_DONE, VECTOR, NULL, &reason) < 0);
	assert_non_null(strstr(reason.text, "vCPU 0 did nothing for 1 s"));
}

static void another_word_than_expected_is_an_error(void **state)
{
	(void)state;
	begin(LW_VM_SPLIT);
	assert_int_equal(lw_vm_msi(&vm, 0, VECTOR, false, &reason), 0);
	assert_true(lw_vm_step(&vm, 0, LW_VM_DONE, VECTOR, NULL, &reason) < 0);
	assert_non_null(strstr(reason.text, "in service instead of"));
}

static void an_exception_in_the_guest_is_told(void **state)
{
	static const uint8_t ud2[] = {0x0f, 0x0b};

	(void)state;
	begin(LW_VM_SPLIT);
	/* Over the handler's first instruction. */
	memcpy(vm.ram + LW_GUEST_CODE + VECTOR * 16, ud2, sizeof(ud2));
	assert_int_equal(lw_vm_msi(&vm, 0, VECTOR, false, &reason), 0);
	assert_true(lw_vm_step(&vm, 0, LW_VM_SERVICE, VECTOR, NULL, &reason) < 0);
	assert_non_null(strstr(reason.text, "the guest took exception 6"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(an_msi_is_served_on_either_vcpu, end),
		cmocka_unit_test_teardown(the_guest_writes_the_rte, end),
		cmocka_unit_test_teardown(a_silent_guest_is_given_up, end),
		cmocka_unit_test_teardown(another_word_than_expected_is_an_error, end),
		cmocka_unit_test_teardown(an_exception_in_the_guest_is_told, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
