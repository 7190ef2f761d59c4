/* SPDX-License-Identifier: MIT */
/* The user backend on a KVM that is played: what it injects, when, and what it makes of exits. */
#include "test.h"

#include <lapwing/kvm_state.h>
#include <lapwing/kvm_user.h>
#include <lapwing/snapshot.h>

#include <errno.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define CPUS    2
#define CPU_FD  100
#define VECTOR  0x50u
#define PIN     16u
#define APIC    0xfee00000u
#define SVR     (APIC + LW_LAPIC_SVR)
#define ICR     (APIC + LW_LAPIC_ICR)
#define TSC_KHZ 2000000

/* What KVM would do at the next KVM_RUN. */
static struct {
	struct kvm_run run[CPUS];
	struct kvm_sregs sregs[CPUS];
	unsigned long fails; /* this ioctl, with EIO */
	int injected;        /* the last KVM_INTERRUPT, or -1 */
	unsigned runs, nmis;
	unsigned parts; /* of an access, each with an exit of its own, that are still to come */
	bool done;      /* … with all of them */
	bool window;    /* asked for at the last KVM_RUN */
	uint64_t cr8;
	void (*next)(struct kvm_run *run);
} kvm;

static struct lw_user *user;

static int fake_ioctl(int fd, unsigned long request, unsigned long argument)
{
	unsigned n = (unsigned)(fd - CPU_FD) % CPUS;

	if (request == kvm.fails) {
		errno = EIO;
		return -1;
	}
	switch (request) {
	case KVM_GET_TSC_KHZ:
		return TSC_KHZ;
	case KVM_GET_MSRS:
		((struct kvm_msrs *)argument)->entries[0].data = 1000;
		return 1;
	case KVM_SET_SREGS:
		kvm.sregs[n] = *(struct kvm_sregs *)argument;
		return 0;
	case KVM_INTERRUPT:
		kvm.injected = (int)((struct kvm_interrupt *)argument)->irq;
		return 0;
	case KVM_NMI:
		kvm.nmis++;
		return 0;
	case KVM_RUN:
		if (kvm.run[n].immediate_exit) {
			if (kvm.parts && kvm.parts--)
				return 0;
			kvm.done = true;
			errno = EINTR;
			return -1;
		}
		kvm.runs++;
		kvm.window = kvm.run[n].request_interrupt_window;
		kvm.cr8 = kvm.run[n].cr8;
		kvm.run[n].exit_reason = KVM_EXIT_INTR;
		kvm.run[n].ready_for_interrupt_injection = 1;
		kvm.run[n].if_flag = 1;
		if (kvm.next)
			kvm.next(&kvm.run[n]);
		return 0;
	default:
		return 0;
	}
}

static const struct lw_kvm_sys fake = {.ioctl = fake_ioctl};

static void on_signal(int number)
{
	(void)number;
}

static struct lw_user_config config(void)
{
	return (struct lw_user_config){.sys = &fake,
				       .kick = SIGRTMIN,
				       .flags = LW_USER_PIC | LW_USER_X2APIC | LW_USER_DEADLINE,
				       .nvcpus = CPUS,
				       .pins = 24,
				       .version = 0x20};
}

static void make(const struct lw_user_config *c)
{
	user = aligned_alloc(LW_USER_ALIGN, lw_user_size(c));
	assert_non_null(user);
	assert_int_equal(lw_user_init(user, c), 0);
	for (uint32_t i = 0; i < CPUS; i++)
		assert_int_equal(lw_user_vcpu(user, i, CPU_FD + (int)i, &kvm.run[i]), 0);
	for (uint32_t i = 0; i < CPUS; i++)
		assert_int_equal(lw_user_bind(user, i), 0);
}

static int setup(void **state)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct lw_user_config c = config();

	(void)state;
	memset(&kvm, 0, sizeof(kvm));
	kvm.injected = -1;
	sigaction(SIGRTMIN, &action, NULL);
	make(&c);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < CPUS; i++)
		lw_user_unbind(user, i);
	lw_user_close(user);
	free(user);
	return 0;
}

