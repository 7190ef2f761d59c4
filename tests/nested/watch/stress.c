/* SPDX-License-Identifier: MIT */
/*
 * Is an EOI ever lost while routes change all the time? Split irqchip. One thread delivers a
 * level-triggered interrupt to vCPU 0, with edge ones of the same vector around it, and moves its
 * pin to vCPU 1; another has KVM rescan the routes without pause, and a third keeps vCPU 0 awake,
 * as a halted one does not scan; so scans meet deliveries at every point. Each EOI must come.
 *
 * Usage: stress SECONDS. Prints "rounds lost scans", tab separated; exit status 1 if any was lost.
 */
#include "kvm/vm.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PIN           5
#define VECTOR        0x50
#define OTHER         0x60
#define PATIENCE_MS   3000
#define MOST_LOST     3
#define IDLE_MS       2
#define EDGES_AT_MOST 3

struct stress {
	struct lw_vm vm;
	pthread_mutex_t routes; /* the table and what it says */
	unsigned routed_to;
	atomic_bool over;
	atomic_ulong done; /* handlers that came to their end */
	unsigned long scans;
	unsigned long rounds;
	unsigned long lost;
	uint64_t random;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static unsigned draw(struct stress *stress, unsigned below)
{
	stress->random = stress->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(stress->random >> 33) % below;
}

static int install(struct stress *stress, unsigned cpu, struct lw_reason *reason)
{
	int err;

	pthread_mutex_lock(&stress->routes);
	stress->routed_to = cpu;
	err = lw_vm_route(&stress->vm, PIN, cpu, VECTOR, reason);
	pthread_mutex_unlock(&stress->routes);
	return err;
}

/* Installs what is installed: KVM has every vCPU scan. */
static void *rescan(void *argument)
{
	struct stress *stress = argument;
	struct lw_reason reason;

	while (!atomic_load(&stress->over)) {
		pthread_mutex_lock(&stress->routes);
		(void)lw_vm_route(&stress->vm, PIN, stress->routed_to, VECTOR, &reason);
		pthread_mutex_unlock(&stress->routes);
		stress->scans++;
		sched_yield();
	}
	return NULL;
}

static void *keep_awake(void *argument)
{
	struct stress *stress = argument;
	struct lw_reason reason;

	while (!atomic_load(&stress->over)) {
		(void)lw_vm_msi(&stress->vm, 0, OTHER, false, &reason);
		sched_yield();
	}
	return NULL;
}

/* The guest tells the end of each handler and waits to be resumed. */
static void *keep_running(void *argument)
{
	struct stress *stress = argument;
	struct lw_vm *vm = &stress->vm;
	struct lw_vcpu *vcpu = &vm->vcpu[0];

	pthread_mutex_lock(&vm->lock);
	while (!atomic_load(&stress->over)) {
		if (vcpu->event == LW_VM_NOTHING || vcpu->event == LW_VM_BROKEN) {
			lw_vm_wait(vm);
			continue;
		}
		if (vcpu->event == LW_VM_DONE && (vcpu->value & 0xff) == VECTOR)
			atomic_fetch_add(&stress->done, 1);
		vcpu->event = LW_VM_NOTHING;
		pthread_cond_broadcast(&vm->changed);
	}
	pthread_mutex_unlock(&vm->lock);
	return NULL;
}

static void wait_until_idle(struct stress *stress)
{
	unsigned long seen = atomic_load(&stress->done);
	uint64_t since = now_ms(), begun = since;

	while (now_ms() - since < IDLE_MS && now_ms() - begun < PATIENCE_MS) {
		unsigned long now = atomic_load(&stress->done);

		if (now != seen) {
			seen = now;
			since = now_ms();
		}
		sched_yield();
	}
}

static int send_edges(struct stress *stress, struct lw_reason *reason)
{
	unsigned count = draw(stress, EDGES_AT_MOST + 1);
	int err = 0;

	for (unsigned i = 0; err == 0 && i < count; i++)
		err = lw_vm_msi(&stress->vm, 0, VECTOR, false, reason);
	return err;
}

/*
 * No edge one is about when the exits are counted first, and the level one is EOI'd before those
 * that come after it, so one exit more means that its own came.
 */
static int one_round(struct stress *stress, struct lw_reason *reason)
{
	uint64_t before, since;
	int err;

	wait_until_idle(stress);
	err = install(stress, 0, reason);
	before = lw_vm_eoi_exits(&stress->vm, 0, VECTOR);
	for (volatile unsigned i = draw(stress, 5000); i > 0; i--)
		continue;
	if (err == 0)
		err = lw_vm_msi(&stress->vm, 0, VECTOR, true, reason);
	if (err == 0)
		err = send_edges(stress, reason);
	if (err == 0)
		err = install(stress, 1, reason);
	if (err == 0)
		err = send_edges(stress, reason);
	if (err < 0)
		return err;
	stress->rounds++;
	since = now_ms();
	while (lw_vm_eoi_exits(&stress->vm, 0, VECTOR) == before) {
		if (now_ms() - since > PATIENCE_MS) {
			stress->lost++;
			break;
		}
		sched_yield();
	}
	return 0;
}

static int run(struct stress *stress, unsigned seconds, struct lw_reason *reason)
{
	static void *(*const helpers[])(void *) = {keep_running, rescan, keep_awake};
	uint64_t until = now_ms() + 1000ull * seconds;
	pthread_t threads[3];
	unsigned started = 0;
	int err;

	lw_vm_mailbox(&stress->vm, 0)->quiet = 1;
	err = install(stress, 1, reason);
	for (; err == 0 && started < 3; started++)
		err = -pthread_create(&threads[started], NULL, helpers[started], stress);
	lw_vm_resume(&stress->vm, 0);
	while (err == 0 && now_ms() < until && stress->lost < MOST_LOST)
		err = one_round(stress, reason);
	atomic_store(&stress->over, true);
	lw_vm_resume(&stress->vm, 0);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	return err;
}

int main(int argc, char **argv)
{
	static struct stress stress = {.routes = PTHREAD_MUTEX_INITIALIZER, .random = 1};
	unsigned seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10;
	struct lw_reason reason = {""};
	struct lw_kvm kvm;
	int err = lw_kvm_open(&kvm, "/dev/kvm", &lw_kvm_host, &reason);

	if (err == 0) {
		err = lw_vm_create(&stress.vm, &kvm, LW_VM_SPLIT, &reason);
		if (err == 0)
			err = run(&stress, seconds, &reason);
		lw_vm_destroy(&stress.vm);
		close(kvm.fd);
	}
	if (err < 0) {
		fprintf(stderr, "stress: %s\n", reason.text);
		return 2;
	}
	printf("%lu\t%lu\t%lu\n", stress.rounds, stress.lost, stress.scans);
	return stress.lost > 0;
}
