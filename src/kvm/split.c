/* SPDX-License-Identifier: MIT */
/* The split backend: how it is set up, and what it counts. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kvm/split_priv.h"

#define EVENTS_PER_PIN 4u
#define DEFAULT_NS     1000000u
#define TOKENS         16u

/* Flags of KVM_CAP_X2APIC_API that headers of Debian 12 don't know. */
#define ENABLE_SUPPRESS_EOI_BROADCAST  4u
#define DISABLE_SUPPRESS_EOI_BROADCAST 8u

/* ---- storage ---- */

struct layout {
	size_t io, pic, pin, vcpu, msi, event, table, end;
};

static struct lw_ioapic_config ioapic_config(const struct lw_split_config *c)
{
	return (struct lw_ioapic_config){
		.pins = c->pins,
		.nvcpus = c->nvcpus,
		.flags = c->flags & LW_SPLIT_EXT_DEST ? LW_IOAPIC_EXT_DEST : 0,
		.id = c->id,
		.version = c->version,
	};
}

static bool config_is_sane(const struct lw_split_config *c)
{
	const uint32_t known = LW_SPLIT_FAST | LW_SPLIT_PIC | LW_SPLIT_EXT_DEST;
	struct lw_ioapic_config io;

	if (!c || c->flags & ~known || !c->nvcpus || c->nvcpus > LW_SPLIT_MAX_VCPUS ||
	    c->msis > LW_SPLIT_MAX_GSI || c->pins + c->msis > LW_SPLIT_MAX_GSI)
		return false;
	io = ioapic_config(c);
	return lw_ioapic_size(&io) != 0;
}

static size_t place(size_t *at, size_t bytes)
{
	size_t here = lw_round_up(*at, LW_SPLIT_ALIGN);

	*at = here + bytes;
	return here;
}

static struct layout lay_out(const struct lw_split_config *c)
{
	struct lw_ioapic_config io = ioapic_config(c);
	size_t at = sizeof(struct lw_split);
	struct layout l;

	l.io = place(&at, lw_ioapic_size(&io));
	l.pic = place(&at, c->flags & LW_SPLIT_PIC ? LW_PIC_SIZE : 0);
	l.pin = place(&at, c->pins * sizeof(struct split_pin));
	l.vcpu = place(&at, c->nvcpus * sizeof(struct split_vcpu));
	l.msi = place(&at, c->msis * sizeof(struct split_msi));
	l.event = place(&at, (size_t)c->pins * EVENTS_PER_PIN * sizeof(struct split_event));
	l.table = place(&at, sizeof(struct kvm_irq_routing) +
				     (c->pins + c->msis) * sizeof(struct kvm_irq_routing_entry));
	l.end = lw_round_up(at, LW_SPLIT_ALIGN);
	return l;
}

size_t lw_split_size(const struct lw_split_config *config)
{
	return config_is_sane(config) ? lay_out(config).end : 0;
}

/* ---- locks and clocks ---- */

static void lock(void *ctx)
{
	struct lw_split *s = ctx;

	pthread_mutex_lock(&s->lock);
}

static void unlock(void *ctx)
{
	struct lw_split *s = ctx;

	pthread_mutex_unlock(&s->lock);
}

void lw_split_trouble(struct lw_split *s, int err)
{
	s->counters.failed++;
	s->trouble = err;
}

int lw_split_ioctl(const struct lw_split *s, int fd, unsigned long request, void *argument)
{
	int got = s->sys->ioctl(fd, request, (unsigned long)(uintptr_t)argument);

	return got < 0 ? -errno : got;
}

/* ---- what KVM is asked for at the start ---- */

static int has(const struct lw_split *s, unsigned long capability)
{
	int got = s->sys->ioctl(s->vm_fd, KVM_CHECK_EXTENSION, capability);

	return got < 0 ? 0 : got;
}

static int enable(const struct lw_split *s, uint32_t capability, uint64_t argument)
{
	struct kvm_enable_cap cap = {.cap = capability, .args = {argument}};
	int got = s->sys->ioctl(s->vm_fd, KVM_ENABLE_CAP, (unsigned long)(uintptr_t)&cap);

	return got < 0 ? -errno : 0;
}

/* An I/O APIC with an EOI register and one without want the opposite of KVM, which advertises
 * suppressed broadcasts and, left alone, broadcasts all the same. */
static uint64_t apic_api(const struct lw_split *s, uint8_t version)
{
	uint64_t known = (uint64_t)has(s, KVM_CAP_X2APIC_API), want = 0;
	uint64_t suppress =
		version >= 0x20 ? ENABLE_SUPPRESS_EOI_BROADCAST : DISABLE_SUPPRESS_EOI_BROADCAST;

	if (s->flags & LW_SPLIT_EXT_DEST)
		want = KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK;
	return want | (known & suppress);
}

static int prepare_kvm(struct lw_split *s, const struct lw_split_config *c)
{
	uint64_t api;
	int err;

	if (!has(s, KVM_CAP_SPLIT_IRQCHIP) || !has(s, KVM_CAP_SIGNAL_MSI))
		return -ENOTSUP;
	err = enable(s, KVM_CAP_SPLIT_IRQCHIP, c->pins);
	if (err < 0)
		return err == -EINVAL ? -ENOTSUP : err;
	api = apic_api(s, c->version);
	err = api ? enable(s, KVM_CAP_X2APIC_API, api) : 0;
	s->suppresses = api & ENABLE_SUPPRESS_EOI_BROADCAST;
	return err == -EINVAL ? -ENOTSUP : err;
}

