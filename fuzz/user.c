/* SPDX-License-Identifier: MIT */
/*
 * The user backend on a KVM that is played: exits of every kind, devices and other vCPUs at work
 * while one is in KVM_RUN or asleep, kicks, alarms by a clock that is played too, ioctls that fail,
 * and state saved and restored. The invariants hold between any two calls, and no vCPU runs or
 * sleeps through an interrupt that it could take.
 */
#include <lapwing/kvm_user.h>
#include <lapwing/snapshot.h>

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "history.h"
#include "kvm/user_priv.h"
#include "model/invariants.h"

#define CPUS    3u
#define CPU_FD  100
#define THREAD  1000 /* plus the vCPU's index */
#define DEVICES 999  /* the thread of all devices */
#define APIC    0xfee00000u
#define EVENTS  2u
#define DATA    64u /* bytes of an exit for a port */

struct played_run {
	struct kvm_run run;
	uint8_t data[DATA];
};

static struct {
	struct lw_user *user;
	struct input *in;
	struct played_run run[CPUS];
	bool busy[CPUS], kicked[CPUS];
	uint64_t alarm[CPUS], now;
	int thread; /* who calls, or 0: the engine */
	unsigned long fails;
	int event[EVENTS][2];
	struct history history;
	uint64_t operations;
} rig;

static void something(void);

/* ---- the system ---- */

int __real_clock_gettime(clockid_t clock, struct timespec *now);
pthread_t __real_pthread_self(void);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
pthread_t __wrap_pthread_self(void);
pid_t __wrap_gettid(void);
int __wrap_tgkill(pid_t process, pid_t thread, int number);
int __wrap_sigwaitinfo(const sigset_t *set, siginfo_t *info);
int __wrap_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *most);
int __wrap_timer_create(clockid_t clock, struct sigevent *event, timer_t *timer);
int __wrap_timer_settime(timer_t timer, int flags, const struct itimerspec *when,
			 struct itimerspec *old);
int __wrap_timer_delete(timer_t timer);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (!rig.thread)
		return __real_clock_gettime(clock, now);
	now->tv_sec = (time_t)(rig.now / 1000000000u);
	now->tv_nsec = (long)(rig.now % 1000000000u);
	return 0;
}

pthread_t __wrap_pthread_self(void)
{
	return rig.thread ? (pthread_t)rig.thread : __real_pthread_self();
}

pid_t __wrap_gettid(void)
{
	return rig.thread;
}

int __wrap_tgkill(pid_t process, pid_t thread, int number)
{
	if (process != getpid() || thread < THREAD || thread >= THREAD + (int)CPUS ||
	    number != SIGRTMIN)
		fuzz_fail("signal %d for thread %d", number, thread);
	rig.kicked[thread - THREAD] = true;
	return 0;
}

int __wrap_timer_create(clockid_t clock, struct sigevent *event, timer_t *timer)
{
	(void)event;
	if (clock != CLOCK_MONOTONIC)
		fuzz_fail("an alarm by another clock");
	*timer = (timer_t)(uintptr_t)rig.thread;
	return 0;
}

int __wrap_timer_settime(timer_t timer, int flags, const struct itimerspec *when,
			 struct itimerspec *old)
{
	uint32_t vcpu = (uint32_t)(uintptr_t)timer - THREAD;

	(void)old;
	if (vcpu >= CPUS || flags != TIMER_ABSTIME || when->it_value.tv_nsec >= 1000000000)
		fuzz_fail("an alarm of vCPU %u", vcpu);
	rig.alarm[vcpu] =
		(uint64_t)when->it_value.tv_sec * 1000000000u + (uint64_t)when->it_value.tv_nsec;
	return 0;
}

int __wrap_timer_delete(timer_t timer)
{
	rig.alarm[(uint32_t)(uintptr_t)timer - THREAD] = 0;
	return 0;
}

static uint32_t caller(void)
{
	return (uint32_t)(rig.thread - THREAD);
}

