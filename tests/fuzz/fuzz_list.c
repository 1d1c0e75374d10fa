/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <claviger/list.h>
#include "fuzz.h"

#define SYSTEM_ID_AT 2

/* The whole list as its own writer sees it. */
static void
require_same(const struct clv_list *list, const uint8_t *p, size_t len)
{
	struct clv_buf b = {0};

	FUZZ_REQUIRE(clv_list_sign(list, fuzz_keyring(), &b) == CLV_OK);
	FUZZ_REQUIRE(b.len == len && memcmp(b.data, p, len) == 0);
	clv_buf_fini(&b);
}

static void
walk_acl(const char *acl)
{
	char name[CLV_SUBJECT_MAX];
	enum clv_subject kind;

	while (clv_acl_next(&acl, &kind, name))
		FUZZ_REQUIRE(name[0] != '\0');
	FUZZ_REQUIRE(*acl == '\0');
}

static void
look_up(const struct clv_list *list)
{
	size_t i;

	FUZZ_REQUIRE(clv_list_current(list) != NULL);
	for (i = 0; i < list->node_count; i++)
		FUZZ_REQUIRE(clv_list_node_by_number(list,
				 list->nodes[i].number) == &list->nodes[i]);
	for (i = 0; i < list->member_count; i++)
		FUZZ_REQUIRE(
		    clv_list_member_by_name(list,
			list->members[i].party.name) == &list->members[i]);
	walk_acl(list->system_admins);
	walk_acl(list->creators);
	for (i = 0; i < list->app_count; i++) {
		FUZZ_REQUIRE(clv_list_app_by_name(list, list->apps[i].name) ==
			     &list->apps[i]);
		walk_acl(list->apps[i].admins);
		walk_acl(list->apps[i].users);
	}
	clv_list_prove(list, fuzz_keyring());
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct clv_keyring *k = fuzz_keyring();
	const uint8_t *pk = clv_keyring_sign_pk(k);
	uint8_t *body = malloc(len + CLV_SIG_LEN);
	struct clv_list *list = NULL;

	FUZZ_REQUIRE(body != NULL);
	FUZZ_REQUIRE(clv_list_open(data, len, pk, &list) == CLV_E_SIGNATURE);
	memcpy(body, data, len);
	if (len >= SYSTEM_ID_AT + CLV_SYSTEM_ID_LEN)
		memcpy(body + SYSTEM_ID_AT, clv_keyring_system_id(k),
		    CLV_SYSTEM_ID_LEN);
	FUZZ_REQUIRE(clv_keyring_sign(k, "claviger-list-01", body, len,
			 body + len) == CLV_OK);
	if (clv_list_open(body, len + CLV_SIG_LEN, pk, &list) == CLV_OK) {
		require_same(list, body, len + CLV_SIG_LEN);
		look_up(list);
	}
	clv_list_free(&list);
	free(body);
	return 0;
}
