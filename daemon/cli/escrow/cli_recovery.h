/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_RECOVERY_H
#define CLAVIGER_CLI_RECOVERY_H

#include <claviger/slip39.h>
#include "daemon/cli/cli.h"

/* Shares as people write and type them, for create and combine. */

#define CLI_SHARE_LINE_MAX 1024

/* Words with one space between, small letters, nothing around; in place. */
void cli_share_normalise(char *text);
/* Why a share was not read (clv_slip39_parse), as the end of a sentence. */
void cli_share_why(int result, size_t word, char ret_why[static 256]);
/* The shares of --share-file, or typed at the terminal, until they are enough;
 * says what is wrong with which. *ret_secret, of 32 bytes, is the guard's. */
int cli_shares_combine(struct cli *c, uint8_t **ret_secret);

/* cli_recovery_combine.c: the recovery copy in the database (file NULL), or in
 * that file; look: that it opens is not noted in the database. Says why not. */
int cli_recovery_open(struct cli *c, const uint8_t sk[static 32],
    const char *file, bool look, struct clv_keyring **ret);

#endif
