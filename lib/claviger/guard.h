/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_GUARD_H
#define CLAVIGER_GUARD_H

#include <stddef.h>

/*
 * Guarded memory: one arena whose pages are locked, kept out of core dumps
 * and wiped in a forked child. memfd_secret(2) where the kernel has it, else
 * an anonymous mapping with mlock(2). The lock is proven after the fact from
 * /proc/self/smaps, never assumed from a return value.
 * Not thread-safe: one thread owns an arena.
 */
struct clv_guard;

enum clv_guard_kind {
	CLV_GUARD_SECRETMEM, /* memfd_secret: not even root's ptrace reads it */
	CLV_GUARD_LOCKED     /* mlock, MADV_DONTDUMP, MADV_WIPEONFORK */
};

/* Make an arena of at least len bytes (rounded up to whole pages).
 * CLV_E_NOT_LOCKED when the pages cannot be locked or that cannot be proven.
 * Caller frees with clv_guard_free_all(). */
int clv_guard_new(size_t len, struct clv_guard **ret_guard);

/* Wipe everything, unmap, *guard = NULL. NULL is ignored. */
void clv_guard_free_all(struct clv_guard **guard);

/* len bytes, zeroed, aligned to 16, with a canary behind them that
 * clv_guard_put() checks. NULL when the arena is full. */
void *clv_guard_get(struct clv_guard *guard, size_t len);

/* Wipe and give back. NULL is ignored; a pointer that is not of this arena,
 * or an overrun canary, aborts. */
void clv_guard_put(struct clv_guard *guard, void *p);

enum clv_guard_kind clv_guard_kind(const struct clv_guard *guard);
/* Bytes locked for this arena, as proven when it was made. */
size_t clv_guard_locked(const struct clv_guard *guard);
/* Bytes in use. */
size_t clv_guard_used(const struct clv_guard *guard);

#endif