/* What the guest does next, as an exit. */
static struct {
	uint64_t address;
	uint32_t value;
} access_next;

static void exit_mmio_write(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = access_next.address;
	run->mmio.is_write = 1;
	run->mmio.len = 4;
	memcpy(run->mmio.data, &access_next.value, 4);
}

static void exit_halt(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_HLT;
}

static void exit_not_ready(struct kvm_run *run)
{
	run->ready_for_interrupt_injection = 0;
	run->if_flag = 0;
}

static void exit_window(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
}

static void step(uint32_t vcpu, void (*next)(struct kvm_run *run))
{
	kvm.next = next;
	assert_int_equal(lw_user_run(user, vcpu), 0);
}

static void guest_write(uint32_t vcpu, uint64_t address, uint32_t value)
{
	access_next.address = address;
	access_next.value = value;
	step(vcpu, exit_mmio_write);
}

static void route_pin(uint32_t pin, uint8_t vector)
{
	guest_write(0, SVR, LW_SVR_ENABLE | 0xff);
	guest_write(0, LW_USER_IOAPIC, 0x10 + 2 * pin);
	guest_write(0, LW_USER_IOAPIC + 0x10, (uint32_t)LW_RTE_LEVEL | vector);
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

static void run_until_injected(void)
{
	for (int i = 0; i < 10 && kvm.injected < 0; i++)
		step(0, NULL);
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

static void start_timer(void)
{
	guest_write(0, SVR, LW_SVR_ENABLE | 0xff);
	guest_write(0, APIC + LW_LAPIC_DCR, 0xb);
	guest_write(0, APIC + LW_LAPIC_LVT_TIMER, VECTOR);
	guest_write(0, APIC + LW_LAPIC_TMICT, 50000000);
}

/* Halts; without the timer a kick ends it after 5 s, lest the test hang. */
static void check_timer_wakes(void)
{
	const struct itimerspec when = {.it_value = {.tv_sec = 5}, .it_interval = {.tv_sec = 1}};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	struct itimerspec left;
	timer_t timer;

	kvm.injected = -1;
	step(0, exit_halt);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &when, NULL), 0);
	run_until_injected();
	assert_int_equal(timer_gettime(timer, &left), 0);
	assert_int_equal(timer_delete(timer), 0);
	assert_int_equal(kvm.injected, VECTOR);
	assert_true(left.it_value.tv_sec >= 1); /* not by the kick */
}

/* Into a new backend, of which no vCPU is bound. */
static void move_chip(void)
{
	size_t size = lw_chip_save(lw_user_chip(user), NULL, 0);
	struct lw_user_config c = config();
	uint32_t mp[CPUS];
	uint8_t *image = malloc(size);

	assert_non_null(image);
	assert_int_equal(lw_chip_save(lw_user_chip(user), image, size), size);
	for (uint32_t i = 0; i < CPUS; i++)
		assert_int_equal(lw_user_get_mp(user, i, &mp[i]), 0);
	teardown(NULL);
	memset(kvm.run, 0, sizeof(kvm.run));
	make(&c);
	for (uint32_t i = 0; i < CPUS; i++)
		lw_user_unbind(user, i);
	assert_int_equal(lw_chip_restore(lw_user_chip(user), image, size), 0);
	for (uint32_t i = 0; i < CPUS; i++)
		assert_int_equal(lw_user_set_mp(user, i, mp[i]), 0);
	free(image);
}

static void test_timer_survives_a_restore(void **state)
{
	(void)state;
	start_timer();
	move_chip();
	assert_int_equal(lw_user_bind(user, 0), 0);
	check_timer_wakes();
}

static void test_timer_survives_another_bind(void **state)
{
	(void)state;
	start_timer();
	lw_user_unbind(user, 0);
	assert_int_equal(lw_user_bind(user, 0), 0);
	check_timer_wakes();
}