/* ---- init and close ---- */

static int chips_init(struct lw_split *s, const struct lw_split_config *c, struct lw_pic *pic)
{
	static const struct lw_ioapic_ops quiet = {
		.lock = lock,
		.unlock = unlock,
		.deliver = lw_split_deliver,
		.route = lw_split_wrote,
		.took = lw_split_took,
		.resample = lw_split_resampled,
	};
	static const struct lw_ioapic_ops stormy = {
		.lock = lock,
		.unlock = unlock,
		.deliver = lw_split_deliver,
		.route = lw_split_wrote,
		.took = lw_split_took,
		.resample = lw_split_resampled,
		.storm = lw_split_storm,
	};
	struct lw_ioapic_config io = ioapic_config(c);
	int err;

	io.ops = s->ops->storm ? &stormy : &quiet;
	io.ctx = s;
	err = lw_ioapic_init(s->io, &io);
	return err < 0 || !pic ? err : lw_split_pic_init(s, pic);
}

static void tables_init(struct lw_split *s)
{
	for (uint32_t n = 0; n < s->pins; n++)
		s->pin[n].seen = LW_RTE_MASK;
	for (uint32_t n = 0; n < s->nvcpus; n++)
		s->vcpu[n].fd = -1;
	for (uint32_t n = 0; n < s->msis; n++)
		s->msi[n].irqfd = -1;
	for (uint32_t n = 0; n < s->max_events; n++)
		s->event[n].trigger = s->event[n].resample = -1;
}

static void locks_init(struct lw_split *s)
{
	pthread_mutex_init(&s->commit_lock, NULL);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->pic_lock, NULL);
	pthread_mutex_init(&s->event_lock, NULL);
}

static void locks_destroy(struct lw_split *s)
{
	pthread_mutex_destroy(&s->commit_lock);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->pic_lock);
	pthread_mutex_destroy(&s->event_lock);
}

static void lay(struct lw_split *s, const struct lw_split_config *c)
{
	static const struct lw_split_ops none;
	struct layout l = lay_out(c);
	unsigned char *at = (unsigned char *)s;

	memset(s, 0, l.end);
	s->ops = c->ops ? c->ops : &none;
	s->ctx = c->ctx;
	s->sys = c->sys ? c->sys : &lw_kvm_host;
	s->vm_fd = c->vm_fd;
	s->flags = c->flags;
	s->nvcpus = c->nvcpus;
	s->pins = c->pins;
	s->msis = c->msis;
	s->max_events = c->pins * EVENTS_PER_PIN;
	s->recommit_ns = c->recommit_ns ? c->recommit_ns : DEFAULT_NS;
	s->tokens = TOKENS;
	s->only = NOBODY;
	s->extint = -1;
	s->io = (void *)(at + l.io);
	s->pin = (void *)(at + l.pin);
	s->vcpu = (void *)(at + l.vcpu);
	s->msi = (void *)(at + l.msi);
	s->event = (void *)(at + l.event);
	s->table = (void *)(at + l.table);
}

int lw_split_init(struct lw_split *storage, const struct lw_split_config *config)
{
	struct lw_split *s = storage;
	struct lw_pic *pic = NULL;
	int err;

	if (!s || (uintptr_t)s % LW_SPLIT_ALIGN || !config_is_sane(config) ||
	    (config->flags & LW_SPLIT_PIC && (!config->ops || !config->ops->kick)))
		return -EINVAL;
	lay(s, config);
	tables_init(s);
	if (config->flags & LW_SPLIT_PIC)
		pic = (void *)((unsigned char *)s + lay_out(config).pic);
	locks_init(s);
	err = chips_init(s, config, pic);
	if (err == 0)
		err = prepare_kvm(s, config);
	if (err == 0)
		err = lw_split_events_init(s);
	if (err < 0)
		locks_destroy(s);
	return err;
}

void lw_split_close(struct lw_split *split)
{
	lw_split_msis_close(split);
	lw_split_events_close(split);
	locks_destroy(split);
}

/* ---- vCPUs ---- */

bool lw_split_named(const struct lw_split *s, uint32_t vcpu)
{
	return vcpu < s->nvcpus && s->vcpu[vcpu].fd >= 0;
}

int lw_split_vcpu(struct lw_split *split, uint32_t vcpu, int fd, uint32_t apic_id)
{
	uint32_t limit = split->flags & LW_SPLIT_EXT_DEST ? 0x7fff : 0xfe;
	int err = 0;

	if (vcpu >= split->nvcpus || fd < 0 || apic_id > limit)
		return -EINVAL;
	pthread_mutex_lock(&split->lock);
	for (uint32_t n = 0; n < split->nvcpus; n++)
		if (split->vcpu[n].fd >= 0 && (n == vcpu || split->vcpu[n].apic_id == apic_id))
			err = -EEXIST;
	if (err == 0) {
		split->vcpu[vcpu].fd = fd;
		split->vcpu[vcpu].apic_id = apic_id;
	}
	pthread_mutex_unlock(&split->lock);
	return err;
}

/* ---- what it shows ---- */

struct lw_ioapic *lw_split_ioapic(struct lw_split *split)
{
	return split->io;
}

struct lw_pic *lw_split_pic(struct lw_split *split)
{
	return split->pic;
}

struct lw_split_counters lw_split_counters(struct lw_split *split)
{
	struct lw_split_counters copy;

	pthread_mutex_lock(&split->lock);
	copy = split->counters;
	pthread_mutex_unlock(&split->lock);
	return copy;
}
