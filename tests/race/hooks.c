/* SPDX-License-Identifier: MIT */
/*
 * What a compiler calls for each access in code that is built with -fsanitize=thread: for atomics
 * with their order, for plain ones with their size. GCC's and clang's, as far as the library and
 * the scenarios need them.
 */
#include <stdatomic.h>
#include <string.h>

#include "machine.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define HERE  __builtin_return_address(0)
#define FRAME (unsigned char *)__builtin_frame_address(0)

void __tsan_init(void)
{
}
void __tsan_func_entry(void *pc)
{
	(void)pc;
}
void __tsan_func_exit(void)
{
}

/* ---- plain ---- */

#define PLAIN_OF(size)                              \
	void __tsan_read##size(void *at)            \
	{                                           \
		race_plain(at, size, false);        \
	}                                           \
	void __tsan_write##size(void *at)           \
	{                                           \
		race_plain(at, size, true);         \
	}                                           \
	void __tsan_unaligned_read##size(void *at)  \
	{                                           \
		race_plain(at, size, false);        \
	}                                           \
	void __tsan_unaligned_write##size(void *at) \
	{                                           \
		race_plain(at, size, true);         \
	}

PLAIN_OF(1)
PLAIN_OF(2)
PLAIN_OF(4)
PLAIN_OF(8)
PLAIN_OF(16)

void __tsan_read_range(void *at, size_t size)
{
	race_plain(at, size, false);
}

void __tsan_write_range(void *at, size_t size)
{
	race_plain(at, size, true);
}

void *__tsan_memcpy(void *to, const void *from, size_t size)
{
	race_plain(from, size, false);
	race_plain(to, size, true);
	return memcpy(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, size_t size)
{
	race_plain(from, size, false);
	race_plain(to, size, true);
	return memmove(to, from, size);
}

void *__tsan_memset(void *to, int byte, size_t size)
{
	race_plain(to, size, true);
	return memset(to, byte, size);
}

/* ---- atomic ---- */

#define MODIFY(bits, name, which)                                                            \
	uint##bits##_t __tsan_atomic##bits##_##name(volatile void *at, uint##bits##_t value, \
						    int order)                               \
	{                                                                                    \
		struct op op = {.kind = which,                                               \
				.size = bits / 8,                                            \
				.value = value,                                              \
				.from = HERE,                                                \
				.frame = FRAME};                                             \
                                                                                             \
		return (uint##bits##_t)race_access(&op, at, order, order);                   \
	}

#define ATOMIC_OF(bits)                                                                         \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile void *at, int order)           \
	{                                                                                       \
		struct op op = {.kind = LOAD, .size = bits / 8, .from = HERE, .frame = FRAME};  \
                                                                                                \
		return (uint##bits##_t)race_access(&op, at, order, order);                      \
	}                                                                                       \
	void __tsan_atomic##bits##_store(volatile void *at, uint##bits##_t value, int order)    \
	{                                                                                       \
		struct op op = {.kind = STORE,                                                  \
				.size = bits / 8,                                               \
				.value = value,                                                 \
				.from = HERE,                                                   \
				.frame = FRAME};                                                \
                                                                                                \
		race_access(&op, at, order, order);                                             \
	}                                                                                       \
	MODIFY(bits, exchange, EXCHANGE)                                                        \
	MODIFY(bits, fetch_add, ADD)                                                            \
	MODIFY(bits, fetch_and, AND)                                                            \
	MODIFY(bits, fetch_or, OR)                                                              \
	MODIFY(bits, fetch_xor, XOR)                                                            \
	uint##bits##_t __tsan_atomic##bits##_fetch_sub(volatile void *at, uint##bits##_t value, \
						       int order)                               \
	{                                                                                       \
		struct op op = {.kind = ADD,                                                    \
				.size = bits / 8,                                               \
				.value = (uint##bits##_t)(0u - value),                          \
				.from = HERE,                                                   \
				.frame = FRAME};                                                \
                                                                                                \
		return (uint##bits##_t)race_access(&op, at, order, order);                      \
	}                                                                                       \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(                              \
		volatile void *at, uint##bits##_t expected, uint##bits##_t value, int order,    \
		int fails)                                                                      \
	{                                                                                       \
		struct op op = {.kind = CAS,                                                    \
				.size = bits / 8,                                               \
				.value = value,                                                 \
				.expected = expected,                                           \
				.from = HERE,                                                   \
				.frame = FRAME};                                                \
                                                                                                \
		return (uint##bits##_t)race_access(&op, at, order, fails);                      \
	}                                                                                       \
	int __tsan_atomic##bits##_compare_exchange_strong(                                      \
		volatile void *at, uint##bits##_t *expected, uint##bits##_t value, int order,   \
		int fails)                                                                      \
	{                                                                                       \
		uint##bits##_t wanted = *expected;                                              \
		struct op op = {.kind = CAS,                                                    \
				.size = bits / 8,                                               \
				.value = value,                                                 \
				.expected = wanted,                                             \
				.from = HERE,                                                   \
				.frame = FRAME};                                                \
                                                                                                \
		*expected = (uint##bits##_t)race_access(&op, at, order, fails);                 \
		return *expected == wanted;                                                     \
	}

ATOMIC_OF(8)
ATOMIC_OF(16)
ATOMIC_OF(32)
ATOMIC_OF(64)

void __tsan_atomic_thread_fence(int order)
{
	race_fence(order, HERE);
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}