static void test_mp_state_survives_a_restore(void **state)
{
	uint32_t mp;

	(void)state;
	guest_write(0, SVR, LW_SVR_ENABLE | 0xff);
	guest_write(0, APIC + LW_LAPIC_ICR2, 1u << 24);
	guest_write(0, ICR, 0x4600 | 0x99);
	step(1, NULL);
	guest_write(0, ICR, 0x4400); /* an NMI that is not taken yet */
	step(0, exit_halt);
	move_chip();
	assert_int_equal(lw_user_get_mp(user, 0, &mp), 0);
	assert_int_equal(mp, LW_USER_MP_HALTED | LW_USER_MP_IF);
	assert_int_equal(lw_user_get_mp(user, 1, &mp), 0);
	assert_int_equal(mp, LW_USER_MP_NMI | LW_USER_MP_IF);
	assert_int_equal(lw_user_bind(user, 1), 0);
	kvm.runs = 0;
	step(1, NULL);
	assert_int_equal(kvm.runs, 1);
	assert_int_equal(kvm.nmis, 1);
	assert_int_equal(lw_user_get_mp(user, CPUS, &mp), -EINVAL);
	assert_int_equal(lw_user_get_mp(user, 0, NULL), -EINVAL);
	assert_int_equal(lw_user_set_mp(user, CPUS, 0), -EINVAL);
	assert_int_equal(lw_user_set_mp(user, 0, 0x80000), -EINVAL);
}

static void test_pending_sipi_survives_a_restore(void **state)
{
	(void)state;
	guest_write(0, APIC + LW_LAPIC_ICR2, 1u << 24);
	guest_write(0, ICR, 0x4600 | 0x99);
	move_chip();
	assert_int_equal(lw_user_bind(user, 1), 0);
	step(1, NULL);
	assert_int_equal(kvm.sregs[1].cs.base, 0x99000);
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

static uint64_t count_of(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};
	uint64_t value = 0;

	if (poll(&p, 1, 0) == 1)
		assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
	return value;
}

static void test_eventfds(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC);
	struct pollfd ready = {lw_user_poll_fd(user), POLLIN, 0};

	(void)state;
	route_pin(PIN, VECTOR);
	assert_int_equal(lw_user_attach(user, PIN, 3, trigger, resample), 0);
	assert_int_equal(lw_user_attach(user, PIN, 3, trigger, resample), -EBUSY);
	assert_int_equal(poll(&ready, 1, 0), 0);
	assert_int_equal(lw_user_serve(user), 0);
	for (unsigned round = 1; round <= 3; round++) {
		eventfd_write(trigger, 1);
		assert_int_equal(poll(&ready, 1, 0), 1);
		assert_int_equal(lw_user_serve(user), 1);
		kvm.injected = -1;
		step(0, NULL);
		assert_int_equal(kvm.injected, VECTOR);
		assert_int_equal(count_of(resample), 0);
		guest_write(0, APIC + LW_LAPIC_EOI, 0);
		assert_int_equal(count_of(resample), 1);
		kvm.injected = -1;
		step(0, NULL);
		assert_int_equal(kvm.injected, -1); /* the EOI lowered the line */
	}
	close(trigger);
	close(resample);
}

