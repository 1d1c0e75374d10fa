/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include "daemon/keeper/coverage.h"

/* The setting escrow_policy, in words. */

#define NOTHING (CLV_ESCROW_NO_OUTSIDE | CLV_ESCROW_NO_NODES)

static const struct {
	const char *words;
	uint8_t policy;
} policies[] = {
    {"auto", CLV_ESCROW_AUTO},
    {"auto,nodes", CLV_ESCROW_AUTO | CLV_ESCROW_NO_OUTSIDE},
    {"auto,outside", CLV_ESCROW_AUTO | CLV_ESCROW_NO_NODES},
    {"auto,none", CLV_ESCROW_AUTO | NOTHING},
    {"manual", CLV_ESCROW_MANUAL},
    {"manual,nodes", CLV_ESCROW_MANUAL | CLV_ESCROW_NO_OUTSIDE},
    {"manual,outside", CLV_ESCROW_MANUAL | CLV_ESCROW_NO_NODES},
    {"manual,none", CLV_ESCROW_MANUAL | NOTHING},
};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

bool
coverage_policy_parse(const char *words, uint8_t *ret)
{
	for (size_t i = 0; i < POLICIES; i++) {
		if (strcmp(policies[i].words, words) != 0)
			continue;
		*ret = policies[i].policy;
		return true;
	}
	return false;
}

const char *
coverage_policy_words(uint8_t policy)
{
	for (size_t i = 0; i < POLICIES; i++)
		if (policies[i].policy == policy)
			return policies[i].words;
	return "unknown";
}
