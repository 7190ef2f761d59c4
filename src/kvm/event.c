/* SPDX-License-Identifier: MIT */
#include "kvm/event.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/*
 * The flag that says not to wait is that of the file, and so everybody's who has it. A read can be
 * told by itself, a write can't; but a request of asynchronous I/O that ends signals an eventfd as
 * the kernel's own interrupts do, without ever waiting. The request reads an eventfd of ours, which
 * has nothing, and so ends at once.
 */
static int submit(const struct lw_events *e, int fd)
{
	struct iocb request = {.aio_fildes = (uint32_t)e->own,
			       .aio_lio_opcode = IOCB_CMD_PREAD,
			       .aio_flags = IOCB_FLAG_RESFD,
			       .aio_resfd = (uint32_t)fd};
	struct iocb *requests = &request;
	struct timespec none = {0};
	struct io_event done;

	if (syscall(SYS_io_submit, e->aio, 1L, &requests) != 1)
		return -errno;
	(void)syscall(SYS_io_getevents, e->aio, 0L, 1L, &done, &none);
	return 0;
}

void lw_events_init(struct lw_events *e)
{
	*e = (struct lw_events){.own = -1};
}

static void close_aio(struct lw_events *e)
{
	if (e->aio)
		(void)syscall(SYS_io_destroy, e->aio);
	e->aio = 0;
}

void lw_events_close(struct lw_events *e)
{
	close_aio(e);
	if (e->own >= 0)
		close(e->own);
	e->own = -1;
}

/* Kernels without asynchronous I/O, and before 5.8 without it for eventfds, are told from others by
 * a trial. */
static void open_aio(struct lw_events *e)
{
	uint64_t count;

	if (syscall(SYS_io_setup, 1L, &e->aio) < 0)
		e->aio = 0;
	else if (submit(e, e->own) < 0 || read(e->own, &count, sizeof(count)) < 0)
		close_aio(e);
}

int lw_events_open(struct lw_events *e)
{
	if (e->own >= 0)
		return 0;
	e->own = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e->own < 0)
		return -errno;
	open_aio(e);
	return 0;
}

/* An eventfd's inode is of no type; a pipe or socket whose other end is gone would kill us, or be
 * readable for ever. */
int lw_event_check(int fd)
{
	struct stat s;

	if (fstat(fd, &s) < 0)
		return -errno;
	return s.st_mode & S_IFMT ? -EINVAL : 0;
}

static ssize_t read_now(int fd, uint64_t *count)
{
	struct iovec into = {.iov_base = count, .iov_len = sizeof(*count)};

	return preadv2(fd, &into, 1, -1, RWF_NOWAIT);
}

static bool is_ready(int fd, short events)
{
	struct pollfd ready = {.fd = fd, .events = events};

	return poll(&ready, 1, 0) == 1 && ready.revents & events;
}

/* Linux before 5.8 can't be told not to wait for an eventfd, so whoever else reads this one between
 * the question and the read makes us wait. Later kernels can, and what they can't is no eventfd. */
static ssize_t read_as_ever(const struct lw_events *e, int fd, uint64_t *count)
{
	uint64_t none;

	if (read_now(e->own, &none) >= 0 || errno != EOPNOTSUPP) {
		errno = EINVAL;
		return -1;
	}
	if (is_ready(fd, POLLIN))
		return read(fd, count, sizeof(*count));
	errno = EAGAIN;
	return -1;
}

int lw_event_take(const struct lw_events *e, int fd)
{
	uint64_t count;
	ssize_t got = read_now(fd, &count);

	if (got < 0 && errno == EOPNOTSUPP)
		got = read_as_ever(e, fd, &count);
	if (got == (ssize_t)sizeof(count))
		return 1;
	if (got >= 0)
		return -EINVAL;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

/* Without asynchronous I/O whoever fills it between the question and the write makes us wait. */
int lw_event_tell(const struct lw_events *e, int fd)
{
	const uint64_t one = 1;

	if (e->aio)
		return submit(e, fd);
	if (!is_ready(fd, POLLOUT))
		return 0;
	return write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN ? -errno : 0;
}
