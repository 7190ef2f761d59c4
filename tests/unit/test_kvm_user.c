/* SPDX-License-Identifier: MIT */
/* The user backend on a KVM that is played: what it injects, when, and what it makes of exits.
 * test_kvm_user_bind.c has vCPUs that are left and restored, test_kvm_user_event.c eventfds. */
#include "kvm_user_rig.h"

#include <pthread.h>
#include <time.h>

static void exit_not_ready(struct kvm_run *run)
{
	run->ready_for_interrupt_injection = 0;
	run->if_flag = 0;
}

static void exit_window(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
}

static void test_refuses(void **state)
{
	struct lw_user_config c = config();

	(void)state;
	c.nvcpus = 0;
	assert_int_equal(lw_user_size(&c), 0);
	c.nvcpus = 5000;
	assert_int_equal(lw_user_size(&c), 0);
	c.nvcpus = 256;
	c.flags = 0;
	assert_int_equal(lw_user_size(&c), 0);
	c = config();
	c.pins = 23;
	assert_int_equal(lw_user_size(&c), 0);
	c = config();
	c.flags = 1u << 31;
	assert_int_equal(lw_user_size(&c), 0);
	c = config();
	assert_int_equal(lw_user_init((void *)((uint8_t *)user + 1), &c), -EINVAL);
	assert_int_equal(lw_user_vcpu(user, CPUS, CPU_FD, &kvm.run[0]), -EINVAL);
	assert_int_equal(lw_user_vcpu(user, 0, CPU_FD, &kvm.run[0]), -EEXIST);
	assert_int_equal(lw_user_bind(user, 0), -EBUSY);
	assert_int_equal(lw_user_bind(user, CPUS), -EINVAL);
	assert_int_equal(lw_user_line(user, 24, 0, true), -EINVAL);
	assert_int_equal(lw_user_attach(user, 24, 0, 0, 0), -EINVAL);
	assert_int_equal(lw_user_attach(user, PIN, 0, -1, -1), -EBADF);
	assert_int_equal(lw_user_msi(user, 0, 0), -EINVAL);
}

static void check_cpuid(uint32_t wanted_ecx)
{
	uint32_t room[(sizeof(struct kvm_cpuid2) + 2 * sizeof(struct kvm_cpuid_entry2)) / 4] = {2};
	struct kvm_cpuid2 *cpuid = (struct kvm_cpuid2 *)room;

	cpuid->entries[0].function = 1;
	cpuid->entries[0].ecx = 1u << 21 | 1;
	cpuid->entries[1].function = 0x40000001;
	cpuid->entries[1].eax = 0xffffffff;
	lw_user_cpuid(user, cpuid);
	assert_int_equal(cpuid->entries[0].ecx, wanted_ecx);
	assert_false(cpuid->entries[1].eax & 1u << 6); /* paravirtual EOI */
	assert_true(cpuid->entries[1].eax & 1u << 3);  /* kvm-clock */
}

static void test_offers_what_the_kernel_can(void **state)
{
	(void)state;
	check_cpuid(1u << 24 | 1u << 21 | 1);
	assert_int_equal(lw_user_flags(user), config().flags);
}

static void test_hides_what_it_cannot(void **state)
{
	const unsigned long missing[] = {KVM_ENABLE_CAP, KVM_X86_SET_MSR_FILTER};
	struct lw_user_config c = config();

	for (unsigned i = 0; i < 2; i++) {
		teardown(state);
		memset(&kvm, 0, sizeof(kvm));
		kvm.fails = missing[i];
		make(&c);
		check_cpuid(1);
		assert_int_equal(lw_user_flags(user), LW_USER_PIC);
	}
}

static void test_injects_when_the_guest_can(void **state)
{
	(void)state;
	route_pin(PIN, VECTOR);
	step(0, exit_not_ready);
	assert_int_equal(lw_user_line(user, PIN, 0, true), 0);
	step(0, exit_window);
	assert_true(kvm.window);
	assert_int_equal(kvm.injected, -1);
	step(0, NULL);
	assert_int_equal(kvm.injected, VECTOR);
	assert_false(kvm.window);
	lw_user_line(user, PIN, 0, false);
	guest_write(0, APIC + LW_LAPIC_EOI, 0);
	assert_int_equal(lw_user_counters(user).eoi.necessary, 1);
	assert_int_equal(lw_user_counters(user).windows, 1);
}

