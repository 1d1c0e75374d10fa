/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_LIST_H
#define CLV_LIST_H

#include <stdbool.h>
#include <claviger/buf.h>
#include <claviger/list.h>

/* The next name of a scope that is not "all"; false at its end. */
bool clv__scope_next(const char **scope, char ret[static CLV_NAME_MAX]);

/* What one entry must be by itself, whoever made it; CLV_E_INVALID. */
int clv__list_check_head(const struct clv_list *list);
int clv__list_check_generation(const struct clv_list_generation *g);
int clv__list_check_node(const struct clv_list_node *n);
int clv__list_check_member(const struct clv_list_member *m);
int clv__list_check_token(const struct clv_list_token *t);
int clv__list_check_app(const struct clv_list_app *a);
/* What must hold between entries: one current generation, re-encryption for one
 * that is there, and no thumbprint, node name or token's key twice.
 * CLV_E_INVALID, CLV_E_EXISTS, CLV_E_NOMEM. Order, and with it every number and
 * every name of a member or an application being there once, is the encoding's
 * matter. */
int clv__list_check_whole(const struct clv_list *list);

#endif
