/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_REMINDER_H
#define CLAVIGER_CLI_REMINDER_H

#include "daemon/cli/cli.h"
#include "daemon/base/reminder.h"

/* cli_reminder.c: reminders of passphrases, in the database. What the database
 * cannot tell now is not told, and no failure. */

/* As the option says, or at the terminal where the passphrase was asked for,
 * "": none. Says why it is refused. */
int cli_reminder_ask(
    struct cli *c, const char *passphrase, char ret[static REMINDER_TEXT_MAX]);
/* Of a backup that was written; true when the database has it, else it is
 * warned. */
bool cli_reminder_put(struct cli *c, const struct clv_keyring *k,
    const char *path, const char *where, const char *text);
/* Of this file. ret_proven: it is signed by this host's system; a bare machine
 * does not know it yet. */
bool cli_reminder_find(
    struct cli *c, const char *path, struct reminder *ret, bool *ret_proven);
/* The same, told on stderr. */
void cli_reminder_show(struct cli *c, const char *path);
/* All of the system, newest first: a table, or an array of j. */
void cli_reminder_list(struct cli *c, struct cli_json *j);

#endif
