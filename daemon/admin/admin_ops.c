/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/age.h>
#include <claviger/result.h>

#include "daemon/admin/admin_ops.h"
#include "daemon/keeper/coverage.h"

int
admin_seal_to(struct admin_change *c, const struct clv_keyring *k,
    uint8_t number, const uint8_t box_pk[static 32])
{
	struct clv_buf row;
	int r;

	clv_buf_init(&row);
	r = clv_escrow_seal(c->guard, k, number, box_pk, &row);
	if (r == CLV_OK)
		clv_buf_bytes(&c->escrow, row.data, row.len);
	clv_buf_fini(&row);
	return r != CLV_OK ? r : clv_buf_result(&c->escrow);
}

bool
admin_same_keys(const struct clv_party *a, const struct clv_party *b)
{
	return sodium_memcmp(a->sign_pk, b->sign_pk, sizeof(a->sign_pk)) == 0 &&
	       sodium_memcmp(a->box_pk, b->box_pk, sizeof(a->box_pk)) == 0 &&
	       sodium_memcmp(a->thumb, b->thumb, sizeof(a->thumb)) == 0;
}

/* Settings. */

static int
set_policy(struct admin_change *c, const char *value)
{
	return coverage_policy_parse(value, &c->next->escrow_policy)
		   ? CLV_OK
		   : CLV_E_INVALID;
}

static int
set_address(struct admin_change *c, const char *value)
{
	uint8_t raw[16];

	if (inet_pton(AF_INET, value, raw) != 1 &&
	    inet_pton(AF_INET6, value, raw) != 1)
		return CLV_E_INVALID;
	snprintf(c->next->address, sizeof(c->next->address), "%s", value);
	return CLV_OK;
}

static int
set_port(struct admin_change *c, const char *value)
{
	char *end;
	unsigned long port = strtoul(value, &end, 10);

	if (value[0] == '\0' || *end != '\0' || port < 1 || port > 65535)
		return CLV_E_INVALID;
	c->next->port = (uint16_t)port;
	return CLV_OK;
}

static int
set_network_name(struct admin_change *c, const char *value)
{
	size_t len = strlen(value);

	if (len < 1 || len >= sizeof(c->next->network_name) ||
	    strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			  "0123456789.-") != len)
		return CLV_E_INVALID;
	snprintf(
	    c->next->network_name, sizeof(c->next->network_name), "%s", value);
	return CLV_OK;
}

static int
set_access(struct admin_change *c, char **acl, const char *value)
{
	int r = admin_acl_check(c, value, true);

	return r == CLV_OK ? clv_acl_set(acl, value) : r;
}

static int
set_system_admins(struct admin_change *c, const char *value)
{
	return set_access(c, &c->next->system_admins, value);
}

static int
set_creators(struct admin_change *c, const char *value)
{
	return set_access(c, &c->next->creators, value);
}

static int
remove_recovery(struct admin_change *c)
{
	memset(c->next->recovery_pk, 0, sizeof(c->next->recovery_pk));
	c->drop_copies = true;
	return CLV_OK;
}

/* Whoever only looks whether it is so already has no keyring. */
static int
set_recovery(struct admin_change *c, const char *value)
{
	uint8_t pk[CLV_AGE_KEY_LEN];
	int r;

	if (value[0] == '\0')
		return remove_recovery(c);
	r = clv_age_recipient_parse(value, pk);
	if (r != CLV_OK || sodium_is_zero(pk, sizeof(pk)))
		return CLV_E_INVALID;
	memcpy(c->next->recovery_pk, pk, sizeof(pk));
	if (c->keyring == NULL)
		return CLV_OK;
	return admin_seal_to(c, c->keyring, CLV_ESCROW_RECOVERY, pk);
}