static void test_a_vector_that_kvm_refuses_is_kept(void **state)
{
	(void)state;
	route_pin(PIN, VECTOR);
	step(0, NULL);
	lw_user_line(user, PIN, 0, true);
	kvm.fails = KVM_INTERRUPT;
	assert_int_equal(lw_user_run(user, 0), -EIO);
	assert_int_equal(kvm.injected, -1);
	kvm.fails = 0;
	step(0, NULL);
	assert_int_equal(kvm.injected, VECTOR);
	kvm.injected = -1;
	step(0, NULL);
	assert_int_equal(kvm.injected, -1);
}

static void lower_cr8(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_SET_TPR;
	run->cr8 = 4;
}

static void raise_cr8(struct kvm_run *run)
{
	run->cr8 = 5;
}

static void test_cr8_holds_back(void **state)
{
	(void)state;
	route_pin(PIN, VECTOR);
	step(0, raise_cr8);
	lw_user_line(user, PIN, 0, true);
	step(0, lower_cr8);
	assert_int_equal(kvm.cr8, 5);
	assert_int_equal(kvm.injected, -1);
	assert_false(kvm.window);
	step(0, NULL);
	assert_int_equal(kvm.injected, VECTOR);
}

static void test_starts_others(void **state)
{
	(void)state;
	guest_write(0, APIC + LW_LAPIC_ICR2, 1u << 24);
	guest_write(0, ICR, 0x4600 | 0x99); /* start-up without INIT before: it waits for SIPI */
	kvm.runs = 0;
	step(1, NULL);
	assert_int_equal(kvm.runs, 1);
	assert_int_equal(kvm.sregs[1].cs.base, 0x99000);
	assert_int_equal(kvm.sregs[1].cs.selector, 0x9900);
	/* Running, it takes no SIPI, but an NMI, and INIT with SIPI. */
	guest_write(0, ICR, 0x4600 | 0x77);
	guest_write(0, ICR, 0x4400);
	step(1, NULL);
	assert_int_equal(kvm.sregs[1].cs.base, 0x99000);
	assert_int_equal(kvm.nmis, 1);
	guest_write(0, ICR, 0x4500);
	guest_write(0, ICR, 0x4600 | 0x88);
	step(1, NULL);
	assert_int_equal(kvm.sregs[1].cs.base, 0x88000);
}

/* An access in two parts, with an exit for each, ends before INIT, and not in what comes after. */
static void test_init_comes_after_all_of_an_access(void **state)
{
	(void)state;
	guest_write(0, APIC + LW_LAPIC_ICR2, 1u << 24);
	guest_write(0, ICR, 0x4600 | 0x99);
	step(1, NULL);
	guest_write(0, ICR, 0x4500);
	guest_write(0, ICR, 0x4600 | 0x88);
	kvm.parts = 1;
	kvm.done = false;
	step(1, NULL);
	assert_true(kvm.done);
	/* And the longest that KVM makes of a string; one without end keeps nobody. */
	guest_write(0, ICR, 0x4500);
	guest_write(0, ICR, 0x4600 | 0x88);
	kvm.parts = 4096;
	kvm.done = false;
	step(1, NULL);
	assert_true(kvm.done);
	guest_write(0, ICR, 0x4500);
	guest_write(0, ICR, 0x4600 | 0x88);
	kvm.parts = 1000000;
	step(1, NULL);
	assert_true(kvm.parts > 900000);
	assert_int_equal(kvm.run[1].immediate_exit, 0);
}

static void test_halts_until_an_interrupt(void **state)
{
	(void)state;
	route_pin(PIN, VECTOR);
	step(0, exit_halt);
	lw_user_line(user, PIN, 0, true);
	step(0, NULL); /* finds it, and does not sleep */
	assert_int_equal(lw_user_counters(user).halts, 0);
	step(0, NULL);
	assert_int_equal(kvm.injected, VECTOR);
}

static void *raise_later(void *unused)
{
	const struct timespec pause = {0, 20000000};

	(void)unused;
	nanosleep(&pause, NULL);
	lw_user_line(user, PIN, 0, true);
	return NULL;
}

static void test_wakes_for_another_thread(void **state)
{
	pthread_t thread;

	(void)state;
	route_pin(PIN, VECTOR);
	step(0, exit_halt);
	pthread_create(&thread, NULL, raise_later, NULL);
	run_until_injected();
	pthread_join(thread, NULL);
	assert_int_equal(kvm.injected, VECTOR);
	assert_int_equal(lw_user_counters(user).halts, 1);
	assert_int_equal(lw_user_counters(user).kicks, 1);
}

