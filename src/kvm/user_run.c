/* SPDX-License-Identifier: MIT */
#include "kvm/user_priv.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define MP_ASKED (LW_USER_MP_NMI | LW_USER_MP_INIT | LW_USER_MP_SIPI | LW_USER_MP_VECTOR)
#define MP_KNOWN (MP_ASKED | LW_USER_MP_WAITS | LW_USER_MP_HALTED | LW_USER_MP_IF)

/* KVM goes through 1,024 elements of a string at once: each read and written, each in two parts. */
#define EXITS_OF_AN_ACCESS (1024u * 2u * 2u)

/* KVM_SET_SIGNAL_MASK: in KVM_RUN the kick comes through; elsewhere it waits. */
static int set_signal_mask(struct user_vcpu *v)
{
	uint32_t room[sizeof(struct kvm_signal_mask) / 4 + 2] = {8};
	struct kvm_signal_mask *mask = (struct kvm_signal_mask *)room;
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, v->user->config.kick);
	err = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (err == 0)
		err = pthread_sigmask(SIG_BLOCK, NULL, &set);
	if (err != 0)
		return -err;
	sigdelset(&set, v->user->config.kick);
	memcpy(mask->sigset, &set, mask->len);
	return user_ioctl(v->user, v->fd, KVM_SET_SIGNAL_MASK, mask);
}

static int make_alarm(struct user_vcpu *v)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
				 .sigev_signo = v->user->config.kick};

	event._sigev_un._tid = gettid();
	return timer_create(CLOCK_MONOTONIC, &event, &v->alarm) < 0 ? -errno : 0;
}

/* Null if no such vCPU has been named. */
static struct user_vcpu *find(struct lw_user *user, uint32_t vcpu)
{
	if (vcpu >= user->config.nvcpus || !user->vcpu[vcpu].named)
		return NULL;
	return &user->vcpu[vcpu];
}

int lw_user_bind(struct lw_user *user, uint32_t vcpu)
{
	struct lw_lapic *lapic = lw_chip_lapic(user->chip, vcpu);
	struct user_vcpu *v = find(user, vcpu);
	int err;

	if (!v)
		return -EINVAL;
	if (v->bound)
		return -EBUSY;
	err = set_signal_mask(v);
	if (err >= 0)
		err = make_alarm(v);
	if (err < 0)
		return err;
	v->thread = pthread_self();
	v->tid = gettid();
	/* Nobody is looking at the LAPIC in this vCPU's place from now on. */
	pthread_mutex_lock(&user->lock);
	v->bound = true;
	pthread_mutex_unlock(&user->lock);
	user_event_wire(user);
	lw_lapic_time(lapic, user_now());
	if (user->flags & LW_USER_DEADLINE)
		err = user_msr_sync_tsc(v);
	if (err < 0) {
		lw_user_unbind(user, vcpu);
		return err;
	}
	/* A restore, or an earlier thread, may have left the timer running. */
	user_deadline(user, vcpu, lw_lapic_deadline(lapic));
	return 0;
}

void lw_user_unbind(struct lw_user *user, uint32_t vcpu)
{
	struct user_vcpu *v = find(user, vcpu);

	if (!v || !v->bound)
		return;
	v->bound = false;
	timer_delete(v->alarm);
}

int lw_user_get_mp(struct lw_user *user, uint32_t vcpu, uint32_t *mp)
{
	const struct user_vcpu *v = find(user, vcpu);

	if (!v || !mp)
		return -EINVAL;
	*mp = v->asked | (v->waits_for_sipi ? LW_USER_MP_WAITS : 0) |
	      (v->halted ? LW_USER_MP_HALTED : 0) | (v->run->if_flag ? LW_USER_MP_IF : 0);
	return 0;
}

int lw_user_set_mp(struct lw_user *user, uint32_t vcpu, uint32_t mp)
{
	struct user_vcpu *v = find(user, vcpu);

	if (!v || (mp & ~MP_KNOWN))
		return -EINVAL;
	v->asked = mp & MP_ASKED;
	v->waits_for_sipi = mp & LW_USER_MP_WAITS;
	v->halted = mp & LW_USER_MP_HALTED;
	v->run->if_flag = (mp & LW_USER_MP_IF) != 0;
	v->run->ready_for_interrupt_injection = 0;
	user_event_wire(user);
	return 0;
}

/* What the last exit left half done comes to an end, lest it touch the registers that INIT sets. An
 * access may take more than one exit, and those of a string are many. Nobody serves them: what they
 * write reaches no device, and what they read is nothing. */
static void complete_exit(struct user_vcpu *v)
{
	v->run->immediate_exit = 1;
	for (unsigned n = 0; n <= EXITS_OF_AN_ACCESS; n++)
		if (user_ioctl(v->user, v->fd, KVM_RUN, NULL) < 0)
			break;
	v->run->immediate_exit = 0;
}

/* Back to the state after INIT; INIT keeps what a reset does not (SDM vol. 3, table 10-1), of which
 * a guest can see little: the APIC base is Lapwing's, and TSC and MSRs stay. */
static int init_vcpu(struct user_vcpu *v)
{
	struct kvm_vcpu_events none = {0};
	int err;

	complete_exit(v);
	lw_chip_init_vcpu(v->user->chip, v->number);
	err = user_ioctl(v->user, v->fd, KVM_SET_SREGS, &v->reset_sregs);
	if (err >= 0)
		err = user_ioctl(v->user, v->fd, KVM_SET_REGS, &v->reset_regs);
	if (err >= 0)
		err = user_ioctl(v->user, v->fd, KVM_SET_VCPU_EVENTS, &none);
	v->run->ready_for_interrupt_injection = 0;
	v->run->if_flag = 0;
	v->halted = false;
	v->refused = -1;
	v->waits_for_sipi = v->number > 0;
	return err < 0 ? err : 0;
}

