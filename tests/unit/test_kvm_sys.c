/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "kvm/cases.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

/* A host made up for the test. */
static struct {
	int open_errno;
	int version;
	int split;
	int irqchip;
	int closed;
} host;

static int fake_open(const char *path)
{
	(void)path;
	errno = host.open_errno;
	return host.open_errno ? -1 : 3;
}

static int fake_ioctl(int fd, unsigned long request, unsigned long argument)
{
	assert_int_equal(fd, 3);
	if (request == KVM_GET_API_VERSION)
		return host.version;
	assert_int_equal(request, KVM_CHECK_EXTENSION);
	if (argument == KVM_CAP_SPLIT_IRQCHIP)
		return host.split;
	return argument == KVM_CAP_IRQCHIP ? host.irqchip : 0;
}

static void fake_close(int fd)
{
	assert_int_equal(fd, 3);
	host.closed++;
}

static const struct lw_kvm_sys fake = {fake_open, fake_ioctl, fake_close};

static int open_fake(struct lw_kvm *kvm, struct lw_reason *reason)
{
	reason->text[0] = '\0';
	return lw_kvm_open(kvm, "/dev/kvm", &fake, reason);
}

static int new_host(void **state)
{
	(void)state;
	memset(&host, 0, sizeof(host));
	host.version = KVM_API_VERSION;
	host.split = host.irqchip = 1;
	return 0;
}

static void a_whole_host_is_taken(void **state)
{
	struct lw_reason reason;
	struct lw_kvm kvm;

	(void)state;
	assert_int_equal(open_fake(&kvm, &reason), 0);
	assert_true(kvm.split && kvm.inkernel && !kvm.stats);
	assert_string_equal(reason.text, "");
}

static void no_device_and_no_permission_are_told_apart(void **state)
{
	struct lw_reason reason;
	struct lw_kvm kvm;

	(void)state;
	host.open_errno = ENOENT;
	assert_int_equal(open_fake(&kvm, &reason), -ENOENT);
	assert_non_null(strstr(reason.text, "no KVM here"));
	host.open_errno = EACCES;
	assert_int_equal(open_fake(&kvm, &reason), -EACCES);
	assert_non_null(strstr(reason.text, "no permission for KVM"));
	host.open_errno = EBUSY;
	assert_int_equal(open_fake(&kvm, &reason), -EBUSY);
	assert_non_null(strstr(reason.text, "busy"));
}

static void another_api_version_is_refused(void **state)
{
	struct lw_reason reason;
	struct lw_kvm kvm;

	(void)state;
	host.version = 10;
	assert_true(open_fake(&kvm, &reason) < 0);
	assert_non_null(strstr(reason.text, "API version 10, this needs 12"));
	assert_int_equal(host.closed, 1);
	host.version = -1;
	assert_true(open_fake(&kvm, &reason) < 0);
	assert_non_null(strstr(reason.text, "is not KVM"));
}

static void modes_not_offered_cannot_be_told(void **state)
{
	struct lw_mode_result modes[LW_PROBE_MODES];
	struct lw_reason reason;
	struct lw_kvm kvm;
	struct lw_probe probe = {.kvm = &kvm, .count = 2};

	(void)state;
	host.split = host.irqchip = 0;
	assert_int_equal(open_fake(&kvm, &reason), 0);
	lw_probe_run(&probe, modes);
	assert_int_equal(modes[0].verdict, LW_CANNOT_TELL);
	assert_non_null(strstr(modes[0].reason.text, "no split irqchip"));
	assert_int_equal(modes[1].verdict, LW_CANNOT_TELL);
	assert_int_equal(lw_verdict_exit_status(modes, LW_PROBE_MODES), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_whole_host_is_taken, new_host),
		cmocka_unit_test_setup(no_device_and_no_permission_are_told_apart, new_host),
		cmocka_unit_test_setup(another_api_version_is_refused, new_host),
		cmocka_unit_test_setup(modes_not_offered_cannot_be_told, new_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