static void test_wakes_for_the_timer(void **state)
{
	(void)state;
	guest_write(0, SVR, LW_SVR_ENABLE | 0xff);
	guest_write(0, APIC + LW_LAPIC_DCR, 0xb);
	guest_write(0, APIC + LW_LAPIC_LVT_TIMER, VECTOR);
	guest_write(0, APIC + LW_LAPIC_TMICT, 20000000);
	step(0, exit_halt);
	run_until_injected();
	assert_int_equal(kvm.injected, VECTOR);
	assert_int_equal(lw_user_counters(user).halts, 1);
}

static void exit_wrmsr(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_X86_WRMSR;
	run->msr.index = (uint32_t)access_next.address;
	run->msr.data = access_next.value;
}

static void exit_rdmsr(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_X86_RDMSR;
	run->msr.index = (uint32_t)access_next.address;
}

static int guest_msr(uint32_t vcpu, bool write, uint32_t msr, uint32_t value)
{
	access_next.address = msr;
	access_next.value = value;
	step(vcpu, write ? exit_wrmsr : exit_rdmsr);
	return kvm.run[vcpu].msr.error;
}

static void test_msrs(void **state)
{
	(void)state;
	assert_int_equal(guest_msr(0, false, 0x802, 0), 1); /* not in x2APIC mode */
	assert_int_equal(guest_msr(0, true, LW_MSR_APIC_BASE, APIC | 0xd00), 0);
	assert_int_equal(guest_msr(0, false, 0x803, 0), 0);
	assert_int_not_equal(kvm.run[0].msr.data, 0);
	assert_int_equal(guest_msr(0, false, 0x8ff, 0), 1);
	assert_int_equal(guest_msr(0, true, 0x802, 0), 1);
	assert_int_equal(guest_msr(0, false, 0x12345678, 0), 1); /* KVM refused it, so it comes */
	/* The page is gone. */
	access_next.address = SVR;
	kvm.next = exit_mmio_write;
	assert_int_equal(lw_user_run(user, 0), 1);
	/* TSC-deadline mode, by MSR. */
	assert_int_equal(guest_msr(0, true, 0x80f, LW_SVR_ENABLE | 0xff), 0);
	assert_int_equal(guest_msr(0, true, 0x832, 2u << 17 | VECTOR), 0);
	assert_int_equal(guest_msr(0, true, LW_MSR_TSC_DEADLINE, 1000 + TSC_KHZ / 100), 0);
	step(0, exit_halt);
	run_until_injected();
	assert_int_equal(kvm.injected, VECTOR);
}

static void test_8259(void **state)
{
	(void)state;
	start_8259();
	lw_user_line(user, 4, 0, true);
	step(0, NULL);
	step(0, NULL);
	assert_int_equal(kvm.injected, 0x34);
	guest_out(0x3f8, 'x');
	kvm.next = exit_port;
	assert_int_equal(lw_user_run(user, 0), 1); /* not the backend's */
}

static void test_tells_what_fails(void **state)
{
	struct kvm_run run;

	(void)state;
	route_pin(PIN, VECTOR);
	step(0, NULL);
	lw_user_line(user, PIN, 0, true);
	kvm.fails = KVM_INTERRUPT;
	assert_int_equal(lw_user_run(user, 0), -EIO);
	kvm.fails = KVM_RUN;
	assert_int_equal(lw_user_run(user, 0), -EIO);
	teardown(NULL);
	user = aligned_alloc(LW_USER_ALIGN, lw_user_size(&(struct lw_user_config){
						    .nvcpus = 1, .pins = 24, .version = 0x11}));
	assert_int_equal(lw_user_init(user, &(struct lw_user_config){.sys = &fake,
								     .nvcpus = 1,
								     .pins = 24,
								     .version = 0x11}),
			 0);
	kvm.fails = KVM_GET_SREGS;
	assert_int_equal(lw_user_vcpu(user, 0, CPU_FD, &run), -EIO);
	kvm.fails = 0;
	lw_user_close(user);
	free(user);
	setup(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_refuses),
		CASE(test_offers_what_the_kernel_can),
		CASE(test_hides_what_it_cannot),
		CASE(test_injects_when_the_guest_can),
		CASE(test_a_vector_that_kvm_refuses_is_kept),
		CASE(test_cr8_holds_back),
		CASE(test_starts_others),
		CASE(test_init_comes_after_all_of_an_access),
		CASE(test_halts_until_an_interrupt),
		CASE(test_wakes_for_another_thread),
		CASE(test_wakes_for_the_timer),
		CASE(test_msrs),
		CASE(test_8259),
		CASE(test_tells_what_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
