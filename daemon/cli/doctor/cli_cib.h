/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_CIB_H
#define CLAVIGER_CLI_CIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <claviger/buf.h>

/*
 * The cluster's configuration, as `cibadmin --query` prints it, and questions
 * to it in XPath: each from an element on, or from the top (NULL).
 */
struct cib;
struct cib_element; /* borrowed from the cib */

int cib_parse(const void *text, size_t len, struct cib **ret);
void cib_free(struct cib **);
/* What is $name in the questions that follow. */
void cib_let(struct cib *cib, const char *name, const char *value);
/* The n-th that fits, or NULL. */
struct cib_element *cib_find(
    struct cib *cib, struct cib_element *from, const char *xpath, size_t n);
/* The text of the first that fits, cut to what has a place; false and "" when
 * none fits. */
bool cib_text(struct cib *cib, struct cib_element *from, const char *xpath,
    char *dst, size_t cap);
/* An element and what is in it, as XML; "" when there is none. */
int cib_print(
    struct cib *cib, struct cib_element *element, struct clv_buf *ret);
/* "10s", "500ms", "1min", "10": as Pacemaker reads it. */
bool cib_duration(const char *text, uint64_t *ret_ms);
/* Is it one of the words for true? */
bool cib_is_true(const char *text);

#endif
