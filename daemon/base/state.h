/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_STATE_H
#define CLAVIGERD_STATE_H

#include <stddef.h>
#include <stdint.h>

/*
 * What this host has seen, so that it never accepts less: a checked file
 * (BLAKE2b-256), two copies, written to a temporary file, synced, renamed, the
 * directory synced. When neither copy is readable or valid that is an error
 * with its remedy, never "start from 0"; absent altogether is a new host.
 */
struct state {
	uint8_t system_id[16];
	uint64_t epoch;	       /* highest epoch promised or seen */
	uint64_t list_version; /* highest accepted */
	uint32_t generation;   /* highest current generation accepted */
};

/* CLV_OK, CLV_E_NOT_FOUND (neither file exists; *s zeroed), CLV_E_DAMAGED (no
 * copy can be used: the host must be joined anew, or a copy restored that is
 * not older), CLV_E_VERSION (written by a newer program). One copy that cannot
 * be used is logged, and written anew by the next state_save(). */
int state_load(const char *dir, struct state *s);
/* Durable when it returns CLV_OK; a failing write or sync leaves the old one,
 * or, when only the second copy failed, the new: never less, never neither. */
int state_save(const char *dir, const struct state *s);

/* Any small file, the same way: temporary, sync, rename, sync directory. */
int file_replace(const char *dir, const char *name, const void *p, size_t len,
    unsigned mode);
/* Why one of these failed, right after it did. */
const char *file_why(int result);
/* All of it, however often write(2) is needed. CLV_E_SYSTEM */
int file_write_all(int fd, const void *data, size_t len);
/* Read a whole file of at most max bytes, no link; a NUL stands behind it.
 * Caller frees *ret_p with free(). CLV_E_NOT_FOUND, CLV_E_PERMISSION (also: not
 * a file), CLV_E_FULL. */
int file_read(const char *dir, const char *name, size_t max, void **ret_p,
    size_t *ret_len);

#endif
