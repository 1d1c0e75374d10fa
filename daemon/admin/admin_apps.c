/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include "daemon/admin/admin.h"
#include "daemon/keeper/keeper.h"

/* ADMIN_APPS: which applications there are, from the list in force. */

#define PAGE_MAX 48000 /* of any answer; an application takes up to 2200 */

static void
put_app(struct clv_buf *b, const struct clv_list_app *app)
{
	clv_buf_str(b, app->name);
	clv_buf_str(b, app->admins);
	clv_buf_str(b, app->users);
	clv_buf_u32(b, app->keep);
}

static bool
is_wanted(const struct clv_list_app *app, const char *name, const char *after)
{
	if (name[0] != '\0')
		return strcmp(app->name, name) == 0;
	return strcmp(app->name, after) > 0;
}

/* In the order of their names: that of the list. */
static uint32_t
page(const struct clv_list *list, const char *name, const char *after,
    struct clv_buf *rows, bool *ret_more)
{
	uint32_t n = 0;

	*ret_more = false;
	for (size_t i = 0; i < list->app_count && !*ret_more; i++) {
		if (!is_wanted(&list->apps[i], name, after))
			continue;
		*ret_more = rows->len > PAGE_MAX;
		if (*ret_more)
			break;
		put_app(rows, &list->apps[i]);
		n++;
	}
	return n;
}

void
admin_apps(
    struct keeper *k, const struct admin_origin *from, struct clv_rd *args)
{
	const struct clv_list *list = k->secret.list;
	char name[CLV_NAME_MAX], after[CLV_NAME_MAX];
	struct clv_buf rows, data;
	bool more;
	uint32_t n;

	clv_rd_str(args, name, sizeof(name));
	clv_rd_str(args, after, sizeof(after));
	if (clv_rd_end(args) != CLV_OK || list == NULL) {
		admin_answer(k, from,
		    list == NULL ? CLV_E_NOT_READY : CLV_E_PROTOCOL,
		    list == NULL ? "this node has not seen the signed list yet"
				 : "malformed request",
		    "", NULL);
		return;
	}
	clv_buf_init(&rows);
	clv_buf_init(&data);
	n = page(list, name, after, &rows, &more);
	clv_buf_u8(&data, more);
	clv_buf_u32(&data, n);
	clv_buf_raw(&data, rows.data, rows.len);
	if (n == 0 && name[0] != '\0')
		admin_answer(k, from, CLV_E_NOT_FOUND,
		    "there is no such application", "", NULL);
	else
		admin_answer(k, from, clv_buf_result(&data), "", "", &data);
	clv_buf_fini(&data);
	clv_buf_fini(&rows);
}
