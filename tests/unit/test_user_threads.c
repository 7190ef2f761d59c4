/* SPDX-License-Identifier: MIT */
/*
 * An assigned device's level interrupts through an eventfd pair and the user backend, with the
 * device, the reader of its eventfd and two vCPUs each in a thread of its own. KVM is played: a
 * vCPU that has been given the vector asks the device, moves the pin to the other vCPU or to
 * itself, and ends the interrupt. Meant for ThreadSanitizer, too.
 */
#include "test.h"

#include <lapwing/kvm_user.h>

#include <errno.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CPUS    2u
#define CPU_FD  100
#define VECTOR  0x50
#define PIN     16u
#define APIC    0xfee00000u
#define PATIENT 20000 /* ms */

struct write {
	uint64_t address;
	uint32_t value;
};

/* A vCPU's guest: the writes it has still to make, one an exit. */
struct guest {
	struct kvm_run run;
	struct write todo[8];
	unsigned left;
	int injected;
	uint32_t seed;
};

static struct guest guests[CPUS];
static struct lw_user *user;
static int trigger, resample;
static _Atomic(int) wants_service;
static _Atomic(uint64_t) served, doubled;
static _Atomic(bool) over;

static void add(struct guest *g, uint64_t address, uint32_t value)
{
	g->todo[g->left++] = (struct write){address, value};
}

/* The handler. Writes are made from the last to the first. */
static void take(struct guest *g)
{
	g->injected = -1;
	if (atomic_exchange(&wants_service, 0))
		served++;
	else
		doubled++;
	g->seed = g->seed * 1103515245 + 12345;
	add(g, APIC + LW_LAPIC_EOI, 0);
	if (g->seed >> 16 & 1) {
		add(g, LW_USER_IOAPIC + 0x10, (g->seed >> 17 & 1) << 24);
		add(g, LW_USER_IOAPIC, 0x11 + 2 * PIN);
	}
}

static void run(struct guest *g)
{
	struct kvm_run *r = &g->run;

	r->if_flag = r->ready_for_interrupt_injection = 1;
	if (g->left == 0 && g->injected >= 0)
		take(g);
	if (g->left == 0) {
		r->exit_reason = KVM_EXIT_HLT;
		return;
	}
	g->left--;
	r->exit_reason = KVM_EXIT_MMIO;
	r->mmio.phys_addr = g->todo[g->left].address;
	r->mmio.is_write = 1;
	r->mmio.len = 4;
	memcpy(r->mmio.data, &g->todo[g->left].value, 4);
	r->if_flag = r->ready_for_interrupt_injection = g->left == 0;
}

static int fake_ioctl(int fd, unsigned long request, unsigned long argument)
{
	struct guest *g = &guests[(unsigned)(fd - CPU_FD) % CPUS];

	if (request == KVM_INTERRUPT)
		g->injected = (int)((struct kvm_interrupt *)argument)->irq;
	else if (request == KVM_RUN && g->run.immediate_exit)
		return errno = EINTR, -1;
	else if (request == KVM_RUN)
		run(g);
	return 0;
}

static void on_signal(int number)
{
	(void)number;
}

static void *vcpu_thread(void *argument)
{
	uint32_t n = *(uint32_t *)argument;

	if (lw_user_bind(user, n) < 0)
		return NULL;
	while (!over)
		(void)lw_user_run(user, n);
	lw_user_unbind(user, n);
	return NULL;
}

static void *event_thread(void *unused)
{
	struct pollfd ready = {lw_user_poll_fd(user), POLLIN, 0};

	(void)unused;
	while (!over) {
		if (poll(&ready, 1, 50) > 0)
			(void)lw_user_serve(user);
	}
	return NULL;
}

static uint64_t interrupt(uint64_t times)
{
	struct pollfd told = {resample, POLLIN, 0};
	uint64_t value, done = 0;

	for (; done < times; done++) {
		wants_service = 1;
		eventfd_write(trigger, 1);
		if (poll(&told, 1, PATIENT) != 1 || read(resample, &value, sizeof(value)) < 0)
			break;
		if (wants_service)
			break;
	}
	return done;
}

static void make(void)
{
	static const struct lw_kvm_sys fake = {.ioctl = fake_ioctl};
	const struct lw_user_config config = {.sys = &fake,
					      .kick = SIGRTMIN,
					      .flags = LW_USER_LAZY,
					      .nvcpus = CPUS,
					      .pins = 24,
					      .version = 0x20};
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGRTMIN, &action, NULL);
	user = aligned_alloc(LW_USER_ALIGN, lw_user_size(&config));
	assert_non_null(user);
	assert_int_equal(lw_user_init(user, &config), 0);
	for (uint32_t i = 0; i < CPUS; i++) {
		guests[i] = (struct guest){.injected = -1, .seed = i};
		assert_int_equal(lw_user_vcpu(user, i, CPU_FD + (int)i, &guests[i].run), 0);
		add(&guests[i], APIC + LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);
	}
	/* Begins at the top: enable, route the pin, start vCPU 1. */
	add(&guests[0], LW_USER_IOAPIC + 0x10, (uint32_t)LW_RTE_LEVEL | VECTOR);
	add(&guests[0], LW_USER_IOAPIC, 0x10 + 2 * PIN);
	add(&guests[0], APIC + LW_LAPIC_ICR, 0x4600 | 0x10);
	add(&guests[0], APIC + LW_LAPIC_ICR2, 1u << 24);
	trigger = eventfd(0, EFD_CLOEXEC);
	resample = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(lw_user_attach(user, PIN, 0, trigger, resample), 0);
}

static void no_interrupt_is_lost_or_doubled(void **state)
{
	static uint32_t numbers[CPUS] = {0, 1};
	const uint64_t times = lw_test_quick() ? 2000 : 100000;
	pthread_t vcpu[CPUS], events;
	struct lw_user_counters counted;
	uint64_t done;
	sigset_t kick;

	(void)state;
	make();
	sigemptyset(&kick);
	sigaddset(&kick, SIGRTMIN);
	pthread_sigmask(SIG_BLOCK, &kick, NULL);
	for (uint32_t i = 0; i < CPUS; i++)
		pthread_create(&vcpu[i], NULL, vcpu_thread, &numbers[i]);
	pthread_create(&events, NULL, event_thread, NULL);
	done = interrupt(times);
	over = true;
	for (uint32_t i = 0; i < CPUS; i++) {
		pthread_kill(vcpu[i], SIGRTMIN);
		pthread_join(vcpu[i], NULL);
	}
	pthread_join(events, NULL);
	counted = lw_user_counters(user);
	print_message("# NOTE %llu interrupts, %llu kicks, %llu halts\n", (unsigned long long)done,
		      (unsigned long long)counted.kicks, (unsigned long long)counted.halts);
	assert_int_equal(done, times);
	assert_int_equal(served, times);
	assert_int_equal(doubled, 0);
	assert_int_equal(counted.eoi.necessary, times);
	assert_int_equal(counted.eoi.superfluous, 0);
	lw_user_close(user);
	free(user);
	close(trigger);
	close(resample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(no_interrupt_is_lost_or_doubled)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