static const struct {
	const char *key;
	const char *values;
	int (*set)(struct admin_change *, const char *);
} settings[] = {
    {"escrow_policy", COVERAGE_POLICY_VALUES, set_policy},
    {"network_name", "a host name", set_network_name},
    {"address", "a numeric address", set_address},
    {"port", "1 to 65535", set_port},
    {"system_admins", "user:NAME and group:NAME, joined by ','",
	set_system_admins},
    {"app_creators", "user:NAME and group:NAME, joined by ','", set_creators},
    {"recovery_recipient", "a recipient of age, age1…, or nothing",
	set_recovery},
};

static int
setting(struct admin_change *c, struct clv_rd *args)
{
	char key[64], value[CLV_ACL_MAX];
	int r;

	clv_rd_str(args, key, sizeof(key));
	clv_rd_str(args, value, sizeof(value));
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strcmp(settings[i].key, key) != 0)
			continue;
		r = settings[i].set(c, value);
		if (r == CLV_OK && c->drop_copies)
			ADMIN_SAY(c,
			    "there is no recovery recipient any more; what was "
			    "sealed to it opens still: claviger rotate");
		else if (r == CLV_OK)
			ADMIN_SAY(c, "%s = %.180s", key, value);
		else if (r == CLV_E_INVALID)
			ADMIN_SAY(c, "%s takes %s", key, settings[i].values);
		return r;
	}
	ADMIN_SAY(c,
	    "unknown setting %s: escrow_policy, network_name, address, port, "
	    "system_admins, app_creators, recovery_recipient",
	    key);
	return CLV_E_INVALID;
}

/* What shows that a request was carried out. */

static bool
same_settings(const struct clv_list *a, const struct clv_list *b)
{
	return a->escrow_policy == b->escrow_policy && a->port == b->port &&
	       strcmp(a->address, b->address) == 0 &&
	       strcmp(a->network_name, b->network_name) == 0 &&
	       strcmp(a->system_admins, b->system_admins) == 0 &&
	       strcmp(a->creators, b->creators) == 0 &&
	       memcmp(a->recovery_pk, b->recovery_pk, sizeof(a->recovery_pk)) ==
		   0;
}

static bool
setting_is(const struct clv_list *list, struct clv_rd *args)
{
	struct admin_change c = {.op = ADMIN_SETTING};
	bool same;

	if (clv_list_copy(list, &c.next) != CLV_OK)
		return false;
	same = setting(&c, args) == CLV_OK && same_settings(c.next, list);
	clv_list_free(&c.next);
	return same;
}

bool
admin_is_done(const struct clv_list *list, uint8_t op, struct clv_rd *args)
{
	switch ((enum admin_op)op) {
	case ADMIN_NODE_APPROVE: return admin_node_is(list, args, false);
	case ADMIN_NODE_REVOKE: return admin_node_is(list, args, true);
	case ADMIN_MEMBER_ADD: return admin_member_is_added(list, args);
	case ADMIN_MEMBER_REVOKE: return admin_member_is_revoked(list, args);
	case ADMIN_MEMBER_SCOPE: return admin_member_has_scope(list, args);
	case ADMIN_MEMBER_JOIN: return admin_member_has_joined(list, args);
	case ADMIN_TOKEN_ADD: return admin_token_is_added(list, args);
	case ADMIN_TOKEN_DROP: return admin_token_is_dropped(list, args);
	case ADMIN_SETTING: return setting_is(list, args);
	case ADMIN_BACKUP_DONE: return true;
	case ADMIN_ROTATE_BEGIN: return admin_rotate_pending(list) != NULL;
	case ADMIN_ROTATE_SIGNING: return list->has_next_key;
	case ADMIN_ROTATE_FINISH: return admin_rotate_is_published(list, args);
	case ADMIN_ROTATE_CURRENT:
		return clv_list_current(list)->number >= clv_rd_u32(args);
	case ADMIN_REENCRYPT: return list->reencrypt >= clv_rd_u32(args);
	case ADMIN_REENCRYPTED: return list->reencrypt != clv_rd_u32(args);
	case ADMIN_GENERATION_DESTROY:
		return admin_generation_is_destroyed(list, args);
	case ADMIN_CERT_NEXT: return admin_cert_is_next(list, args);
	case ADMIN_CERT_SWITCH: return admin_cert_is_switched(list, args);
	case ADMIN_CERT_DROP: return admin_cert_is_dropped(list, args);
	case ADMIN_PARTY_CERT: return admin_party_cert_is(list, args);
	case ADMIN_APP_ADD: return admin_app_is_added(list, args);
	case ADMIN_APP_REMOVE: return admin_app_is_removed(list, args);
	case ADMIN_APP_GRANT: return admin_app_is_granted(list, args, true);
	case ADMIN_APP_REVOKE: return admin_app_is_granted(list, args, false);
	case ADMIN_ROLLBACK: return true;
	case ADMIN_ROLLBACK_APP: /* it writes no list */
	case ADMIN_JOINS:
	case ADMIN_MEMBERS_STATE:
	case ADMIN_MEMBER_ROTATE:
	case ADMIN_BACKUPS:
	case ADMIN_APPS:
	case ADMIN_APP_COUNT:
	case ADMIN_GENERATIONS:
	case ADMIN_CERT_STATE:
	case ADMIN_CERTIFICATE:
	case ADMIN_ESCROW:
	case ADMIN_ROTATE_STATE: break;
	}
	return false;
}