int __wrap_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *most)
{
	bool was = rig.kicked[caller()];

	(void)set;
	(void)info;
	(void)most;
	rig.kicked[caller()] = false;
	errno = EAGAIN;
	return was ? SIGRTMIN : -1;
}

/* Whoever could take an interrupt has been told of it. */
static void nothing_missed(uint32_t vcpu, const char *where)
{
	const struct kvm_run *run = &rig.run[vcpu].run;

	if (!rig.kicked[vcpu] && lw_chip_pending(rig.user->chip, vcpu) >= 0)
		fuzz_fail("vCPU %u %s through an interrupt (IF %d)", vcpu, where, run->if_flag);
}

/* Asleep: the world goes on until somebody kicks it; at the latest the VMM does. */
int __wrap_sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	uint32_t vcpu = caller();

	(void)set;
	(void)info;
	for (uint32_t n = 0; n < 8 && !rig.kicked[vcpu] && in_more(rig.in); n++) {
		something();
		if (rig.run[vcpu].run.if_flag && !rig.user->vcpu[vcpu].waits_for_sipi)
			nothing_missed(vcpu, "sleeps");
	}
	rig.kicked[vcpu] = false;
	return SIGRTMIN;
}

/* ---- exits ---- */

static uint8_t some_vector(void)
{
	uint8_t byte = in_byte(rig.in);

	return byte < 0xf0 ? (uint8_t)(0x31 + byte % 3 * 0x20) : (uint8_t)(byte * 7);
}

static uint32_t some_value(uint8_t what)
{
	switch (what & 3) {
	case 0:
		return in_word(rig.in);
	case 1:
		return 0x100u | in_byte(rig.in);
	case 2:
		return (uint32_t)in_byte(rig.in) << 24;
	default:
		return some_vector() | (uint32_t)(in_byte(rig.in) & 0x1f) << 12;
	}
}

static void exit_apic(struct kvm_run *run)
{
	static const uint16_t likely[] = {LW_LAPIC_EOI, LW_LAPIC_EOI,       LW_LAPIC_EOI,
					  LW_LAPIC_SVR, LW_LAPIC_LVT_TIMER, LW_LAPIC_TMICT,
					  LW_LAPIC_ICR, LW_LAPIC_ICR2};
	uint8_t what = in_byte(rig.in), which = in_byte(rig.in);
	uint32_t value = some_value(which >> 3);

	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = APIC + (what < 0xc0 ? likely[which & 7] : in_bytes(rig.in, 2));
	run->mmio.is_write = what & 7 ? 1 : 0;
	run->mmio.len = what < 0xf0 ? 4 : 1u << (which & 3);
	memcpy(run->mmio.data, &value, sizeof(value));
}

static void exit_ioapic(struct kvm_run *run)
{
	uint8_t what = in_byte(rig.in);
	uint64_t value = what & 1 ? 0x10u + in_byte(rig.in) % 12u : some_vector();

	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = LW_USER_IOAPIC + (what & 1 ? 0 : 0x10u);
	run->mmio.is_write = what < 0xd0;
	run->mmio.len = what & 2 ? 4 : 1u << in_below(rig.in, 4);
	if (what & 4)
		value |= LW_RTE_LEVEL;
	if (what & 8)
		value = in_word(rig.in);
	if (what >= 0xf0)
		run->mmio.phys_addr = (what & 16 ? LW_USER_IOAPIC : APIC) + in_bytes(rig.in, 3);
	memcpy(run->mmio.data, &value, sizeof(value));
}

static void exit_port(struct played_run *played)
{
	static const uint16_t ports[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x22, 0x80};
	uint8_t what = in_byte(rig.in), how = in_byte(rig.in);
	struct kvm_run *run = &played->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.port = ports[what & 7];
	run->io.direction = what & 8 ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = (uint8_t)(how & 3 ? 1 : 1u << (how >> 2 & 1) << (how >> 3 & 1));
	run->io.count = 1 + (what >> 4) % 4u;
	run->io.data_offset = offsetof(struct played_run, data);
	memset(played->data, in_byte(rig.in), sizeof(played->data));
}

