/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_ACCOUNTS_H
#define TESTS_UNIT_ACCOUNTS_H

#include <stddef.h>
#include <stdint.h>

/*
 * The name service (the linker puts it in the place of getpwnam_r() and
 * getgrnam_r()): root 0, ada 1001, bob 1002, and the groups dev 2001, wheel 10;
 * each name is a user and a group.
 */
#define ACCOUNTS_GONE UINT32_MAX
void accounts_set(const char *name, uint32_t id); /* from now on */
extern void (*accounts_hook)(void);		  /* before each answer */
extern int accounts_fail;			  /* its errno; 0: it answers */
extern size_t accounts_len; /* of what it says of anybody */
extern unsigned accounts_asked;

#endif
