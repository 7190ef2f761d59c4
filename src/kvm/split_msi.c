/* SPDX-License-Identifier: MIT */
/*
 * MSIs of the VMM's own devices, in the same table as the pins: only those that an irqfd needs,
 * because KVM takes the whole table each time and is slower the longer it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <lapwing/msi.h>
#include <unistd.h>

#include "kvm/split_priv.h"

#define EXT_DEST_BITS  0xfe0u /* of an address: destination bits 14…8 */
#define EXT_DEST_SHIFT 5

static int parse(const struct lw_split *s, uint64_t address, uint32_t data,
		 struct split_route *route)
{
	bool ext = (s->flags & LW_SPLIT_EXT_DEST) != 0;
	struct lw_msg msg;
	int err = lw_msi_decode(address, data, ext ? LW_MSI_EXT_DEST : 0, &msg);

	if (err < 0)
		return err;
	*route = (struct split_route){
		.lo = (uint32_t)address & ~EXT_DEST_BITS,
		.hi = ext ? ((uint32_t)address & EXT_DEST_BITS) >> EXT_DEST_SHIFT << 8 : 0,
		.data = data & 0xffffu,
	};
	return 0;
}

int lw_split_msi_send(struct lw_split *split, uint64_t address, uint32_t data)
{
	struct split_route route;
	int took = parse(split, address, data, &route);

	if (took < 0)
		return took;
	pthread_mutex_lock(&split->lock);
	took = lw_split_signal(split, &route);
	if (took < 0)
		split->counters.failed++;
	pthread_mutex_unlock(&split->lock);
	return took;
}

/* ---- GSIs ---- */

static struct split_msi *find(struct lw_split *s, uint32_t gsi)
{
	if (gsi < s->pins || gsi - s->pins >= s->msis || !s->msi[gsi - s->pins].used)
		return NULL;
	return &s->msi[gsi - s->pins];
}

int lw_split_msi_alloc(struct lw_split *split)
{
	int gsi = -ENOSPC;

	pthread_mutex_lock(&split->commit_lock);
	for (uint32_t n = 0; n < split->msis && gsi < 0; n++) {
		if (split->msi[n].used)
			continue;
		split->msi[n].route = (struct split_route){0};
		split->msi[n].used = true;
		gsi = (int)(split->pins + n);
	}
	pthread_mutex_unlock(&split->commit_lock);
	return gsi;
}

/* The table has changed, or does if `shown`. With the commit mutex. */
static void touch(struct lw_split *s, bool shown, uint32_t why)
{
	pthread_mutex_lock(&s->lock);
	if (shown || !(s->flags & LW_SPLIT_QUIET))
		s->force |= why;
	pthread_mutex_unlock(&s->lock);
}

/* With the commit mutex KVM is being given no table: what it has not by then is yet to be
 * installed, unless lw_split_hold() keeps it back. */
static bool is_owed(struct lw_split *s, const struct split_msi *msi, uint32_t count)
{
	bool owed, known = true;

	pthread_mutex_lock(&s->commit_lock);
	for (uint32_t n = 0; n < count && known; n++)
		known = lw_split_msi_is_known(&msi[n]);
	pthread_mutex_lock(&s->lock);
	owed = !known && lw_split_forced(s);
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_unlock(&s->commit_lock);
	return owed;
}

/* By its return KVM has where these MSIs lead, also if it is another thread that tells it, or
 * can't: lw_split_install() does not wait for that one. */
static int install(struct lw_split *s, const struct split_msi *msi, uint32_t count)
{
	int got;

	do
		got = lw_split_install(s);
	while (got == 0 && is_owed(s, msi, count));
	return got < 0 ? got : 0;
}

static int lead(struct lw_split *s, uint32_t gsi, const struct split_route *route)
{
	struct split_msi *msi;

	pthread_mutex_lock(&s->commit_lock);
	msi = find(s, gsi);
	if (msi && !lw_split_same(&msi->route, route)) {
		msi->route = *route;
		touch(s, msi->irqfd >= 0, FORCE_MSI);
	}
	pthread_mutex_unlock(&s->commit_lock);
	return msi ? lw_split_tell(s, 0, install(s, msi, 1)) : -EINVAL;
}