static void exit_msr(struct kvm_run *run)
{
	static const uint16_t likely[] = {0x80b, 0x80b, 0x80f, 0x830, 0x832, 0x838, 0x808, 0x83f};
	uint8_t what = in_byte(rig.in), which = in_byte(rig.in);

	run->exit_reason = what & 1 ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR;
	run->msr.index = what < 0x80 ? likely[which & 7] : 0x800u + which % 0x44;
	run->msr.data = what & 2 ? in_bytes(rig.in, 8) : some_value(what >> 2);
	if (what >= 0xf0)
		run->msr.index = in_word(rig.in);
	else if (what >= 0xe0)
		run->msr.index = LW_MSR_TSC_DEADLINE;
	else if (what >= 0xc8)
		run->msr.index = LW_MSR_APIC_BASE;
	if (run->msr.index == LW_MSR_APIC_BASE && !(what & 2))
		run->msr.data = APIC | (which & 7u ? 0x800u : 0) | (which & 8u ? 0x400u : 0);
}

static void choose_exit(struct played_run *played)
{
	uint8_t what = in_byte(rig.in);
	struct kvm_run *run = &played->run;

	switch (what % 16) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		exit_apic(run);
		break;
	case 5:
	case 6:
	case 7:
		exit_ioapic(run);
		break;
	case 8:
		exit_port(played);
		break;
	case 9:
	case 10:
		exit_msr(run);
		break;
	case 11:
	case 12:
		run->exit_reason = KVM_EXIT_HLT;
		break;
	case 13:
		run->exit_reason = KVM_EXIT_SET_TPR;
		run->cr8 = what >> 4;
		break;
	case 14:
		run->exit_reason =
			run->request_interrupt_window ? KVM_EXIT_IRQ_WINDOW_OPEN : KVM_EXIT_INTR;
		break;
	default:
		run->exit_reason = what >> 4 & 1 ? KVM_EXIT_SHUTDOWN : KVM_EXIT_INTR;
	}
}

/* In the guest: first others do what they like. */
static int run_guest(uint32_t vcpu)
{
	struct played_run *played = &rig.run[vcpu];
	struct kvm_run *run = &played->run;
	uint8_t how = in_byte(rig.in);

	if (run->immediate_exit || rig.kicked[vcpu]) {
		errno = EINTR;
		return -1;
	}
	for (uint32_t n = how % 4; n && in_more(rig.in); n--) {
		something();
		if (!run->request_interrupt_window)
			nothing_missed(vcpu, "runs");
	}
	run->if_flag = how & 4 ? 1 : 0;
	run->ready_for_interrupt_injection = how & 8 ? 1 : 0;
	if (rig.kicked[vcpu]) {
		run->exit_reason = KVM_EXIT_INTR;
		errno = EINTR;
		return -1;
	}
	choose_exit(played);
	return 0;
}

static void be_injected(uint32_t vcpu, uint32_t vector)
{
	const struct kvm_run *run = &rig.run[vcpu].run;

	if (vector > 255 || !run->ready_for_interrupt_injection || !run->if_flag)
		fuzz_fail("vector %#x is injected where it can't be", vector);
	history_taken(&rig.history, vcpu, (int)vector);
}

/* A LAPIC that is cleared is left disabled, and runs before it can be enabled again. */
static void look(void)
{
	history_look(&rig.history);
	for (uint32_t n = 0; n < CPUS; n++)
		if (!rig.history.seen[n].enabled)
			history_cleared(&rig.history, n);
}

