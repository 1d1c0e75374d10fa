/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/admin/admin.h"
#include "daemon/cli/cli.h"

bool
cli_record_backup(struct cli *c, uint32_t generation, const char *where)
{
	struct clv_buf b;
	struct cli_answer a;
	bool recorded;

	cli_admin_begin(&b, ADMIN_BACKUP_DONE);
	clv_buf_u32(&b, generation);
	clv_buf_str(&b, where);
	recorded =
	    cli_admin(c, &b, "record the backup in the database", &a) == CLV_OK;
	if (!recorded)
		cli_warn(c, "the backup itself is good; claviger status will "
			    "not know of it");
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return recorded;
}