int
admin_apply(struct admin_change *c, struct clv_rd *args)
{
	switch ((enum admin_op)c->op) {
	case ADMIN_NODE_APPROVE: return admin_node_approve(c, args);
	case ADMIN_NODE_REVOKE: return admin_node_revoke(c, args);
	case ADMIN_MEMBER_ADD: return admin_member_add(c, args);
	case ADMIN_MEMBER_REVOKE: return admin_member_revoke(c, args);
	case ADMIN_MEMBER_SCOPE: return admin_member_scope(c, args);
	case ADMIN_MEMBER_JOIN: return admin_member_join(c, args);
	case ADMIN_TOKEN_ADD: return admin_token_add(c, args);
	case ADMIN_TOKEN_DROP: return admin_token_drop(c, args);
	case ADMIN_SETTING: return setting(c, args);
	case ADMIN_ROTATE_BEGIN:
	case ADMIN_ROTATE_SIGNING: return admin_rotate_begin(c, args);
	case ADMIN_ROTATE_FINISH: return admin_rotate_finish(c, args);
	case ADMIN_ROTATE_CURRENT: return admin_rotate_current(c, args);
	case ADMIN_REENCRYPT: return admin_rotate_reencrypt(c, args);
	case ADMIN_REENCRYPTED: return admin_rotate_reencrypted(c, args);
	case ADMIN_GENERATION_DESTROY: return admin_generation_destroy(c, args);
	case ADMIN_CERT_NEXT: return admin_cert_next(c, args);
	case ADMIN_CERT_SWITCH: return admin_cert_switch(c, args);
	case ADMIN_CERT_DROP: return admin_cert_drop(c, args);
	case ADMIN_PARTY_CERT: return admin_party_cert(c, args);
	case ADMIN_APP_ADD: return admin_app_add(c, args);
	case ADMIN_APP_REMOVE: return admin_app_remove(c, args);
	case ADMIN_APP_GRANT: return admin_app_grant(c, args);
	case ADMIN_APP_REVOKE: return admin_app_revoke(c, args);
	case ADMIN_ROLLBACK: return admin_rollback(c, args);
	case ADMIN_ROLLBACK_APP:
	case ADMIN_BACKUP_DONE:
	case ADMIN_JOINS:
	case ADMIN_MEMBERS_STATE:
	case ADMIN_MEMBER_ROTATE:
	case ADMIN_BACKUPS:
	case ADMIN_APPS:
	case ADMIN_APP_COUNT:
	case ADMIN_GENERATIONS:
	case ADMIN_CERT_STATE:
	case ADMIN_CERTIFICATE:
	case ADMIN_ESCROW:
	case ADMIN_ROTATE_STATE: break;
	}
	return CLV_E_PROTOCOL;
}
