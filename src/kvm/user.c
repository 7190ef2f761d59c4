/* SPDX-License-Identifier: MIT */
#include "kvm/user_priv.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define LINT0_EXTINT ((uint32_t)LW_DM_EXTINT << 8)

int user_ioctl(const struct lw_user *user, int fd, unsigned long request, void *argument)
{
	int result = user->sys->ioctl(fd, request, (unsigned long)argument);

	return result < 0 ? -errno : result;
}

uint64_t user_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void op_lock(void *ctx)
{
	pthread_mutex_lock(&((struct lw_user *)ctx)->lock);
}

static void op_unlock(void *ctx)
{
	pthread_mutex_unlock(&((struct lw_user *)ctx)->lock);
}

static bool is_self(const struct user_vcpu *v)
{
	return v->bound && pthread_equal(v->thread, pthread_self());
}

/* Asked under the lock, under which a thread becomes a vCPU's: one that is nobody's stands still.
 */
static bool op_owned(void *ctx, uint32_t vcpu)
{
	struct user_vcpu *v = &((struct lw_user *)ctx)->vcpu[vcpu];

	return !v->bound || is_self(v);
}

/*
 * What is to be seen was made before this call, and the thread says USER_INSIDE before it looks: so
 * either it sees it or it is found inside and gets the signal.
 */
static void op_kick(void *ctx, uint32_t vcpu)
{
	struct lw_user *user = ctx;
	struct user_vcpu *v = &user->vcpu[vcpu];

	atomic_thread_fence(memory_order_seq_cst);
	if (v->where == USER_OUT || !v->bound || is_self(v)) {
		v->spared++;
		return;
	}
	v->kicks++;
	/* Not by pthread_t, which a thread that has ended has no more. */
	(void)tgkill(getpid(), v->tid, user->config.kick);
}

static void op_signal(void *ctx, uint32_t vcpu, uint8_t delivery, uint8_t vector)
{
	struct user_vcpu *v = &((struct lw_user *)ctx)->vcpu[vcpu];
	uint32_t asked = v->asked, wanted;

	do {
		/* INIT throws away a start-up that came before it; the first of two counts. */
		if (delivery == LW_DM_INIT)
			wanted = (asked & USER_NMI) | USER_INIT;
		else if (delivery == LW_DM_SIPI && !(asked & USER_SIPI))
			wanted = asked | USER_SIPI | (uint32_t)vector << 8;
		else if (delivery == LW_DM_NMI)
			wanted = asked | USER_NMI;
		else
			return;
	} while (!atomic_compare_exchange_weak(&v->asked, &asked, wanted));
	op_kick(ctx, vcpu);
}

/* The vCPU's own thread. An alarm in the past fires at once; the guest may ask for a very dense
 * sequence, and gets one in 20 us at the most. */
void user_deadline(void *ctx, uint32_t vcpu, uint64_t deadline)
{
	struct user_vcpu *v = &((struct lw_user *)ctx)->vcpu[vcpu];
	const uint64_t soonest = user_now() + 20000;
	struct itimerspec when = {0};

	if (!v->bound)
		return;
	if (deadline && deadline < soonest)
		deadline = soonest;
	when.it_value.tv_sec = (time_t)(deadline / 1000000000u);
	when.it_value.tv_nsec = (long)(deadline % 1000000000u);
	(void)timer_settime(v->alarm, TIMER_ABSTIME, &when, NULL);
}

static void op_resample(void *ctx, uint32_t gsi)
{
	struct lw_user *user = ctx;

	user_event_resample(user, gsi);
	if (user->config.resample)
		user->config.resample(user->config.ctx, gsi);
}

/* Pin n of the 8259s is GSI n's, as is that of the I/O APIC. */
static void op_pic_eoi(void *ctx, uint32_t pin)
{
	user_event_resample(ctx, pin);
}

static const struct lw_chip_ops chip_ops = {
	.lock = op_lock,
	.unlock = op_unlock,
	.kick = op_kick,
	.owned = op_owned,
	.signal = op_signal,
	.deadline = user_deadline,
	.resample = op_resample,
	.pic_eoi = op_pic_eoi,
};

static void describe(const struct lw_user_config *config, uint32_t granted, uint32_t tsc_khz,
		     struct lw_chip_ioapic *ioapic, struct lw_chip_config *chip)
{
	*ioapic = (struct lw_chip_ioapic){
		.pins = config->pins, .id = config->id, .version = config->version};
	*chip = (struct lw_chip_config){
		.ops = &chip_ops,
		.hooks = lw_eoi_hooks(),
		.nvcpus = config->nvcpus,
		.x2apic = config->nvcpus > 255,
		.nioapics = 1,
		.ioapic = ioapic,
		.gsis = config->pins,
		.clock = {.tsc_khz = tsc_khz},
		.xapic_only = !(granted & LW_USER_X2APIC),
		.pic = config->flags & LW_USER_PIC,
	};
}

static size_t round_up(size_t size)
{
	return (size + LW_USER_ALIGN - 1) / LW_USER_ALIGN * LW_USER_ALIGN;
}

size_t lw_user_size(const struct lw_user_config *config)
{
	const uint32_t known = LW_USER_PIC | LW_USER_LAZY | LW_USER_X2APIC | LW_USER_DEADLINE;
	struct lw_chip_ioapic ioapic;
	struct lw_chip_config chip;
	size_t chips;

	if (!config || (config->flags & ~known) || config->nvcpus < 1 ||
	    config->nvcpus > LW_USER_MAX_VCPUS ||
	    (config->nvcpus > 255 && !(config->flags & LW_USER_X2APIC)))
		return 0;
	describe(config, config->flags, 0, &ioapic, &chip);
	chips = lw_chip_size(&chip);
	if (!chips)
		return 0;
	return round_up(sizeof(struct lw_user)) +
	       round_up(config->nvcpus * sizeof(struct user_vcpu)) +
	       round_up(lw_eoi_size(config->nvcpus)) + round_up(chips);
}

