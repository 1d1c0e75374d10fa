/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/member/member.h"

/*
 * Who may do what in the applications of our scope, as the signed list of the
 * server has it: asked for in pages when the list has changed, and in force
 * when all of them are there. Whom its names mean on this host may change at
 * any time, and is looked up anew. The pages' own encoding is kept for the
 * sealed cache.
 */

static void
apps_free(struct member_app **apps, size_t *n)
{
	for (size_t i = 0; i < *n; i++) {
		auth_acl_fini(&(*apps)[i].admins);
		auth_acl_fini(&(*apps)[i].users);
	}
	free(*apps);
	*apps = NULL;
	*n = 0;
}

static void
next_drop(struct member *m)
{
	apps_free(&m->next_apps, &m->next_count);
	auth_acl_fini(&m->next_admins);
	auth_acl_fini(&m->next_creators);
	clv_buf_reset(&m->next_pages);
}

void
member_apps_fini(struct member *m)
{
	next_drop(m);
	apps_free(&m->apps, &m->app_count);
	auth_acl_fini(&m->system_admins);
	auth_acl_fini(&m->creators);
	auth_names_fini(&m->names);
	clv_buf_fini(&m->next_pages);
	clv_buf_fini(&m->pages);
}

static int
take_app(struct member *m, const struct clv_wire_app *said)
{
	struct member_app *more, *app;
	int r;

	if (m->next_count >= CLV_LIST_APPS_MAX)
		return CLV_E_FULL;
	more = reallocarray(
	    m->next_apps, m->next_count + 1, sizeof(*m->next_apps));
	if (more == NULL)
		return CLV_E_NOMEM;
	m->next_apps = more;
	app = &more[m->next_count++];
	memset(app, 0, sizeof(*app));
	memcpy(app->name, said->name, sizeof(app->name));
	memcpy(m->after, said->name, sizeof(m->after));
	app->keep = said->keep;
	r = auth_acl_parse(&app->admins, said->admins);
	return r == CLV_OK ? auth_acl_parse(&app->users, said->users) : r;
}

static int
take_page(struct member *m, const void *p, size_t len, bool *ret_more)
{
	struct clv_wire_apps apps;
	struct clv_wire_app app;
	int r;

	r = clv_wire_apps_parse(p, len, m->after, &apps);
	if (r != CLV_OK)
		return CLV_E_PROTOCOL;
	*ret_more = apps.more;
	memcpy(m->next_pins.thumb, apps.cert_thumb, sizeof(apps.cert_thumb));
	r = auth_acl_parse(&m->next_admins, apps.system_admins);
	if (r == CLV_OK)
		r = auth_acl_parse(&m->next_creators, apps.creators);
	while (r == CLV_OK && clv_wire_apps_next(&apps, &app))
		r = take_app(m, &app);
	clv_buf_bytes(&m->next_pages, p, len);
	return r == CLV_OK ? clv_buf_result(&m->next_pages) : r;
}

static void
look_up(struct member *m, bool anew)
{
	auth_names_begin(&m->names, anew);
	auth_acl_look_up(&m->system_admins, &m->names);
	auth_acl_look_up(&m->creators, &m->names);
	for (size_t i = 0; i < m->app_count; i++) {
		auth_acl_look_up(&m->apps[i].admins, &m->names);
		auth_acl_look_up(&m->apps[i].users, &m->names);
	}
	auth_names_end(&m->names);
	m->who_version++;
}

/* The time between two is counted from the end of the one before: a name
 * service that is slow is not all that this process waits for. */
bool
member_apps_look_up(struct member *m, uint64_t older_than_ms)
{
	uint64_t now = loop_now_ms();

	if (m->looked_up_ms != 0 && now - m->looked_up_ms < older_than_ms)
		return false;
	look_up(m, true);
	m->looked_up_ms = loop_now_ms();
	return true;
}

static void
in_force(struct member *m)
{
	struct clv_buf pages = m->pages;

	apps_free(&m->apps, &m->app_count);
	auth_acl_fini(&m->system_admins);
	auth_acl_fini(&m->creators);
	m->apps = m->next_apps;
	m->app_count = m->next_count;
	m->system_admins = m->next_admins;
	m->creators = m->next_creators;
	m->next_apps = NULL;
	m->next_count = 0;
	memset(&m->next_admins, 0, sizeof(m->next_admins));
	memset(&m->next_creators, 0, sizeof(m->next_creators));
	m->pages = m->next_pages;
	m->next_pages = pages;
	clv_buf_reset(&m->next_pages);
	m->apps_version = m->apps_next_version;
	look_up(m, false);
}

int
member_apps_ask(struct member *m, bool first)
{
	struct clv_buf payload;
	int r;

	if (first) {
		next_drop(m);
		m->after[0] = '\0';
	}
	clv_buf_init(&payload);
	clv_buf_str(&payload, m->after);
	r = clv_buf_result(&payload);
	if (r == CLV_OK)
		r = member_ask(m, CLV_WIRE_APPS, &payload);
	clv_buf_fini(&payload);
	return r;
}

int
member_apps_take(struct member *m, const struct clv_wire_answer *a)
{
	bool more;
	int r;

	/* Another list since the first page: begin anew with that one. */
	if (a->list_version != m->apps_next_version) {
		m->apps_next_version = a->list_version;
		next_drop(m);
		m->after[0] = '\0';
		return CLV_E_AGAIN;
	}
	r = take_page(m, a->payload, a->payload_len, &more);
	if (r == CLV_OK && more)
		return CLV_E_AGAIN;
	/* Whoever says that it has this list knows the server by it. */
	if (r == CLV_OK)
		r = member_uplink_pin(m, &m->next_pins);
	if (r == CLV_OK)
		in_force(m);
	else
		next_drop(m);
	return r;
}

int
member_apps_load(struct member *m, struct clv_rd *pages, uint64_t version)
{
	bool more = true;
	const uint8_t *p;
	size_t len;
	int r = CLV_OK;

	next_drop(m);
	m->after[0] = '\0';
	m->apps_next_version = version;
	while (r == CLV_OK && more) {
		p = clv_rd_bytes(pages, &len);
		r = p != NULL ? take_page(m, p, len, &more) : CLV_E_DAMAGED;
	}
	if (r == CLV_OK)
		in_force(m);
	else
		next_drop(m);
	return r;
}