static void test_detached_eventfds_are_gone(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC);

	(void)state;
	route_pin(PIN, VECTOR);
	for (unsigned i = 0; i < 2 * LW_USER_EVENTFDS; i++) {
		assert_int_equal(lw_user_attach(user, PIN, 3, trigger, resample), 0);
		assert_int_equal(lw_user_attach(user, PIN, 4, trigger, resample), 0);
		assert_int_equal(lw_user_detach(user, PIN, 4), 0);
		eventfd_write(trigger, 1);
		assert_int_equal(lw_user_serve(user), 1);
		assert_int_equal(lw_user_detach(user, PIN, 3), 0);
		assert_int_equal(lw_user_detach(user, PIN, 3), -ENOENT);
	}
	run_until_injected(); /* it was delivered before */
	guest_write(0, APIC + LW_LAPIC_EOI, 0);
	kvm.injected = -1;
	step(0, NULL);
	assert_int_equal(kvm.injected, -1); /* and the line has fallen */
	eventfd_write(trigger, 1);
	assert_int_equal(lw_user_serve(user), 0);
	assert_int_equal(count_of(trigger), 1);
	assert_int_equal(lw_user_attach(user, PIN, 3, trigger, resample), 0);
	eventfd_write(trigger, 1);
	assert_int_equal(lw_user_serve(user), 1);
	run_until_injected();
	guest_write(0, APIC + LW_LAPIC_EOI, 0);
	assert_int_equal(count_of(resample), 1);
	close(trigger);
	close(resample);
}

/* Whoever has the other end may fill it, and must not stop a vCPU by it. */
static void test_a_full_eventfd_stops_nobody(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC);

	(void)state;
	route_pin(PIN, VECTOR);
	assert_int_equal(lw_user_attach(user, PIN, 3, trigger, resample), 0);
	assert_int_equal(eventfd_write(resample, UINT64_MAX - 1), 0);
	eventfd_write(trigger, 1);
	assert_int_equal(lw_user_serve(user), 1);
	run_until_injected();
	alarm(20);
	guest_write(0, APIC + LW_LAPIC_EOI, 0);
	alarm(0);
	close(trigger);
	close(resample);
}

static void test_eventfds_survive_a_restore(void **state)
{
	int trigger = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC);
	uint8_t image[65536];
	size_t size;
	uint32_t mp;

	(void)state;
	route_pin(PIN, VECTOR);
	size = lw_chip_save(lw_user_chip(user), image, sizeof(image));
	assert_true(size <= sizeof(image));
	assert_int_equal(lw_user_attach(user, PIN, 3, trigger, resample), 0);
	assert_int_equal(lw_user_get_mp(user, 0, &mp), 0);
	assert_int_equal(lw_chip_restore(lw_user_chip(user), image, size), 0);
	assert_int_equal(lw_user_set_mp(user, 0, mp), 0);
	eventfd_write(trigger, 1);
	assert_int_equal(lw_user_serve(user), 1);
	run_until_injected();
	guest_write(0, APIC + LW_LAPIC_EOI, 0);
	assert_int_equal(count_of(resample), 1);
	kvm.injected = -1;
	step(0, NULL);
	assert_int_equal(kvm.injected, -1);
	close(trigger);
	close(resample);
}

static int lazy_setup(void **state)
{
	struct lw_user_config c = config();

	setup(state);
	teardown(state);
	c.flags |= LW_USER_LAZY;
	make(&c);
	return 0;
}

/* With the vCPUs' threads gone anybody may ask what has become of a delivery that was let go. */
static void test_what_was_let_go_is_settled_once_unbound(void **state)
{
	struct kvm_ioapic_state io;

	(void)state;
	route_pin(PIN, VECTOR);
	assert_int_equal(lw_user_line(user, PIN, 0, true), 0);
	run_until_injected();
	assert_int_equal(lw_user_line(user, PIN, 0, false), 0);
	guest_write(0, APIC + LW_LAPIC_EOI, 0);
	assert_int_equal(lw_user_counters(user).eoi.necessary, 0); /* it stayed inside */
	lw_user_unbind(user, 0);
	assert_int_equal(lw_kvm_chip_ioapic_export(lw_user_chip(user), 0, &io), 0);
	assert_false(io.redirtbl[PIN].bits & LW_RTE_REMOTE_IRR);
}

static struct {
	uint8_t bytes[64]; /* behind kvm_run, as io.data_offset says */
} port_data;

