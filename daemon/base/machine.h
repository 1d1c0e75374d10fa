/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_MACHINE_H
#define CLAVIGERD_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <claviger/identity.h>

/*
 * Is this the machine that this host lives on, or has its disk been copied to
 * another one? Two numbers tell machines apart: the installation's
 * (/etc/machine-id) and the board's or the hypervisor's (DMI's product UUID).
 * Beside the identity lie marks of them, keyed by it, so that they say nothing
 * to others. A number that cannot be had is left out.
 */
#define MACHINE_FILE "machine" /* in state_dir */
#define MACHINE_ID_LEN 16
#define MACHINE_MARK_LEN 32
#define MACHINE_TEXT_MAX 256
#define MACHINE_WHY_LEN 160 /* an exit reason of an agent */

enum machine_which { MACHINE_OS, MACHINE_BOARD, MACHINE_COUNT };

struct machine_ids {
	bool has[MACHINE_COUNT];
	uint8_t id[MACHINE_COUNT][MACHINE_ID_LEN];
};
struct machine_marks {
	bool has[MACHINE_COUNT];
	uint8_t mark[MACHINE_COUNT][MACHINE_MARK_LEN];
};

/* As root, who alone may read the second one. */
void machine_ids_get(struct machine_ids *ret);
/* As those files have it. CLV_E_FORMAT; CLV_E_INVALID: a number that is none,
 * for many machines have it. A product UUID whose first three fields came in
 * the other byte order, as they did from older firmware, is the same. */
int machine_id_parse(enum machine_which which, const char *text, size_t len,
    uint8_t ret[static MACHINE_ID_LEN]);
void machine_marks_make(const struct machine_ids *ids,
    const struct clv_identity *id, struct machine_marks *ret);

/* The policy. Those that both have, and that are not the same: a set of bits,
 * 1 << enum machine_which. */
unsigned machine_differs(
    const struct machine_marks *kept, const struct machine_marks *here);
/* What was not kept yet; what is not here any more stays. True: there was. */
bool machine_add(struct machine_marks *kept, const struct machine_marks *here);

/* The file: lines of text (claviger-formats(7)). ret_text has
 * MACHINE_TEXT_MAX. */
size_t machine_format(const struct machine_marks *m, char *ret_text);
int machine_parse(const char *text, size_t len, struct machine_marks *ret);

/* What is in dir, against this machine. CLV_OK, also when nothing is there yet;
 * CLV_E_MISMATCH and why, in a sentence with its remedy: another machine, or
 * a file that cannot be used. */
int machine_check(const char *dir, const struct machine_marks *here,
    struct machine_marks *ret_kept, char ret_why[static MACHINE_WHY_LEN]);
/* "machine-id and product UUID"; "nothing". */
const char *machine_names(unsigned set);
unsigned machine_set(const struct machine_marks *m);

#endif