static int init_chips(struct lw_user *user)
{
	struct lw_eoi_config policy = {.policy = user->flags & LW_USER_LAZY ? LW_EOI_LAZY
									    : LW_EOI_ARMED,
				       .nvcpus = user->config.nvcpus,
				       .env = lw_chip_env(),
				       .ctx = user->chip};
	int tsc_khz = user_ioctl(user, user->config.vm_fd, KVM_GET_TSC_KHZ, NULL);
	struct lw_chip_ioapic ioapic;
	struct lw_chip_config chip;
	int err;

	if (tsc_khz <= 0) {
		user->flags &= ~LW_USER_DEADLINE;
		tsc_khz = 0;
	}
	describe(&user->config, user->flags, (uint32_t)tsc_khz, &ioapic, &chip);
	chip.ctx = user;
	chip.eoi = user->eoi;
	err = lw_eoi_init(user->eoi, &policy);
	if (err == 0)
		err = lw_chip_init(user->chip, &chip);
	if (err == 0 && (user->flags & LW_USER_PIC)) {
		/* Virtual wire mode (MultiProcessor Specification 3.6.2.2). */
		lw_lapic_write(lw_chip_lapic(user->chip, 0), LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);
		lw_lapic_write(lw_chip_lapic(user->chip, 0), LW_LAPIC_LVT_LINT0, LINT0_EXTINT);
	}
	return err;
}

int lw_user_init(struct lw_user *storage, const struct lw_user_config *config)
{
	size_t size = lw_user_size(config);
	uint8_t *next = (uint8_t *)storage;
	struct lw_user *user = storage;
	int err;

	if (!size || (uintptr_t)storage % LW_USER_ALIGN)
		return -EINVAL;
	memset(storage, 0,
	       round_up(sizeof(*user)) + round_up(config->nvcpus * sizeof(struct user_vcpu)));
	next += round_up(sizeof(*user));
	user->vcpu = (struct user_vcpu *)next;
	next += round_up(config->nvcpus * sizeof(struct user_vcpu));
	user->eoi = (struct lw_eoi *)next;
	next += round_up(lw_eoi_size(config->nvcpus));
	user->chip = (struct lw_chip *)next;
	user->config = *config;
	user->sys = config->sys ? config->sys : &lw_kvm_host;
	for (uint32_t i = 0; i < config->nvcpus; i++) {
		user->vcpu[i].user = user;
		user->vcpu[i].number = i;
		user->vcpu[i].waits_for_sipi = i > 0;
	}
	user->flags = user_msr_grant(user, config->flags);
	if (config->nvcpus > 255 && !(user->flags & LW_USER_X2APIC))
		return -ENOTSUP;
	err = init_chips(user);
	if (err < 0)
		return err;
	lw_events_init(&user->events);
	user->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (user->epoll < 0)
		return -errno;
	pthread_mutex_init(&user->lock, NULL);
	pthread_mutex_init(&user->event_lock, NULL);
	return 0;
}

void lw_user_close(struct lw_user *user)
{
	for (unsigned i = 0; i < LW_USER_EVENTFDS; i++) {
		if (user->event[i].used) {
			close(user->event[i].trigger);
			close(user->event[i].resample);
		}
	}
	lw_events_close(&user->events);
	close(user->epoll);
	pthread_mutex_destroy(&user->lock);
	pthread_mutex_destroy(&user->event_lock);
}

uint32_t lw_user_flags(const struct lw_user *user)
{
	return user->flags;
}

int lw_user_vcpu(struct lw_user *user, uint32_t vcpu, int fd, struct kvm_run *run)
{
	struct user_vcpu *v;
	int err;

	if (vcpu >= user->config.nvcpus || fd < 0 || !run)
		return -EINVAL;
	v = &user->vcpu[vcpu];
	if (v->named)
		return -EEXIST;
	err = user_ioctl(user, fd, KVM_GET_SREGS, &v->reset_sregs);
	if (err >= 0)
		err = user_ioctl(user, fd, KVM_GET_REGS, &v->reset_regs);
	if (err < 0)
		return err;
	v->fd = fd;
	v->run = run;
	v->refused = -1;
	v->named = true;
	return 0;
}

int lw_user_line(struct lw_user *user, uint32_t gsi, uint32_t source, bool level)
{
	return lw_chip_line(user->chip, gsi, source, level);
}

int lw_user_msi(struct lw_user *user, uint64_t address, uint32_t data)
{
	return lw_chip_msi(user->chip, address, data);
}

struct lw_chip *lw_user_chip(struct lw_user *user)
{
	return user->chip;
}

struct lw_user_counters lw_user_counters(struct lw_user *user)
{
	struct lw_user_counters sum = {0};

	for (uint32_t i = 0; i < user->config.nvcpus; i++) {
		struct user_vcpu *v = &user->vcpu[i];

		sum.runs += v->runs;
		sum.injected += v->injected;
		sum.windows += v->windows;
		sum.halts += v->halts;
		sum.kicks += v->kicks;
		sum.spared += v->spared;
		sum.apic_mmio += v->apic_mmio;
		sum.apic_msr += v->apic_msr;
		sum.ioapic_mmio += v->ioapic_mmio;
	}
	op_lock(user);
	sum.eoi = lw_eoi_counters(user->eoi);
	op_unlock(user);
	return sum;
}
