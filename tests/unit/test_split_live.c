/* SPDX-License-Identifier: MIT */
/* On this host's KVM: where a vector of the 8259s is that lw_split_enter() has given to it. */
#include "test.h"

#include <lapwing/kvm.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define KICK    SIGRTMIN
#define MEMORY  0x10000u
#define CODE    0x1000u
#define HANDLER 0x1100u
#define TAKEN   0x2000u
#define VECTOR  0x34u

static int kvm_fd, vm_fd, vcpu_fd;
static size_t run_size;
static struct kvm_run *run;
static unsigned char *memory;
static struct lw_split *split;

static void on_kick(int number)
{
	(void)number;
}

static void kick(void *ctx, uint32_t vcpu)
{
	(void)ctx;
	(void)vcpu;
	pthread_kill(pthread_self(), KICK);
}

static int must(int got)
{
	assert_true(got >= 0);
	return got;
}

static void make_split(void)
{
	static const struct lw_split_ops ops = {.kick = kick};
	const struct lw_split_config config = {.ops = &ops,
					       .vm_fd = vm_fd,
					       .flags = LW_SPLIT_FAST | LW_SPLIT_PIC,
					       .nvcpus = 1,
					       .pins = 24,
					       .version = 0x11};

	split = aligned_alloc(LW_SPLIT_ALIGN, lw_split_size(&config));
	assert_non_null(split);
	must(lw_split_init(split, &config));
}

/* Real mode: sti; hlt; and back. The handler counts. */
static void load_guest(void)
{
	static const unsigned char loop[] = {0xfb, 0xf4, 0xeb, 0xfd};
	static const unsigned char handler[] = {0xfe, 0x06, 0x00, 0x20, 0xcf};
	struct kvm_userspace_memory_region region = {.memory_size = MEMORY};

	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
	region.userspace_addr = (uintptr_t)memory;
	must(ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region));
	memcpy(memory + CODE, loop, sizeof(loop));
	memcpy(memory + HANDLER, handler, sizeof(handler));
	memory[4 * VECTOR + 1] = HANDLER >> 8;
}

static void make_vcpu(void)
{
	struct kvm_regs regs = {.rip = CODE, .rflags = 2, .rsp = MEMORY / 2};
	struct kvm_sregs sregs;

	vcpu_fd = must(ioctl(vm_fd, KVM_CREATE_VCPU, 0ul));
	run_size = (size_t)must(ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0ul));
	run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_fd, 0);
	assert_true(run != MAP_FAILED);
	must(lw_split_vcpu(split, 0, vcpu_fd, 0));
	must(ioctl(vcpu_fd, KVM_GET_SREGS, &sregs));
	sregs.cs.base = sregs.cs.selector = 0;
	must(ioctl(vcpu_fd, KVM_SET_SREGS, &sregs));
	must(ioctl(vcpu_fd, KVM_SET_REGS, &regs));
}

/* The kick waits, but in KVM_RUN. */
static void block_kick(void)
{
	uint32_t room[sizeof(struct kvm_signal_mask) / 4 + 2] = {8};
	sigset_t set;

	signal(KICK, on_kick);
	sigemptyset(&set);
	sigaddset(&set, KICK);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	must(ioctl(vcpu_fd, KVM_SET_SIGNAL_MASK, room));
}

static void forget_kicks(void)
{
	const struct timespec none = {0};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, KICK);
	while (sigtimedwait(&set, NULL, &none) > 0)
		;
}

/* Until a kick some time later. */
static void run_for_a_while(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = KICK};
	const struct itimerspec when = {.it_value = {.tv_nsec = 100000000}};
	timer_t timer;

	must(timer_create(CLOCK_MONOTONIC, &event, &timer));
	must(timer_settime(timer, 0, &when, NULL));
	assert_int_equal(ioctl(vcpu_fd, KVM_RUN, 0ul), -1);
	assert_int_equal(errno, EINTR);
	must(timer_delete(timer));
	forget_kicks();
}

static void run_with_the_kick_pending(void)
{
	assert_int_equal(ioctl(vcpu_fd, KVM_RUN, 0ul), -1);
	assert_int_equal(errno, EINTR);
}

static struct kvm_vcpu_events events(void)
{
	struct kvm_vcpu_events e;

	must(ioctl(vcpu_fd, KVM_GET_VCPU_EVENTS, &e));
	return e;
}

static void out(uint16_t port, uint8_t value)
{
	lw_pic_write(lw_split_pic(split), port, value, 1);
}

/* A halted vCPU takes its first KVM_RUN for waking up, and begins to deliver in the second. */
static void check_the_vector(void)
{
	run_for_a_while();
	assert_true(run->if_flag && run->ready_for_interrupt_injection);
	must(lw_split_isa_line(split, 4, 0, true));
	must(lw_split_enter(split, 0, run));
	assert_int_equal(run->ready_for_interrupt_injection, 0);
	pthread_kill(pthread_self(), KICK);
	run_with_the_kick_pending();
	print_message("# NOTE after the first KVM_RUN: %d\n", events().interrupt.injected);
	run_with_the_kick_pending();
	assert_int_equal(events().interrupt.injected, 1);
	assert_int_equal(events().interrupt.nr, VECTOR);
	assert_int_equal(memory[TAKEN], 0);
	forget_kicks();
	run_for_a_while();
	assert_int_equal(memory[TAKEN], 1);
}

static bool open_kvm(void)
{
	kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vm_fd = kvm_fd < 0 ? -1 : ioctl(kvm_fd, KVM_CREATE_VM, 0ul);
	return vm_fd >= 0 && ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SPLIT_IRQCHIP) > 0;
}

static void make(void)
{
	load_guest();
	make_split();
	make_vcpu();
	block_kick();
	out(0x20, 0x11);
	out(0x21, 0x30);
	out(0x21, 4);
	out(0x21, 1);
}

static void a_vector_is_in_kvms_state_once_kvm_run_was_called_again(void **state)
{
	(void)state;
	if (!open_kvm())
		lw_test_skip("no KVM with a split irqchip");
	make();
	check_the_vector();
	lw_split_close(split);
	free(split);
	munmap(run, run_size);
	munmap(memory, MEMORY);
	close(vcpu_fd);
	close(vm_fd);
	close(kvm_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vector_is_in_kvms_state_once_kvm_run_was_called_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
