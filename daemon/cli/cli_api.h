/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_API_H
#define CLAVIGER_CLI_API_H

#include <claviger/client.h>
#include "daemon/cli/cli.h"

/* cli_api.c */
int cli_api_open(struct cli *c, struct clv_client **ret); /* says why not */
/* Say what failed and the daemon's words; returns result. */
int cli_api_fail(
    struct cli *c, const struct clv_client *api, int result, const char *what);

/* cli_secret.c */
int cli_put(struct cli *c);
int cli_get(struct cli *c);
int cli_list(struct cli *c);
int cli_history(struct cli *c);
int cli_delete(struct cli *c);

/* cli_app.c */
int cli_app_add(struct cli *c);
int cli_app_list(struct cli *c);
int cli_app_show(struct cli *c);
int cli_app_grant(struct cli *c);
int cli_app_revoke(struct cli *c);
int cli_app_remove(struct cli *c);

/* cli_crypt.c */
int cli_encrypt(struct cli *c);
int cli_decrypt(struct cli *c);

/* cli_run.c */
int cli_run(struct cli *c);

#endif
