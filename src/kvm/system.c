/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <lapwing/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int host_open(const char *path)
{
	return open(path, O_RDWR | O_CLOEXEC);
}

static int host_ioctl(int fd, unsigned long request, unsigned long argument)
{
	return ioctl(fd, request, argument);
}

static void host_close(int fd)
{
	close(fd);
}

const struct lw_kvm_sys lw_kvm_host = {host_open, host_ioctl, host_close};