static int start_vcpu(struct user_vcpu *v, uint8_t vector)
{
	struct kvm_sregs sregs = v->reset_sregs;
	struct kvm_regs regs = v->reset_regs;
	int err;

	sregs.cs.selector = (uint16_t)(vector << 8);
	sregs.cs.base = (uint64_t)vector << 12;
	regs.rip = 0;
	err = user_ioctl(v->user, v->fd, KVM_SET_SREGS, &sregs);
	if (err >= 0)
		err = user_ioctl(v->user, v->fd, KVM_SET_REGS, &regs);
	v->waits_for_sipi = false;
	return err < 0 ? err : 0;
}

static int serve_signals(struct user_vcpu *v)
{
	uint32_t asked = v->asked ? atomic_exchange(&v->asked, 0) : 0;
	int err = 0;

	if (asked & USER_INIT)
		err = init_vcpu(v);
	if (err == 0 && (asked & USER_SIPI) && v->waits_for_sipi)
		err = start_vcpu(v, (uint8_t)(asked >> 8));
	if (err == 0 && (asked & USER_NMI) && !v->waits_for_sipi) {
		err = user_ioctl(v->user, v->fd, KVM_NMI, NULL);
		v->halted = false;
	}
	return err;
}

static bool has_interrupt(const struct user_vcpu *v)
{
	return v->refused >= 0 || lw_chip_pending(v->user->chip, v->number) >= 0;
}

/* Injects one interrupt if the guest can take it; if there is another, asks for the window. A
 * vector that KVM refuses is kept: it is in service already. */
static int inject(struct user_vcpu *v)
{
	struct kvm_run *run = v->run;

	run->request_interrupt_window = 0;
	if (!has_interrupt(v))
		return 0;
	if (run->ready_for_interrupt_injection && run->if_flag) {
		struct kvm_interrupt irq;
		int err;

		if (v->refused < 0)
			v->refused = lw_chip_accept(v->user->chip, v->number);
		if (v->refused < 0)
			return 0;
		irq.irq = (uint32_t)v->refused;
		err = user_ioctl(v->user, v->fd, KVM_INTERRUPT, &irq);
		if (err < 0)
			return err;
		v->refused = -1;
		v->injected++;
		run->ready_for_interrupt_injection = 0;
	}
	run->request_interrupt_window = has_interrupt(v);
	return 0;
}

static void forget_kicks(const sigset_t *kick)
{
	const struct timespec none = {0, 0};

	while (sigtimedwait(kick, NULL, &none) > 0)
		;
}

/* Something to do, but for what the timer will bring? */
static bool must_wake(struct user_vcpu *v)
{
	if (v->asked)
		return true;
	return !v->waits_for_sipi && v->run->if_flag && has_interrupt(v);
}

/* Sleeps until there is something to do; the VMM's kick ends it too. */
static void sleep_until_kicked(struct user_vcpu *v)
{
	struct lw_chip *chip = v->user->chip;
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, v->user->config.kick);
	user_go_inside(v);
	lw_chip_enter(chip, v->number);
	if (must_wake(v)) {
		v->halted = false;
	} else {
		v->halts++;
		while (sigwaitinfo(&kick, NULL) < 0 && errno == EINTR)
			;
	}
	lw_chip_exit(chip, v->number);
	atomic_store(&v->where, USER_OUT);
	forget_kicks(&kick);
	lw_lapic_time(lw_chip_lapic(chip, v->number), user_now());
}

static int enter_guest(struct user_vcpu *v)
{
	struct lw_chip *chip = v->user->chip;
	struct lw_lapic *lapic = lw_chip_lapic(chip, v->number);
	int err, result = 0;

	user_go_inside(v);
	lw_chip_enter(chip, v->number);
	err = inject(v);
	v->run->cr8 = lw_lapic_cr8(lapic);
	if (err == 0 && !v->asked) {
		v->runs++;
		result = user_ioctl(v->user, v->fd, KVM_RUN, NULL);
	} else {
		v->run->exit_reason = KVM_EXIT_INTR;
	}
	lw_chip_exit(chip, v->number);
	atomic_store(&v->where, USER_OUT);
	if (v->run->cr8 != lw_lapic_cr8(lapic))
		(void)lw_lapic_set_cr8(lapic, v->run->cr8);
	return err < 0 ? err : result;
}

int lw_user_run(struct lw_user *user, uint32_t vcpu)
{
	struct user_vcpu *v = find(user, vcpu);
	int err;

	if (!v || !v->bound)
		return -EINVAL;
	lw_lapic_time(lw_chip_lapic(user->chip, vcpu), user_now());
	err = serve_signals(v);
	if (err < 0)
		return err;
	if (v->waits_for_sipi || v->halted) {
		sleep_until_kicked(v);
		return 0;
	}
	err = enter_guest(v);
	if (err == -EINTR || err == -EAGAIN) {
		sigset_t kick;

		sigemptyset(&kick);
		sigaddset(&kick, user->config.kick);
		forget_kicks(&kick);
		return 0;
	}
	return err < 0 ? err : user_exit(v);
}
