/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_ROTATE_H
#define CLAVIGER_CLI_ROTATE_H

#include "daemon/cli/cli.h"
#include "daemon/base/record.h"

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

/* cli_rotate.c. A rotation, whole. */
struct cli_rotate {
	bool reencrypt;
	bool signing;	  /* with a new signing key, if it is a new one */
	uint32_t past;	  /* somebody has this generation, and those below: only
			   * one above it, with re-encryption, will do */
	const char *path; /* of its backup; NULL: go on with what has one */
	char where[RECORD_WHERE_MAX];
	char *passphrase; /* the guard's */
	/* out */
	uint32_t generation;
	bool goes_on; /* it was begun before, and has its backup */
	bool serves;  /* there is an active server, which does the rest */
	bool last;    /* it is above `past`: no other one is needed */
	bool signs;   /* it came with a new signing key */
	char system[CLI_BASE64]; /* which is this one; "": there is none */
	char *away; /* hosts that have not been heard of since; ", " between */
	struct cli_rotation state;
	char late[1024]; /* server nodes, and after them members */
};
/* By --backup and the passphrase's options: asks, and changes nothing. */
int cli_rotate_prepare(struct cli *c, struct cli_rotate *t);
/* Needs a daemon here. Says why not. */
int cli_rotate_run(struct cli *c, struct cli_rotate *t);
/* Is there something to print? Also after failures: what was rewrapped. */
bool cli_rotate_has_result(const struct cli_rotate *t, int result);
void cli_rotate_print(const struct cli_rotate *t);
void cli_rotate_json(struct cli_json *j, const struct cli_rotate *t);
void cli_rotate_fini(struct cli *c, struct cli_rotate *t);

#endif