int lw_split_msi_route(struct lw_split *split, uint32_t gsi, uint64_t address, uint32_t data)
{
	struct split_route route;
	int err = parse(split, address, data, &route);

	return err < 0 ? err : lead(split, gsi, &route);
}

int lw_split_msi_mask(struct lw_split *split, uint32_t gsi)
{
	const struct split_route nowhere = {0};

	return lead(split, gsi, &nowhere);
}

/* ---- irqfds ---- */

static int tell_kvm(struct lw_split *s, uint32_t gsi, int fd, uint32_t flags)
{
	struct kvm_irqfd irqfd = {.fd = (uint32_t)fd, .gsi = gsi, .flags = flags};
	int err = s->sys->ioctl(s->vm_fd, KVM_IRQFD, (unsigned long)(uintptr_t)&irqfd);

	return err < 0 ? -errno : 0;
}

/* With the commit mutex. The route goes with the next table; nothing uses it. */
static int end_irqfd(struct lw_split *s, uint32_t gsi, struct split_msi *msi)
{
	int err = 0;

	if (msi->irqfd < 0)
		return -ENOENT;
	err = tell_kvm(s, gsi, msi->irqfd, KVM_IRQFD_FLAG_DEASSIGN);
	close(msi->irqfd);
	msi->irqfd = -1;
	return err;
}

/* The route is installed before the irqfd is, or what is signalled between would be lost, or go
 * where the GSI's last irqfd led. So it doesn't wait for lw_split_release(). */
static int begin_irqfd(struct lw_split *s, uint32_t gsi, int fd)
{
	int duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0), err = 0;
	struct split_msi *msi;

	if (duplicate < 0)
		return -errno;
	pthread_mutex_lock(&s->commit_lock);
	msi = find(s, gsi);
	if (!msi || msi->irqfd >= 0) {
		err = msi ? -EBUSY : -EINVAL;
	} else {
		msi->irqfd = duplicate;
		touch(s, !lw_split_same(&msi->route, &msi->shown), FORCE_IRQFD);
	}
	pthread_mutex_unlock(&s->commit_lock);
	if (err < 0) {
		close(duplicate);
		return err;
	}
	err = install(s, msi, 1);
	if (err == 0)
		err = tell_kvm(s, gsi, duplicate, 0);
	if (err < 0) {
		pthread_mutex_lock(&s->commit_lock);
		close(msi->irqfd);
		msi->irqfd = -1;
		pthread_mutex_unlock(&s->commit_lock);
	}
	return err;
}

int lw_split_msi_irqfd(struct lw_split *split, uint32_t gsi, int fd)
{
	struct split_msi *msi;
	int err;

	if (fd >= 0)
		return begin_irqfd(split, gsi, fd);
	pthread_mutex_lock(&split->commit_lock);
	msi = find(split, gsi);
	err = msi ? end_irqfd(split, gsi, msi) : -EINVAL;
	pthread_mutex_unlock(&split->commit_lock);
	return err;
}

int lw_split_msi_free(struct lw_split *split, uint32_t gsi)
{
	struct split_msi *msi;
	int err = 0;

	pthread_mutex_lock(&split->commit_lock);
	msi = find(split, gsi);
	if (msi) {
		err = end_irqfd(split, gsi, msi);
		msi->used = false;
	}
	pthread_mutex_unlock(&split->commit_lock);
	if (!msi)
		return -EINVAL;
	return err == -ENOENT ? 0 : err;
}

void lw_split_msis_close(struct lw_split *s)
{
	for (uint32_t n = 0; n < s->msis; n++)
		if (s->msi[n].irqfd >= 0)
			(void)end_irqfd(s, s->pins + n, &s->msi[n]);
}

/* ---- several at once ---- */

void lw_split_hold(struct lw_split *split)
{
	pthread_mutex_lock(&split->lock);
	split->held++;
	pthread_mutex_unlock(&split->lock);
}

int lw_split_release(struct lw_split *split)
{
	pthread_mutex_lock(&split->lock);
	if (split->held)
		split->held--;
	pthread_mutex_unlock(&split->lock);
	return lw_split_tell(split, 0, install(split, split->msi, split->msis));
}
