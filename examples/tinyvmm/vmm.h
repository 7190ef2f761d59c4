/* SPDX-License-Identifier: MIT */
#ifndef TINYVMM_VMM_H
#define TINYVMM_VMM_H

/*
 * tinyvmm: a small virtual machine monitor around Lapwing.
 *
 *   cli.c       options                     machine.c   the VM, its memory, how it ends
 *   linux.c     loads a bzImage             cpu.c       a vCPU: CPUID, registers, thread, exits
 *   multiboot.c loads a multiboot image     bus.c       who answers which port
 *   acpi.c      tables the guest finds      platform.c  power, reset, PM timer, CMOS, exit port
 *   serial.c    COM1                        pci.c       PCI configuration, one device
 *   disk.c      virtio-blk                  report.c    the counters at the end
 *   events.c    reads eventfds for them     start.c     the state that vCPU 0 starts in
 *   irq_kernel.c, irq_split.c, irq_user.c   where the interrupt controllers are
 *
 * Threads: one for each vCPU, one for the disk, the main one, which waits for the end; and one that
 * reads the disk's eventfd where Lapwing and not the kernel does.
 */

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define TV_PINS       24u /* of the I/O APIC */
#define TV_IRQ_SERIAL 4u
#define TV_IRQ_SCI    9u
#define TV_IRQ_DISK   16u

/* Guest-physical memory. */
#define TV_LOW_RAM_END 0x9fc00u
#define TV_ACPI        0xe0000u
#define TV_HIGH_RAM    0x100000u
#define TV_LOW_LIMIT   0xc0000000u /* RAM ends here at the latest, and goes on at 4 GiB */
#define TV_4G          0x100000000ull
#define TV_PCI_WINDOW  0xd0000000u
#define TV_IOAPIC_ADDR 0xfec00000u
#define TV_LAPIC_ADDR  0xfee00000u

/* Ports. */
#define TV_PORT_EXIT    0xf4
#define TV_PORT_PM      0x600 /* PM1 event block, control block at + 4, timer at + 8 */
#define TV_PORT_DISK    0xc000
#define TV_PORT_IO_BASE 0xc000 /* what PCI devices may have */

enum tv_irqchip { TV_KERNEL, TV_SPLIT, TV_USER };

/* How the guest came to its end. */
enum tv_end {
	TV_RUNNING,
	TV_POWERED_OFF,
	TV_WAS_RESET,
	TV_EXIT_PORT,
	TV_TIMED_OUT,
	TV_BROKE, /* KVM could not go on, or the guest shut down by a triple fault */
};

struct tv_options {
	const char *program; /* for messages */
	const char *device;
	const char *kernel;
	const char *initrd;
	const char *append;
	const char *disk;
	enum tv_irqchip irqchip;
	unsigned cpus;
	uint64_t memory; /* bytes */
	unsigned timeout;
	bool immediate; /* split: commit each route at once, as others do */
	bool lazy;      /* user: the policy lazy and not armed */
	bool policy;    /* one of them was asked for */
	bool json;
};

#define TV_EXIT_REASONS 64 /* kvm_run.exit_reason that are counted */

struct tv_cpu {
	struct tv *vm;
	unsigned number;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;
	_Atomic(pid_t) tid;              /* 0 until it runs */
	uint64_t exits[TV_EXIT_REASONS]; /* its thread's */
};

struct tv_irq_ops;
struct tv_disk;
struct tv_serial;

struct tv {
	struct tv_options options;
	int kvm, fd;
	size_t run_size;
	uint8_t *ram;
	uint64_t ram_low; /* bytes below 4 GiB; the rest stands above */
	struct tv_cpu *cpu;
	const struct tv_irq_ops *irq;
	void *irqchip; /* its own */
	struct tv_serial *serial;
	struct tv_disk *disk;
	/* What the guest wrote into CONFIG_ADDRESS, and into the disk's BAR. */
	_Atomic(uint32_t) pci_address, pci_bar;
	_Atomic(uint32_t) pm1_enable;
	/* How vCPU 0 starts: in long mode, or else in 32-bit mode without paging. */
	struct kvm_regs start;
	bool long_mode;
	/* How it ends. */
	int ended_fd; /* an eventfd */
	_Atomic(int) end;
	_Atomic(bool) stop;
	_Atomic(int) status; /* with TV_EXIT_PORT, the first that was written: odd; 0: none */
	char broken[200];    /* why, with TV_BROKE */
	uint64_t milliseconds;
};

