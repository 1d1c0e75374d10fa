/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_ROTATE_H
#define CLAVIGER_CLI_ROTATE_H

#include "daemon/cli.h"

/* What the active server says of the rotation: ADMIN_ROTATE_STATE. */
struct cli_rotation {
	uint32_t generation; /* published, or else current */
	uint8_t state;	     /* enum rewrap_state */
	uint64_t total, left, damaged;
	uint64_t reencrypted, not_reencrypted; /* records */
	char why[160];
	char late[512]; /* members that did not have it in time */
};
int cli_rotation_read(const struct cli_answer *a, struct cli_rotation *ret);
/* In a word or two. */
const char *cli_rotation_state(const struct cli_rotation *s);
bool cli_rotation_goes_on(const struct cli_rotation *s);
/* Ask for it, silently. */
int cli_rotation_look(struct cli *c, struct cli_rotation *ret);
/* Until it is current, and all is rewrapped under it, with a bar on a terminal.
 * Ending the command does not end the work. */
int cli_rotation_follow(
    struct cli *c, uint32_t generation, struct cli_rotation *ret);

#endif
