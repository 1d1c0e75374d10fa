/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/admin/admin.h"
#include "daemon/api/authorize.h"
#include "daemon/keeper/keeper.h"

/* What is recorded in the audit trail, and in which words. */

const char *
audit_admin_name(uint8_t op)
{
	switch ((enum admin_op)op) {
	case ADMIN_NODE_APPROVE: return "node-approve";
	case ADMIN_NODE_REVOKE: return "node-revoke";
	case ADMIN_MEMBER_ADD: return "member-add";
	case ADMIN_MEMBER_REVOKE: return "member-revoke";
	case ADMIN_MEMBER_SCOPE: return "member-scope";
	case ADMIN_MEMBER_JOIN: return "member-join";
	case ADMIN_MEMBER_ROTATE: return NULL; /* PARTY_CERT is the change */
	case ADMIN_TOKEN_ADD: return "token-add";
	case ADMIN_TOKEN_DROP: return "token-drop";
	case ADMIN_SETTING: return "setting";
	case ADMIN_BACKUP_DONE: return "backup";
	case ADMIN_ROTATE_BEGIN: return "rotate-begin";
	case ADMIN_ROTATE_FINISH: return "rotate-finish";
	case ADMIN_ROTATE_CURRENT: return "rotate-current";
	case ADMIN_ROTATE_SIGNING: return "rotate-signing-key";
	case ADMIN_REENCRYPT: return "reencrypt-begin";
	case ADMIN_REENCRYPTED: return "reencrypt-end";
	case ADMIN_GENERATION_DESTROY: return "generation-destroy";
	case ADMIN_CERT_NEXT: return "cert-next";
	case ADMIN_CERT_SWITCH: return "cert-switch";
	case ADMIN_CERT_DROP: return "cert-drop";
	case ADMIN_PARTY_CERT: return "party-cert";
	case ADMIN_APP_ADD: return "app-add";
	case ADMIN_APP_REMOVE: return "app-remove";
	case ADMIN_APP_GRANT: return "app-grant";
	case ADMIN_APP_REVOKE: return "app-revoke";
	case ADMIN_ROLLBACK: return "accept-rollback";
	case ADMIN_ROLLBACK_APP: return "accept-rollback-app";
	case ADMIN_JOINS:
	case ADMIN_BACKUPS:
	case ADMIN_APPS:
	case ADMIN_APP_COUNT:
	case ADMIN_MEMBERS_STATE:
	case ADMIN_GENERATIONS:
	case ADMIN_ROTATE_STATE:
	case ADMIN_CERT_STATE:
	case ADMIN_CERTIFICATE:
	case ADMIN_ESCROW: break;
	}
	return NULL;
}

/* Of what: a name, or the number of a generation. */
static void
object_of(uint8_t op, struct clv_rd args, char ret[static CLV_NAME_MAX])
{
	ret[0] = '\0';
	switch ((enum admin_op)op) {
	case ADMIN_ROTATE_FINISH:
	case ADMIN_ROTATE_CURRENT:
	case ADMIN_REENCRYPT:
	case ADMIN_REENCRYPTED:
	case ADMIN_BACKUP_DONE:
	case ADMIN_GENERATION_DESTROY:
		snprintf(ret, CLV_NAME_MAX, "generation %u", clv_rd_u32(&args));
		break;
	case ADMIN_MEMBER_JOIN:
		(void)clv_rd_raw(&args, CLV_SIGN_PK_LEN);
		clv_rd_str(&args, ret, CLV_NAME_MAX);
		break;
	case ADMIN_ROTATE_BEGIN:
	case ADMIN_ROTATE_SIGNING:
	case ADMIN_CERT_NEXT:
	case ADMIN_CERT_SWITCH:
	case ADMIN_CERT_DROP:
	case ADMIN_ROLLBACK: break;
	default: clv_rd_str(&args, ret, CLV_NAME_MAX);
	}
}

void
audit_who(const struct admin_origin *from, char ret[static AUDIT_WHO_MAX])
{
	if (from->caller != NULL)
		snprintf(
		    ret, AUDIT_WHO_MAX, "uid %u", (unsigned)from->caller->uid);
	else if (from->remote)
		snprintf(ret, AUDIT_WHO_MAX, "root at %s", from->reply.name);
	else
		snprintf(ret, AUDIT_WHO_MAX, "%s",
		    from->conn != NULL ? "root" : "clavigerd");
}

void
audit_admin(struct keeper *k, const char *who, uint8_t op,
    const struct clv_rd *args, int result, const char *text, uint64_t epoch)
{
	struct audit_note n = {.who = who,
	    .operation = audit_admin_name(op),
	    .result = result,
	    .text = text,
	    .epoch = epoch};
	char object[CLV_NAME_MAX];

	if (n.operation == NULL)
		return;
	object_of(op, *args, object);
	n.object = object;
	/* Anybody may repeat what fails; root is trusted. */
	if (result == CLV_E_DENIED ||
	    (result != CLV_OK && strncmp(who, "uid ", 4) == 0))
		audit_refused(k, &n);
	else
		audit_note(k, &n);
}

/* ---- keys ---- */

struct grant {
	uint64_t what; /* of which generations, to which key, in which scope */
	char name[CLV_NAME_MAX];
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(
	    ((const struct grant *)a)->name, ((const struct grant *)b)->name);
}

/* FNV-1a: told apart, not protected. */
static uint64_t
mix(uint64_t h, const void *p, size_t len)
{
	const uint8_t *at = p;

	for (size_t i = 0; i < len; i++)
		h = (h ^ at[i]) * UINT64_C(0x100000001b3);
	return h;
}

static struct grant *
grant_of(struct keeper *k, const char *name)
{
	struct grant *g = calloc(1, sizeof(*g)), **at;

	if (g == NULL)
		return NULL;
	snprintf(g->name, sizeof(g->name), "%s", name);
	at = tsearch(g, &k->audit.grants, by_name);
	if (at == NULL || *at != g)
		free(g);
	return at == NULL ? NULL : *at;
}

void
audit_grant(struct keeper *k, const char *name, const uint8_t box_pk[static 32],
    const char *scope)
{
	const uint32_t current = clv_list_current(k->secret.list)->number;
	const uint32_t newest = clv_keyring_newest(k->secret.keyring);
	uint64_t what = UINT64_C(0xcbf29ce484222325);
	struct grant *g = grant_of(k, name);
	char text[64];

	what = mix(what, &current, sizeof(current));
	what = mix(what, &newest, sizeof(newest));
	what = mix(what, box_pk, 32);
	what = mix(what, scope, strlen(scope));
	if (g == NULL || g->what == what)
		return;
	g->what = what;
	snprintf(text, sizeof(text), "up to generation %u", newest);
	audit_note(k, &(struct audit_note){.who = name,
			  .operation = "keys-granted",
			  .object = scope,
			  .result = CLV_OK,
			  .text = text});
}
