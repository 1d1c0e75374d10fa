/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/cli/status/cli_status.h"
#include "daemon/keeper/expiry.h"

static const struct {
	const char *name;
	const char *what;
} roles[] = {
    [CTL_ROLE_OFF] = {"off", "the server role is switched off"},
    [CTL_ROLE_LOCKED] = {"locked", "not ready: it cannot serve"},
    [CTL_ROLE_STANDBY] = {"standby", "ready to take over"},
    [CTL_ROLE_PROMOTING] = {"promoting", "about to serve"},
    [CTL_ROLE_ACTIVE] = {"active", "serving"},
    [CTL_ROLE_AWAY] = {"away", "serving for decryption only"},
    [CTL_ROLE_DEMOTING] = {"demoting", "about to stop serving"},
};
#define ROLES (sizeof(roles) / sizeof(roles[0]))

const char *
cli_status_role_name(uint32_t role)
{
	return role < ROLES ? roles[role].name : NULL;
}

const char *
cli_status_role(const struct cli_status *s)
{
	const char *name = cli_status_role_name(s->st.role);

	if (s->member)
		return "member";
	if (!s->daemon)
		return "stopped";
	return name != NULL ? name : "unknown";
}

const char *
cli_status_doing(const struct cli_status *s)
{
	return s->st.role < ROLES ? roles[s->st.role].what : "";
}

bool
cli_status_flag(const struct cli_status *s, enum ctl_flag f)
{
	return (s->st.flags & f) != 0;
}

bool
cli_status_is_active(const struct cli_status *s)
{
	return s->st.role == CTL_ROLE_ACTIVE || s->st.role == CTL_ROLE_AWAY;
}

const char *
cli_status_active_node(const struct cli_status *s)
{
	const struct clv_list_node *n;

	if (cli_status_is_active(s))
		return s->st.node;
	if (s->st.active_number == 0)
		return NULL;
	n = s->list != NULL
		? clv_list_node_by_number(s->list, s->st.active_number)
		: NULL;
	return n != NULL ? n->party.name
			 : "a node that is not in the list known here";
}

const char *
cli_status_reason(const struct cli_status *s)
{
	if (s->member)
		return s->ready ? "" : "no key was ever obtained";
	if (s->result == CLV_E_NO_SERVER)
		return "clavigerd does not run on this host";
	if (!s->daemon)
		return clv_result_text(s->result);
	if (s->st.reason[0] == '\0' && !s->ready)
		return cli_status_doing(s);
	return s->st.reason;
}

void
cli_status_nodes(const struct cli_status *s, struct cli_status_count *ret)
{
	*ret = (struct cli_status_count){0, 0};
	for (size_t i = 0; s->list != NULL && i < s->list->node_count; i++) {
		ret->revoked += s->list->nodes[i].revoked;
		ret->enrolled += !s->list->nodes[i].revoked;
	}
}

void
cli_status_members(const struct cli_status *s, struct cli_status_count *ret)
{
	*ret = (struct cli_status_count){0, 0};
	for (size_t i = 0; s->list != NULL && i < s->list->member_count; i++) {
		ret->revoked += s->list->members[i].revoked;
		ret->enrolled += !s->list->members[i].revoked;
	}
}

static bool
does_one_end(const struct cli_status *s)
{
	bool ret = false;

	for (size_t i = 0; i < s->cert_count; i++)
		ret |= expiry_step_of(s->certs[i].left_s) != EXPIRY_NONE;
	return ret;
}

int
cli_status_judge(const struct cli_status *s)
{
	if (s->member && !s->ready)
		return s->daemon ? CLV_E_AWAY : CLV_E_NOT_READY;
	if (!s->ready)
		return s->daemon ? CLV_E_NOT_READY : s->result;
	if (cli_status_flag(s, CTL_FLAG_COPIED))
		return CLV_E_FINDINGS;
	if (s->coverage != NULL && coverage_judge(s->coverage, NULL, NULL) > 0)
		return CLV_E_FINDINGS;
	return does_one_end(s) ? CLV_E_FINDINGS : CLV_OK;
}
