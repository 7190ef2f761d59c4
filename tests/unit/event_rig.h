/* SPDX-License-Identifier: MIT */
/*
 * Whoever has the other end of an eventfd, at the worst instant: between a question of the
 * backend's and what follows from the answer. And kernels that lack what the backend prefers. For
 * programs that wrap poll, syscall and preadv64v2.
 */
#ifndef LAPWING_EVENT_RIG_H
#define LAPWING_EVENT_RIG_H

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct {
	int fills;   /* is filled before anything is written to it; or -1 */
	bool steals; /* reads what the backend is about to read */
	bool no_aio;
	bool no_nowait;
	uint32_t filled, stolen, submitted;
} peer = {.fills = -1};

int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, long a, long b, long c, long d, long e);
ssize_t __real_preadv64v2(int fd, const struct iovec *iov, int count, off_t offset, int flags);
ssize_t __wrap_preadv64v2(int fd, const struct iovec *iov, int count, off_t offset, int flags);

/* What an eventfd holds, and no longer does; 0 if nothing. */
static uint64_t count_of(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	eventfd_t count = 0;

	if (__real_poll(&ready, 1, 0) == 1)
		assert_int_equal(eventfd_read(fd, &count), 0);
	return count;
}

static void peer_fills(void)
{
	if (peer.fills < 0)
		return;
	assert_int_equal(fcntl(peer.fills, F_SETFL, O_NONBLOCK), 0);
	while (eventfd_write(peer.fills, UINT64_MAX - 1) < 0) {
		eventfd_t count;

		assert_int_equal(errno, EAGAIN);
		assert_int_equal(eventfd_read(peer.fills, &count), 0);
	}
	assert_int_equal(fcntl(peer.fills, F_SETFL, 0), 0);
	peer.filled++;
}

static void peer_steals(int fd)
{
	eventfd_t count;

	if (!peer.steals)
		return;
	if (eventfd_read(fd, &count) == 0)
		peer.stolen++;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	int ready = __real_poll(fds, count, timeout);

	if (fds[0].events == POLLOUT)
		peer_fills();
	return ready;
}

long __wrap_syscall(long number, long a, long b, long c, long d, long e)
{
	if (number == SYS_io_setup && peer.no_aio) {
		errno = ENOSYS;
		return -1;
	}
	if (number == SYS_io_submit) {
		peer_fills();
		peer.submitted++;
	}
	return __real_syscall(number, a, b, c, d, e);
}

ssize_t __wrap_preadv64v2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	if (__real_poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1)
		peer_steals(fd);
	if (flags && peer.no_nowait) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return __real_preadv64v2(fd, iov, count, offset, flags);
}

static inline void peer_is_nobody(void)
{
	memset(&peer, 0, sizeof(peer));
	peer.fills = -1;
}

#endif
