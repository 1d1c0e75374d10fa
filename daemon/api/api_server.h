/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_API_SERVER_H
#define CLAVIGERD_API_SERVER_H

#include "daemon/keeper/keeper.h"

/*
 * The local API (claviger/api.h) and the credentials socket of systemd's
 * LoadCredential=.
 */
#define API_CONNS_MAX 1000
#define API_CONNS_USER_MAX 200 /* of one user but root */
#define API_CONNS_ROOT 100     /* kept free for root */

int api_init(struct keeper *k, int api_fd, int credentials_fd);
void api_fini(struct keeper *k);
/* The member's state may have changed: tell those who have subscribed. */
void api_on_change(struct keeper *k);
/* The signed list is known here, or will not be soon. */
void api_on_list(struct keeper *k);

#endif