static int played_ioctl(int fd, unsigned long request, unsigned long argument)
{
	uint32_t vcpu = (uint32_t)(fd - CPU_FD) % CPUS;

	look();
	if (request == rig.fails) {
		rig.fails = 0;
		errno = EIO;
		return -1;
	}
	switch (request) {
	case KVM_GET_TSC_KHZ:
		return 2000000;
	case KVM_GET_MSRS:
		((struct kvm_msrs *)argument)->entries[0].data = 2 * rig.now;
		return 1;
	case KVM_INTERRUPT:
		be_injected(vcpu, ((struct kvm_interrupt *)argument)->irq);
		return 0;
	case KVM_RUN:
		return run_guest(vcpu);
	default:
		return 0;
	}
}

static const struct lw_kvm_sys played = {.ioctl = played_ioctl};

/* ---- what happens ---- */

static void run_vcpu(uint32_t vcpu)
{
	int before = rig.thread, got;

	if (rig.busy[vcpu])
		return;
	rig.busy[vcpu] = true;
	rig.thread = THREAD + (int)vcpu;
	got = lw_user_run(rig.user, vcpu);
	if (got < 0 && got != -EIO)
		fuzz_fail("running vCPU %u gave %d", vcpu, got);
	rig.thread = before;
	rig.busy[vcpu] = false;
}

static void pass_time(void)
{
	rig.now += (uint64_t)in_byte(rig.in) << in_byte(rig.in) % 24;
	for (uint32_t n = 0; n < CPUS; n++)
		if (rig.alarm[n] && rig.alarm[n] <= rig.now) {
			rig.alarm[n] = 0;
			rig.kicked[n] = true;
		}
}

static bool nobody_busy(void)
{
	return !rig.busy[0] && !rig.busy[1] && !rig.busy[2];
}

static void be_signalled(uint8_t what)
{
	uint32_t gsi = what >> 4, source = 1 + (what >> 1 & 1u);
	uint64_t one = 1;

	if (rig.event[what & 1][0] < 0) {
		for (int n = 0; n < 2; n++)
			rig.event[what & 1][n] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		lw_user_attach(rig.user, gsi, source, rig.event[what & 1][0],
			       rig.event[what & 1][1]);
	} else if (what & 8) {
		if (lw_user_detach(rig.user, gsi, source) == -ENOENT)
			lw_user_attach(rig.user, gsi, source, rig.event[what & 1][0],
				       rig.event[what & 1][1]);
	}
	if (write(rig.event[what & 1][0], &one, sizeof(one)) == sizeof(one))
		lw_user_serve(rig.user);
}

static void migrate(void)
{
	static uint8_t state[1u << 16];
	size_t size = lw_chip_save(rig.user->chip, state, sizeof(state));
	uint32_t mp[CPUS];

	for (uint32_t n = 0; n < CPUS; n++)
		if (lw_user_get_mp(rig.user, n, &mp[n]))
			fuzz_fail("no MP state");
	if (size > sizeof(state) || lw_chip_restore(rig.user->chip, state, size))
		fuzz_fail("what was saved can't be restored");
	for (uint32_t n = 0; n < CPUS; n++)
		if (lw_user_set_mp(rig.user, n, mp[n]))
			fuzz_fail("MP state %#x is refused", mp[n]);
}

static void rarely(void)
{
	static const unsigned long requests[] = {KVM_RUN,       KVM_INTERRUPT, KVM_NMI,
						 KVM_SET_SREGS, KVM_SET_REGS,  KVM_GET_MSRS};
	uint8_t what = in_byte(rig.in);

	switch (what % 4) {
	case 0:
		rig.fails = requests[what / 4 % 6];
		break;
	case 1:
		if (nobody_busy())
			migrate();
		break;
	case 2:
		lw_user_set_mp(rig.user, what / 4 % (CPUS + 1), in_word(rig.in));
		break;
	default:
		if (lw_user_bind(rig.user, what / 4 % CPUS) != -EBUSY)
			fuzz_fail("a vCPU is bound twice");
	}
}

static void send(uint32_t dest, uint8_t vector)
{
	const struct lw_msg msg = {.dest = dest, .vector = vector};

	history_send(&rig.history, &msg);
	lw_user_msi(rig.user, APIC | dest << 12, vector);
}

