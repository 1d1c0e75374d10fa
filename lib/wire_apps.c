/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <claviger/buf.h>
#include <claviger/result.h>
#include <claviger/wire.h>
#include "list.h"

/* str system administrators, str creators, 2 x 32 B thumbprints of the network
 * name, u8 more, u32 n, n x { str name,
 * str administrators, str users, u32 keep }, ascending by name. */

/* With the head of an answer they fit into one. */
#define PAGE_MAX (CLV_WIRE_ANSWER_MAX - 1024)

static void
put_app(struct clv_buf *b, const struct clv_list_app *a)
{
	clv_buf_str(b, a->name);
	clv_buf_str(b, a->admins);
	clv_buf_str(b, a->users);
	clv_buf_u32(b, a->keep);
}

static size_t
app_len(const struct clv_list_app *a)
{
	return 4 * 4 + strlen(a->name) + strlen(a->admins) + strlen(a->users);
}

int
clv_wire_apps_format(const struct clv_list *list, const char *scope,
    const char *after, struct clv_buf *ret)
{
	struct clv_buf apps = {0};
	bool more = false;
	uint32_t n = 0;
	size_t len = 4 + strlen(list->system_admins) + 4 +
		     strlen(list->creators) + sizeof(list->cert_thumb) + 1 + 4;

	if (clv_scope_check(scope) != CLV_OK)
		return CLV_E_INVALID;
	for (size_t i = 0; i < list->app_count; i++) {
		const struct clv_list_app *a = &list->apps[i];

		if (strcmp(a->name, after) <= 0 ||
		    !clv_scope_has(scope, a->name))
			continue;
		len += app_len(a);
		more = len > PAGE_MAX;
		if (more)
			break;
		put_app(&apps, a);
		n++;
	}
	clv_buf_str(ret, list->system_admins);
	clv_buf_str(ret, list->creators);
	clv_buf_raw(ret, list->cert_thumb, sizeof(list->cert_thumb));
	clv_buf_u8(ret, more);
	clv_buf_u32(ret, n);
	clv_buf_raw(ret, apps.data, apps.len);
	if (clv_buf_result(&apps) != CLV_OK)
		ret->failed = true;
	clv_buf_fini(&apps);
	return clv_buf_result(ret);
}

static void
get_acl(struct clv_rd *r, char acl[static CLV_ACL_MAX])
{
	clv_rd_str(r, acl, CLV_ACL_MAX);
	if (!r->failed && clv_acl_check(acl) != CLV_OK)
		r->failed = true;
}

static void
get_app(struct clv_rd *r, struct clv_wire_app *a)
{
	clv_rd_str(r, a->name, sizeof(a->name));
	get_acl(r, a->admins);
	get_acl(r, a->users);
	a->keep = clv_rd_u32(r);
	if (clv_name_check(a->name) != CLV_OK)
		r->failed = true;
}

/* All of them are looked at once, so that whoever walks them later meets no
 * surprise. */
static bool
are_apps_valid(struct clv_rd r, uint32_t n, const char *after)
{
	char last[CLV_NAME_MAX] = "";
	struct clv_wire_app a;

	memcpy(last, after, strnlen(after, sizeof(last) - 1));
	for (uint32_t i = 0; i < n; i++) {
		get_app(&r, &a);
		if (r.failed || strcmp(a.name, last) <= 0)
			return false;
		memcpy(last, a.name, sizeof(last));
	}
	return clv_rd_end(&r) == CLV_OK;
}

int
clv_wire_apps_parse(
    const void *p, size_t len, const char *after, struct clv_wire_apps *ret)
{
	struct clv_wire_apps apps = {0};
	uint8_t more;

	clv_rd_init(&apps.rest, p, len);
	get_acl(&apps.rest, apps.system_admins);
	get_acl(&apps.rest, apps.creators);
	clv_rd_copy(&apps.rest, apps.cert_thumb, sizeof(apps.cert_thumb));
	more = clv_rd_u8(&apps.rest);
	apps.left = clv_rd_u32(&apps.rest);
	apps.more = more == 1;
	/* More that never come would be asked for without end. */
	if (apps.rest.failed || more > 1 || (apps.more && apps.left == 0) ||
	    !are_apps_valid(apps.rest, apps.left, after))
		return CLV_E_FORMAT;
	*ret = apps;
	return CLV_OK;
}

bool
clv_wire_apps_next(struct clv_wire_apps *apps, struct clv_wire_app *ret)
{
	if (apps->left == 0)
		return false;
	apps->left--;
	get_app(&apps->rest, ret);
	return true;
}
