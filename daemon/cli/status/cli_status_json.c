/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/cli/status/cli_status.h"
#include "daemon/member/member_policy.h"
#include "daemon/rotate/rewrap.h"

static void
json_backup(struct cli_json *j, const struct cli_status_backup *b)
{
	struct cli_json *o;

	cli_json_array(j, "newest_backup"); /* none or one */
	if (!b->known || b->generation == 0)
		return;
	o = cli_json_push(j, "newest_backup");
	cli_json_u64(o, "generation", b->generation);
	cli_json_str(o, "where", b->where);
	cli_json_u64(o, "age_s", b->age_s);
}

static void
json_state(struct cli_json *j, const struct cli_status *s)
{
	static const struct {
		unsigned flag;
		const char *key;
	} flags[] = {{CTL_FLAG_DATABASE, "database"},
	    {CTL_FLAG_CLUSTER, "cluster"}, {CTL_FLAG_QUORATE, "quorate"},
	    {CTL_FLAG_ENCRYPT, "encrypt"}, {CTL_FLAG_UNLOCKED, "unlocked"},
	    {CTL_FLAG_PROVEN, "proven"}, {CTL_FLAG_READONLY, "readonly"},
	    {CTL_FLAG_LISTENING, "listening"},
	    {CTL_FLAG_SECRETMEM, "secretmem"}, {CTL_FLAG_COPIED, "copied"}};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		cli_json_bool(
		    j, flags[i].key, cli_status_flag(s, flags[i].flag));
	cli_json_u64(j, "epoch", s->st.epoch);
	cli_json_u64(j, "generation", s->st.generation);
	cli_json_u64(j, "current_generation", s->st.current_generation);
	cli_json_u64(j, "list_version", s->st.list_version);
	cli_json_u64(j, "lease_left_ms", s->st.lease_left_ms);
	cli_json_u64(j, "locked_kib", s->st.locked_kib);
	cli_json_str(j, "network_name", s->st.network_name);
	cli_json_str(j, "address", s->st.address);
	cli_json_u64(j, "port", s->st.port);
}

/* None or one: a rotation that the active server goes on with. */
static void
json_rotation(struct cli_json *j, const struct cli_rotation *r)
{
	struct cli_json *o;

	cli_json_array(j, "rewrapping");
	if (!cli_rotation_goes_on(r))
		return;
	o = cli_json_push(j, "rewrapping");
	cli_json_u64(o, "generation", r->generation);
	cli_json_bool(o, "published", r->state == REWRAP_IS_TO_COME);
	cli_json_str(o, "state", cli_rotation_state(r));
	cli_json_u64(o, "keys", r->total);
	cli_json_u64(o, "left", r->left);
	cli_json_str(o, "why_waiting", r->why);
}

static void
json_member(struct cli_json *j, const struct cli_status *s)
{
	cli_json_str(j, "keys", member_state_name(s->own.state));
	if (s->own.age_ms != UINT64_MAX)
		cli_json_u64(j, "keys_age_ms", s->own.age_ms);
	cli_json_bool(j, "may_write", s->own.may_encrypt);
	cli_json_str(j, "why_not", s->own.why);
	cli_json_bool(j, "database_up", s->own.database_up);
}

static void
json_certificates(struct cli_json *j, const struct cli_status *s)
{
	cli_json_array(j, "certificates");
	for (size_t i = 0; i < s->cert_count; i++) {
		const struct cli_status_cert *cert = &s->certs[i];
		struct cli_json *o = cli_json_push(j, "certificates");

		cli_json_str(o, "party", cert->party);
		cli_json_str(o, "name", cert->name);
		cli_json_u64(
		    o, "left_s", cert->left_s > 0 ? (uint64_t)cert->left_s : 0);
		cli_json_bool(o, "ended", cert->left_s <= 0);
	}
}

/* Only where the signed list is known: a member has none. */
static void
json_parties(struct cli_json *j, const struct cli_status *s)
{
	struct cli_status_count n;

	if (s->list == NULL)
		return;
	cli_status_nodes(s, &n);
	cli_json_u64(j, "nodes_enrolled", n.enrolled);
	cli_json_u64(j, "nodes_revoked", n.revoked);
	cli_status_members(s, &n);
	cli_json_u64(j, "members_enrolled", n.enrolled);
	cli_json_u64(j, "members_revoked", n.revoked);
}

struct cli_json *
cli_status_json(const struct cli_status *s)
{
	struct cli_json *j = cli_json_new();
	const char *active = cli_status_active_node(s);

	cli_json_bool(j, "daemon", s->daemon);
	cli_json_bool(j, "ready", s->ready);
	cli_json_str(j, "role", cli_status_role(s));
	cli_json_bool(j, "never", s->st.score == CTL_SCORE_NEVER);
	cli_json_str(j, "reason", cli_status_reason(s));
	cli_json_str(j, "node", s->st.node);
	cli_json_u64(j, "node_number", s->st.node_number);
	cli_json_str(j, "system", s->st.system_pk);
	cli_json_str(j, "active_node", active != NULL ? active : "");
	json_state(j, s);
	json_backup(j, &s->backup);
	cli_escrow_json(j, s->coverage);
	json_rotation(j, &s->rotation);
	cli_json_u64(
	    j, "reencrypting_since", s->list != NULL ? s->list->reencrypt : 0);
	json_certificates(j, s);
	json_parties(j, s);
	if (s->own_known)
		json_member(j, s);
	return j;
}