static void something(void)
{
	int before = rig.thread;
	uint8_t what = in_byte(rig.in), byte = in_byte(rig.in);

	rig.operations++;
	rig.thread = DEVICES;
	look();
	switch (what % 8) {
	case 0:
	case 1:
		lw_user_line(rig.user, byte % 8u, 0, what & 0x80);
		break;
	case 2:
		send(byte % 4u, some_vector());
		break;
	case 3:
		pass_time();
		break;
	case 4:
		if (what < 0xc0)
			be_signalled(byte);
		else if (what >= 0xf0 && nobody_busy())
			rarely();
		break;
	default:
		run_vcpu(byte % CPUS);
	}
	rig.thread = before;
}

/* ---- the whole ---- */

static void holds(void)
{
	struct broken why;

	look();
	if (!lw_chip_holds(rig.user->chip, rig.user->eoi, rig.history.given, &why))
		fuzz_fail("%s (vCPU %u, pin %u, vector %#x)", why.rule, why.vcpu, why.pin,
			  why.vector);
}

static void is_sound(void)
{
	holds();
	/* What is due by now comes with the next call. */
	for (uint32_t n = 0; n < CPUS; n++)
		if (!rig.alarm[n] && lw_lapic_deadline(lw_chip_lapic(rig.user->chip, n)) > rig.now)
			fuzz_fail("vCPU %u's timer has no alarm", n);
}

static void set_up(struct input *in)
{
	uint8_t how = in_byte(in);
	struct lw_user_config config = {.sys = &played,
					.kick = SIGRTMIN,
					.flags = how & 15u,
					.nvcpus = CPUS,
					.pins = 24,
					.version = how & 16 ? 0x20 : 0x11};

	memset(&rig, 0, sizeof(rig));
	rig.in = in;
	rig.now = 1000000000u;
	rig.thread = DEVICES;
	for (uint32_t n = 0; n < EVENTS; n++)
		rig.event[n][0] = rig.event[n][1] = -1;
	rig.user = aligned_alloc(LW_USER_ALIGN, lw_user_size(&config));
	if (!rig.user || lw_user_init(rig.user, &config))
		fuzz_fail("a sound configuration was refused");
	for (uint32_t n = 0; n < CPUS; n++) {
		rig.thread = THREAD + (int)n;
		if (lw_user_vcpu(rig.user, n, CPU_FD + (int)n, &rig.run[n].run) ||
		    lw_user_bind(rig.user, n))
			fuzz_fail("a vCPU was refused");
		if (how & 32)
			lw_user_set_mp(rig.user, n, 0);
	}
	rig.thread = DEVICES;
	history_begin(&rig.history, rig.user->chip, CPUS);
}

/* Ground truth: once all is silent, every message has been injected or can be taken, and no pin's
 * EOI is still awaited. */
static void come_to_rest(void)
{
	for (uint32_t n = 0; n < CPUS; n++) /* what KVM has refused would be next */
		history_taken(&rig.history, n, rig.user->vcpu[n].refused);
	history_rest(&rig.history, 24, 3, NULL);
	lw_chip_settle(rig.user->chip);
	holds();
	if (!(rig.history.given & LW_GIVEN_SUPPRESSION))
		history_all_resolved(&rig.history);
}

static void tear_down(void)
{
	for (uint32_t n = 0; n < CPUS; n++)
		lw_user_unbind(rig.user, n);
	come_to_rest();
	lw_user_counters(rig.user);
	lw_user_close(rig.user);
	free(rig.user);
	for (uint32_t n = 0; n < EVENTS; n++)
		for (int side = 0; side < 2; side++)
			if (rig.event[n][side] >= 0)
				close(rig.event[n][side]);
	rig.thread = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};

	set_up(&in);
	for (uint32_t n = 0; in_more(&in); n++) {
		something();
		if (n % 8 == 7)
			is_sound();
	}
	is_sound();
	tear_down();
	fuzz_count(rig.operations);
	return 0;
}
