/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNIT_RESIDUE_H
#define UNIT_RESIDUE_H

#include <inttypes.h>
#include <stdio.h>
#include <ucontext.h>
#include "core.h"

/*
 * After work with keys, no writable memory of the process but the arena holds
 * any of them: not the heap, not the stack, not a library's data. What is
 * looked for is kept here only under a mask.
 */
#define MASK 0x5a
#define WINDOW 12 /* so many bytes in a row are a find */
#define SECRETS_MAX 32
#define SECRET_MAX 48
#define MAP_LEN_MAX (64u << 20)

static struct {
	const char *what;
	uint8_t masked[SECRET_MAX];
	size_t len;
} secrets[SECRETS_MAX];
static size_t secret_count;

static inline void
remember(const char *what, const void *p, size_t len)
{
	const volatile uint8_t *from = p; /* no wide copy in between */
	size_t i;

	ck_assert_uint_lt(secret_count, SECRETS_MAX);
	ck_assert_uint_le(len, SECRET_MAX);
	for (i = 0; i < len; i++)
		secrets[secret_count].masked[i] = from[i] ^ MASK;
	secrets[secret_count].len = len;
	secrets[secret_count++].what = what;
}

static inline bool
is_here(const uint8_t *p, const uint8_t *masked)
{
	size_t i;

	for (i = 0; i < WINDOW; i++)
		if ((p[i] ^ MASK) != masked[i])
			return false;
	return true;
}

/* The secret of which a window stands at p, or NULL. Windows start at every
 * fourth byte of a secret, so that a part is found too. */
static inline const char *
find_at(const uint8_t *p)
{
	size_t i, off;

	for (i = 0; i < secret_count; i++)
		for (off = 0; off + WINDOW <= secrets[i].len; off += 4)
			if ((p[0] ^ MASK) == secrets[i].masked[off] &&
			    is_here(p, secrets[i].masked + off))
				return secrets[i].what;
	return NULL;
}

static inline const char *
find_between(const uint8_t *p, const uint8_t *end)
{
	const char *what = NULL;

	for (; what == NULL && p + WINDOW <= end; p++)
		what = find_at(p);
	return what;
}

/* inside: an address of the arena, which is left out. */
static inline const char *
find_anywhere(const void *inside)
{
	char line[512], perms[8];
	const char *what = NULL;
	uintptr_t a, z;
	FILE *f = fopen("/proc/self/maps", "re");

	ck_assert_ptr_nonnull(f);
	while (what == NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s", &a, &z,
			perms) != 3 ||
		    strncmp(perms, "rw", 2) != 0 || z - a > MAP_LEN_MAX ||
		    ((uintptr_t)inside >= a && (uintptr_t)inside < z))
			continue;
		what = find_between((const uint8_t *)a, (const uint8_t *)z);
	}
	fclose(f);
	return what;
}

/* Run on a stack of its own, which nothing overwrites before it is searched. */
static uint8_t stack[1 << 18];
static ucontext_t here, apart;

static inline void
run_apart(void (*fn)(void))
{
	ck_assert_int_eq(getcontext(&apart), 0);
	apart.uc_stack.ss_sp = stack;
	apart.uc_stack.ss_size = sizeof(stack);
	apart.uc_link = &here;
	makecontext(&apart, fn, 0);
	ck_assert_int_eq(swapcontext(&here, &apart), 0);
}

#endif
