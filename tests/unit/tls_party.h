/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_TLS_PARTY_H
#define TESTS_TLS_PARTY_H

#include <check.h>
#include <stdint.h>
#include <string.h>
#include <claviger/buf.h>
#include <claviger/result.h>
#include "daemon/front/tls.h"

/* A host with a certificate, for tests of TLS. */
struct party {
	struct clv_buf cert;
	struct clv_buf key;
	uint8_t thumb[32];
};

static inline void
party_init(struct party *p, const char *cn)
{
	clv_buf_init(&p->cert);
	clv_buf_init(&p->key);
	ck_assert_int_eq(cert_make(cn, NULL, 0, &p->cert, &p->key), CLV_OK);
	ck_assert_int_eq(
	    cert_thumb(p->cert.data, p->cert.len, p->thumb), CLV_OK);
}

static inline void
party_fini(struct party *p)
{
	clv_buf_fini(&p->cert);
	clv_buf_fini(&p->key);
}

static inline bool
pins_one(void *arg, const uint8_t thumb[static 32])
{
	return memcmp(arg, thumb, 32) == 0;
}

#endif
