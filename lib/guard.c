/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <sodium.h>
#include <claviger/guard.h>
#include <claviger/result.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447 /* the same on every architecture */
#endif

#define ALIGN 16
#define CANARY_LEN 16
#define SLOTS_MAX 2048
#define LEN_MAX ((size_t)1 << 30)

/* One block in use. The table lies outside the arena: it holds no secret, and
 * an overrun inside the arena cannot reach it. */
struct slot {
	size_t off;
	size_t len; /* as asked for; the canary stands behind it */
};

struct clv_guard {
	uint8_t *map; /* one inaccessible page, the arena, another such page */
	size_t map_len;
	uint8_t *base;
	size_t len;
	enum clv_guard_kind kind;
	size_t locked;
	size_t used;
	pid_t pid; /* the arena is absent or empty in a forked child */
	uint8_t canary[CANARY_LEN];
	size_t count;
	struct slot slots[SLOTS_MAX]; /* by offset */
};

/* What smaps says about one mapping. */
struct proof {
	size_t locked;
	bool is_locked;	    /* lo */
	bool not_dumped;    /* dd */
	bool not_inherited; /* dc: not copied, or wf: wiped */
};

static void
read_smaps_line(const char *line, struct proof *p)
{
	size_t kib;

	if (sscanf(line, "Locked: %zu kB", &kib) == 1)
		p->locked = kib * 1024;
	if (strncmp(line, "VmFlags:", 8) != 0)
		return;
	p->is_locked = strstr(line, " lo ") != NULL;
	p->not_dumped = strstr(line, " dd ") != NULL;
	p->not_inherited =
	    strstr(line, " dc ") != NULL || strstr(line, " wf ") != NULL;
}

/* Find the mapping that is exactly ours: the inaccessible pages around it keep
 * the kernel from merging it with a neighbour. */
static void
read_smaps(FILE *f, uintptr_t start, uintptr_t end, struct proof *ret)
{
	unsigned long a, z;
	bool ours = false;
	char line[512];

	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &a, &z) == 2) {
			if (ours)
				return;
			ours = a == start && z == end;
		} else if (ours) {
			read_smaps_line(line, ret);
		}
	}
}

/* `Locked:` counts pages that are present in a mapping with the flag, so it
 * equals the length only when the kernel pinned each page of it. */
static bool
is_proven(const struct clv_guard *g)
{
	struct proof p = {0};
	FILE *f = fopen("/proc/self/smaps", "re");

	if (f == NULL)
		return false;
	read_smaps(f, (uintptr_t)g->base, (uintptr_t)g->base + g->len, &p);
	fclose(f);
	return p.is_locked && p.not_dumped && p.not_inherited &&
	       p.locked == g->len;
}

static bool
map_secretmem(struct clv_guard *g)
{
	int fd = (int)syscall(SYS_memfd_secret, (unsigned)O_CLOEXEC);
	void *p = MAP_FAILED;

	if (fd < 0)
		return false;
	if (ftruncate(fd, (off_t)g->len) == 0)
		p = mmap(g->base, g->len, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, fd, 0);
	close(fd);
	return p != MAP_FAILED;
}

