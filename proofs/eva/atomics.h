/* SPDX-License-Identifier: MIT */
/*
 * C11 atomics for Frama-C 25, whose own header declares them as functions without a type: each is
 * done in one step, its order is not looked at, and there are no other threads.
 */
#ifndef LW_EVA_ATOMICS_H
#define LW_EVA_ATOMICS_H

/* In place of Frama-C's, which comes before any -I. */
#define __FC_STDATOMIC

#define _Atomic

typedef enum {
	memory_order_relaxed,
	memory_order_consume,
	memory_order_acquire,
	memory_order_release,
	memory_order_acq_rel,
	memory_order_seq_cst
} memory_order;

#define LW_RMW(p, op, v)                        \
	({                                      \
		__typeof__(*(p)) lw_old = *(p); \
		*(p)op(v);                      \
		lw_old;                         \
	})

#define atomic_thread_fence(order)             ((void)0)
#define atomic_load_explicit(p, order)         (*(p))
#define atomic_store_explicit(p, v, order)     ((void)(*(p) = (v)))
#define atomic_exchange_explicit(p, v, order)  LW_RMW(p, =, v)
#define atomic_fetch_or_explicit(p, v, order)  LW_RMW(p, |=, v)
#define atomic_fetch_and_explicit(p, v, order) LW_RMW(p, &=, v)

#define atomic_load(p)        (*(p))
#define atomic_store(p, v)    ((void)(*(p) = (v)))
#define atomic_exchange(p, v) LW_RMW(p, =, v)

#endif