static void guest_out(uint16_t port, uint8_t value)
{
	struct kvm_run *run = &kvm.run[0];

	access_next.address = port;
	port_data.bytes[0] = value;
	run->io.data_offset = (uint64_t)((uint8_t *)&port_data - (uint8_t *)run);
	run->io.port = port;
	run->io.size = 1;
	run->io.count = 1;
	run->io.direction = KVM_EXIT_IO_OUT;
}

static void exit_port(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_IO;
}

static void test_8259(void **state)
{
	static const uint8_t setup_writes[][2] = {
		{0x20, 0x11}, {0x21, 0x30}, {0x21, 0x04}, {0x21, 0x01}, {0x21, 0x00}};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		guest_out(setup_writes[i][0], setup_writes[i][1]);
		step(0, exit_port);
	}
	lw_user_line(user, 4, 0, true);
	step(0, NULL);
	step(0, NULL);
	assert_int_equal(kvm.injected, 0x34);
	guest_out(0x3f8, 'x');
	kvm.next = exit_port;
	assert_int_equal(lw_user_run(user, 0), 1); /* not the backend's */
}

static void test_8259_resamples(void **state)
{
	static const uint8_t setup_writes[][2] = {
		{0x20, 0x11}, {0x21, 0x30}, {0x21, 0x04}, {0x21, 0x01}, {0x21, 0x00}};
	int trigger = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC);

	(void)state;
	for (unsigned i = 0; i < sizeof(setup_writes) / 2; i++) {
		guest_out(setup_writes[i][0], setup_writes[i][1]);
		step(0, exit_port);
	}
	guest_out(LW_PIC_PORT_ELCR, 1u << 5);
	step(0, exit_port);
	assert_int_equal(lw_user_attach(user, 5, 3, trigger, resample), 0);
	for (unsigned round = 0; round < 3; round++) {
		eventfd_write(trigger, 1);
		assert_int_equal(lw_user_serve(user), 1);
		run_until_injected();
		assert_int_equal(kvm.injected, 0x35);
		assert_int_equal(count_of(resample), 0);
		guest_out(0x20, 0x20);
		step(0, exit_port);
		assert_int_equal(count_of(resample), 1);
		kvm.injected = -1;
		step(0, NULL);
		step(0, NULL);
		assert_int_equal(kvm.injected, -1);
	}
	close(trigger);
	close(resample);
}

static void test_a_bind_that_fails_leaves_nothing(void **state)
{
	(void)state;
	lw_user_unbind(user, 0);
	kvm.fails = KVM_GET_MSRS;
	assert_int_equal(lw_user_bind(user, 0), -EIO);
	assert_int_equal(lw_user_run(user, 0), -EINVAL);
	kvm.fails = 0;
	assert_int_equal(lw_user_bind(user, 0), 0);
}

static void test_refuses_a_vcpu_that_is_not_bound(void **state)
{
	(void)state;
	lw_user_unbind(user, 0);
	lw_user_unbind(user, 0);
	lw_user_unbind(user, CPUS);
	lw_user_unbind(user, UINT32_MAX);
	assert_int_equal(lw_user_run(user, 0), -EINVAL);
	assert_int_equal(lw_user_run(user, CPUS), -EINVAL);
	assert_int_equal(lw_user_run(user, UINT32_MAX), -EINVAL);
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
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
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
		CASE(test_eventfds),
		CASE(test_8259),
		CASE(test_timer_survives_a_restore),
		CASE(test_timer_survives_another_bind),
		CASE(test_mp_state_survives_a_restore),
		CASE(test_pending_sipi_survives_a_restore),
		CASE(test_eventfds_survive_a_restore),
		CASE(test_8259_resamples),
		CASE(test_a_full_eventfd_stops_nobody),
		CASE(test_detached_eventfds_are_gone),
		cmocka_unit_test_setup_teardown(test_what_was_let_go_is_settled_once_unbound,
						lazy_setup, teardown),
		CASE(test_a_bind_that_fails_leaves_nothing),
		CASE(test_refuses_a_vcpu_that_is_not_bound),
		CASE(test_tells_what_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
