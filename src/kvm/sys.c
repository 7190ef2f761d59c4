/* SPDX-License-Identifier: MIT */
#include "kvm/sys.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int lw_reason_set(struct lw_reason *reason, int err, const char *format, ...)
{
	va_list args;
	size_t used;

	va_start(args, format);
	vsnprintf(reason->text, sizeof(reason->text), format, args);
	va_end(args);
	used = strlen(reason->text);
	if (err != -EPROTO)
		snprintf(reason->text + used, sizeof(reason->text) - used, ": %s", strerror(-err));
	return err;
}

static int explain_open(const char *path, int err, struct lw_reason *reason)
{
	if (err == -ENOENT || err == -ENODEV || err == -ENXIO)
		return lw_reason_set(reason, err,
				     "no KVM here: load kvm-intel or kvm-amd and see that the "
				     "firmware has virtualization on (%s)",
				     path);
	if (err == -EACCES || err == -EPERM)
		return lw_reason_set(reason, err,
				     "no permission for KVM: run as root or join the group that "
				     "owns the device (%s)",
				     path);
	return lw_reason_set(reason, err, "%s", path);
}

int lw_kvm_open(struct lw_kvm *kvm, const char *path, const struct lw_kvm_sys *sys,
		struct lw_reason *reason)
{
	int version;

	*kvm = (struct lw_kvm){.fd = sys->open(path)};
	if (kvm->fd < 0)
		return explain_open(path, -errno, reason);
	version = sys->ioctl(kvm->fd, KVM_GET_API_VERSION, 0);
	if (version == KVM_API_VERSION) {
		kvm->split = sys->ioctl(kvm->fd, KVM_CHECK_EXTENSION, KVM_CAP_SPLIT_IRQCHIP) > 0;
		kvm->inkernel = sys->ioctl(kvm->fd, KVM_CHECK_EXTENSION, KVM_CAP_IRQCHIP) > 0;
		kvm->stats = sys->ioctl(kvm->fd, KVM_CHECK_EXTENSION, KVM_CAP_BINARY_STATS_FD) > 0;
		return 0;
	}
	if (version < 0)
		lw_reason_set(reason, -EPROTO, "%s is not KVM", path);
	else
		lw_reason_set(reason, -EPROTO, "%s speaks KVM API version %d, this needs %d", path,
			      version, KVM_API_VERSION);
	sys->close(kvm->fd);
	kvm->fd = -1;
	return -EPROTO;
}