static bool
map_anonymous(struct clv_guard *g)
{
	void *p = mmap(g->base, g->len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	/* mlock(2) itself: a sanitizer's mlock() does nothing and returns 0. */
	return p != MAP_FAILED && syscall(SYS_mlock, g->base, g->len) == 0;
}

/* Shared mappings refuse MADV_WIPEONFORK: then a child does not get them. */
static bool
keep_private(struct clv_guard *g)
{
	return madvise(g->base, g->len, MADV_DONTDUMP) == 0 &&
	       (madvise(g->base, g->len, MADV_WIPEONFORK) == 0 ||
		   madvise(g->base, g->len, MADV_DONTFORK) == 0);
}

static bool
map_kind(struct clv_guard *g, enum clv_guard_kind kind)
{
	bool mapped =
	    kind == CLV_GUARD_SECRETMEM ? map_secretmem(g) : map_anonymous(g);

	if (!mapped || !keep_private(g))
		return false;
	memset(g->base, 0, g->len); /* every page present */
	if (!is_proven(g))
		return false;
	g->kind = kind;
	g->locked = g->len;
	return true;
}

int
clv_guard_new(size_t len, struct clv_guard **ret_guard)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct clv_guard *g;

	if (len == 0 || len > LEN_MAX)
		return CLV_E_INVALID;
	if (sodium_init() < 0)
		return CLV_E_SYSTEM;
	/* Bound by the dynamic linker now: at its first call it would save
	 * vector registers, and what is in them, below the zeroed part. */
	sodium_stackzero(1);
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return CLV_E_NOMEM;
	g->len = (len + page - 1) / page * page;
	g->map_len = g->len + 2 * page;
	g->map = mmap(NULL, g->map_len, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (g->map == MAP_FAILED) {
		free(g);
		return CLV_E_NOMEM;
	}
	g->base = g->map + page;
	g->pid = getpid();
	randombytes_buf(g->canary, sizeof(g->canary));
	if (!map_kind(g, CLV_GUARD_SECRETMEM) &&
	    !map_kind(g, CLV_GUARD_LOCKED)) {
		munmap(g->map, g->map_len);
		free(g);
		return CLV_E_NOT_LOCKED;
	}
	*ret_guard = g;
	return CLV_OK;
}

void
clv_guard_free_all(struct clv_guard **guard)
{
	struct clv_guard *g = *guard;

	if (g == NULL)
		return;
	/* A forked child may have a hole, or something else, in its place. */
	if (g->pid == getpid()) {
		sodium_memzero(g->base, g->len);
		munmap(g->map, g->map_len);
	}
	sodium_memzero(g, sizeof(*g));
	free(g);
	*guard = NULL;
}

static size_t
slot_end(const struct slot *s)
{
	return (s->off + s->len + CANARY_LEN + ALIGN - 1) / ALIGN * ALIGN;
}

/* First gap of at least `need` bytes: the index where its slot belongs, or
 * SLOTS_MAX. */
static size_t
find_gap(const struct clv_guard *g, size_t need, size_t *ret_off)
{
	size_t off = 0, i;

	for (i = 0; i <= g->count; i++) {
		size_t end = i < g->count ? g->slots[i].off : g->len;

		if (need <= end - off) {
			*ret_off = off;
			return i;
		}
		if (i < g->count)
			off = slot_end(&g->slots[i]);
	}
	return SLOTS_MAX;
}

void *
clv_guard_get(struct clv_guard *guard, size_t len)
{
	size_t i, off = 0;
	struct slot *s;

	if (guard->count == SLOTS_MAX || len > guard->len - CANARY_LEN)
		return NULL;
	i = find_gap(guard, len + CANARY_LEN, &off);
	if (i == SLOTS_MAX)
		return NULL;
	s = &guard->slots[i];
	memmove(s + 1, s, (guard->count - i) * sizeof(*s));
	*s = (struct slot){.off = off, .len = len};
	guard->count++;
	guard->used += len;
	memset(guard->base + off, 0, len);
	memcpy(guard->base + off + len, guard->canary, CANARY_LEN);
	return guard->base + off;
}

static struct slot *
find_slot(struct clv_guard *g, const void *p)
{
	size_t i;

	for (i = 0; i < g->count; i++)
		if (g->base + g->slots[i].off == p)
			return &g->slots[i];
	return NULL;
}

void
clv_guard_put(struct clv_guard *guard, void *p)
{
	struct slot *s;
	uint8_t *at = p;

	if (p == NULL)
		return;
	s = find_slot(guard, p);
	if (s == NULL ||
	    sodium_memcmp(at + s->len, guard->canary, CANARY_LEN) != 0)
		abort(); /* memory is not what we believe: stop at once */
	sodium_memzero(at, s->len + CANARY_LEN);
	guard->used -= s->len;
	guard->count--;
	memmove(
	    s, s + 1, (size_t)(guard->slots + guard->count - s) * sizeof(*s));
}

enum clv_guard_kind
clv_guard_kind(const struct clv_guard *guard)
{
	return guard->kind;
}

size_t
clv_guard_locked(const struct clv_guard *guard)
{
	return guard->locked;
}

size_t
clv_guard_used(const struct clv_guard *guard)
{
	return guard->used;
}
