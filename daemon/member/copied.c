/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>

#include "daemon/api/api_server.h"
#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"
#include "daemon/member/member.h"
#include "daemon/keeper/secret_impl.h"

/*
 * Is this process's host a copy of another one (machine.h)? Then it opens no
 * master secret, is never ready, says nothing to the other server nodes, and
 * its applications only read: two hosts under one name would undo what each
 * other writes and acknowledge what the other one does not have. Root alone
 * knows which of the two is to stay.
 */

static int
look(struct keeper *k)
{
	const char *dir = k->config->state_dir;
	struct machine_marks here, kept;
	char text[MACHINE_TEXT_MAX];
	size_t len;
	int r;

	machine_marks_make(&k->machine, k->identity, &here);
	if (machine_check(dir, &here, &kept, k->copied) != CLV_OK)
		return CLV_E_NOT_READY;
	if (!machine_add(&kept, &here))
		return CLV_OK;
	len = machine_format(&kept, text);
	r = file_replace(dir, MACHINE_FILE, text, len, 0400);
	if (r != CLV_OK)
		log_warning("%s/" MACHINE_FILE " cannot be written: %s", dir,
		    file_why(r));
	return CLV_OK;
}

void
copied_init(struct keeper *k, const struct machine_ids *ids)
{
	k->machine = *ids;
	if (k->identity != NULL && look(k) != CLV_OK)
		log_error("%s", k->copied);
}

int
copied_again(struct keeper *k)
{
	if (k->copied[0] == '\0')
		return CLV_OK;
	if (look(k) != CLV_OK)
		return CLV_E_NOT_READY;
	log_notice("this machine was adopted: it is no copy");
	if (k->member != NULL)
		member_cert_init(k->member);
	secret_fetch_next(k);
	if (k->secret.list != NULL)
		peers_alive(k);
	api_on_change(k);
	return CLV_OK;
}
