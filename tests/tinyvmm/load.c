/* SPDX-License-Identifier: MIT */
/*
 * Runs inside the guest of tests/tinyvmm: reads the disk by single sectors past the page cache
 * while one thread moves the disk's interrupt from CPU to CPU and two more wake each other across
 * CPUs (IPIs, and timers). Each sector is checked: tinyvmm's built-in disk says in every eight
 * bytes where they stand.
 *
 * Usage: load DEVICE IRQ READS
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECTOR 512u

static _Atomic(bool) over;
static unsigned irq, cpus;
static uint64_t moves, wakes;
static int pipes[2][2];

static void run_on(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *move_interrupt(void *unused)
{
	const struct timespec pause = {0, 2000000};
	char path[64], list[16];

	(void)unused;
	snprintf(path, sizeof(path), "/proc/irq/%u/smp_affinity_list", irq);
	for (unsigned cpu = 0; !over; cpu = (cpu + 1) % cpus) {
		int fd = open(path, O_WRONLY), length = snprintf(list, sizeof(list), "%u", cpu);

		if (fd < 0 || write(fd, list, (size_t)length) != length) {
			fprintf(stderr, "load: %s: %s\n", path, strerror(errno));
			exit(2);
		}
		close(fd);
		moves++;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* Two threads on two CPUs hand a byte to each other. */
static void *wake_each_other(void *argument)
{
	unsigned self = *(unsigned *)argument;
	const struct timespec pause = {0, 500000};
	char byte = 0;

	run_on(self % cpus);
	if (self == 1) {
		while (read(pipes[0][0], &byte, 1) == 1 && write(pipes[1][1], &byte, 1) == 1)
			;
		return NULL;
	}
	for (; !over; wakes++) {
		nanosleep(&pause, NULL);
		if (write(pipes[0][1], &byte, 1) != 1 || read(pipes[1][0], &byte, 1) != 1)
			break;
	}
	close(pipes[0][1]);
	return NULL;
}

static int check_sector(const uint64_t *words, uint64_t at)
{
	for (unsigned i = 0; i < SECTOR / 8; i++) {
		if (words[i] != at + 8 * i) {
			fprintf(stderr, "load: byte %llu reads as %llu\n",
				(unsigned long long)(at + 8 * i), (unsigned long long)words[i]);
			return 2;
		}
	}
	return 0;
}

static int read_sectors(const char *device, unsigned long reads)
{
	int fd = open(device, O_RDONLY | O_DIRECT), status = 0;
	uint64_t *words = aligned_alloc(4096, 4096);
	uint64_t size = fd < 0 ? 0 : (uint64_t)lseek(fd, 0, SEEK_END);

	if (fd < 0 || !words || size < SECTOR) {
		fprintf(stderr, "load: %s: %s\n", device, strerror(errno));
		return 2;
	}
	for (unsigned long i = 0; status == 0 && i < reads; i++) {
		uint64_t at = (uint64_t)i * 7 * SECTOR % size;

		if (pread(fd, words, SECTOR, (off_t)at) != SECTOR) {
			fprintf(stderr, "load: read at %llu: %s\n", (unsigned long long)at,
				strerror(errno));
			status = 2;
		} else {
			status = check_sector(words, at);
		}
	}
	free(words);
	close(fd);
	return status;
}

int main(int argc, char **argv)
{
	static unsigned numbers[] = {0, 1};
	pthread_t mover, waker[2];
	int status;

	if (argc != 4) {
		fprintf(stderr, "Usage: load DEVICE IRQ READS\n");
		return 2;
	}
	irq = (unsigned)strtoul(argv[2], NULL, 10);
	cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (pipe(pipes[0]) < 0 || pipe(pipes[1]) < 0 ||
	    pthread_create(&mover, NULL, move_interrupt, NULL) != 0 ||
	    pthread_create(&waker[0], NULL, wake_each_other, &numbers[0]) != 0 ||
	    pthread_create(&waker[1], NULL, wake_each_other, &numbers[1]) != 0)
		return 2;
	status = read_sectors(argv[1], strtoul(argv[3], NULL, 10));
	over = true;
	pthread_join(mover, NULL);
	pthread_join(waker[0], NULL);
	pthread_join(waker[1], NULL);
	printf("load: %s: %s reads, %llu moves, %llu wakes, %u CPUs\n", status ? "failed" : "done",
	       argv[3], (unsigned long long)moves, (unsigned long long)wakes, cpus);
	return status;
}