/* Where the interrupt controllers are. Lines come from any thread. */
struct tv_irq_ops {
	/* Make them: before there are vCPUs. */
	int (*create)(struct tv *vm);
	/* Take out of a vCPU's CPUID, or put in, what depends on them. May be null. */
	void (*cpuid)(struct tv *vm, struct kvm_cpuid2 *cpuid);
	/* A vCPU has been made. May be null. */
	int (*add_cpu)(struct tv_cpu *cpu);
	/* The vCPU's own thread, before and after it runs. May be null. */
	int (*enter_thread)(struct tv_cpu *cpu);
	void (*leave_thread)(struct tv_cpu *cpu);
	/* KVM_RUN and what belongs around it, on the vCPU's thread. 1: the exit in cpu->run is for
	 * the VMM; 0: go on; or a negative errno. */
	int (*run)(struct tv_cpu *cpu);
	int (*isa_line)(struct tv *vm, unsigned irq, bool level);
	/* A level-triggered pin's eventfds, as KVM's resampling irqfds: a signal raises the line,
	 * the EOI lowers it and signals `resample`. */
	int (*attach)(struct tv *vm, unsigned gsi, int trigger, int resample);
	/* Tell tv_count() what there is to tell. */
	void (*report)(struct tv *vm, void *report);
	/* Also after a create that failed; all threads have ended. */
	void (*destroy)(struct tv *vm);
};

extern const struct tv_irq_ops tv_irq_kernel, tv_irq_split, tv_irq_user;

/* irq_kernel.c: what goes with LAPICs in the kernel. */
void tv_kernel_lapic_cpuid(struct tv *vm, struct kvm_cpuid2 *cpuid);

/* cli.c. The whole program: returns its exit status. */
int tv_main(int argc, char **argv);
/* "PROGRAM: MESSAGE" on standard error, with strerror(-err) if err is neither 0 nor -EPROTO, which
 * is for what the message says already; returns err. */
int tv_error(const struct tv *vm, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* machine.c */
int tv_create(struct tv *vm);
/* Runs the guest until its end; returns 0, or a negative errno if it could not begin. */
int tv_run(struct tv *vm);
void tv_destroy(struct tv *vm);
/* The guest's end: the first call counts. Any thread. */
void tv_finish(struct tv *vm, enum tv_end end);
void tv_broke(struct tv *vm, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Guest-physical memory, or null if not all of it is RAM. */
void *tv_memory(struct tv *vm, uint64_t address, uint64_t size);
/* A whole file in memory, to be freed; null, and it said why. */
void *tv_read_file(struct tv *vm, const char *path, const char *what, size_t *size);

/* linux.c, multiboot.c. 0, or a negative errno and it said why; -ENOEXEC: not this kind, nothing
 * said. */
int tv_load_linux(struct tv *vm, const uint8_t *image, size_t size);
int tv_load_multiboot(struct tv *vm, const uint8_t *image, size_t size);
/* Builds what a start in long mode needs: page tables for 4 GiB, and the GDT for either mode. */
void tv_long_mode_tables(struct tv *vm);
int tv_start_registers(struct tv_cpu *cpu);

/* acpi.c. Returns the address of the RSDP. */
uint64_t tv_acpi_build(struct tv *vm);

/* cpu.c */
int tv_cpu_create(struct tv *vm, unsigned number);
int tv_cpu_start(struct tv_cpu *cpu);
void tv_cpu_stop(struct tv_cpu *cpu);
void tv_cpu_destroy(struct tv_cpu *cpu);
void tv_cpu_kick(struct tv_cpu *cpu);
int tv_kick_signal(void);
/* KVM_RUN alone, in the form of tv_irq_ops.run. */
int tv_kvm_run(struct tv_cpu *cpu);

/* bus.c. Accesses of one, two or four bytes; what nobody answers reads as ones. */
void tv_port_access(struct tv *vm, uint16_t port, bool write, uint8_t *data, unsigned size);

/* Each answers true if the port is its own. */
bool tv_platform_port(struct tv *vm, uint16_t port, bool write, uint8_t *data, unsigned size);
bool tv_serial_port(struct tv *vm, uint16_t port, bool write, uint8_t *data, unsigned size);
bool tv_pci_port(struct tv *vm, uint16_t port, bool write, uint8_t *data, unsigned size);
bool tv_disk_port(struct tv *vm, uint16_t port, bool write, uint8_t *data, unsigned size);

int tv_serial_create(struct tv *vm);
void tv_serial_destroy(struct tv *vm);

/* disk.c */
int tv_disk_create(struct tv *vm);
void tv_disk_destroy(struct tv *vm);
/* Carries out what the guest has put in the queue: its thread does. */
void tv_disk_serve(struct tv *vm);
void tv_disk_report(struct tv *vm, void *report);

/* events.c */
struct tv_events {
	int poll_fd; /* when it is readable, serve(backend) */
	void (*serve)(void *backend);
	void *backend;
	int stop_fd;
	pthread_t thread;
	bool started;
};

int tv_events_start(struct tv_events *events);
void tv_events_stop(struct tv_events *events);

/* report.c */
void tv_count(void *report, const char *name, uint64_t value, const char *what);
void tv_report(struct tv *vm);
const char *tv_end_name(enum tv_end end);

#endif
