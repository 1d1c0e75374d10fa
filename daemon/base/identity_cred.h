/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_IDENTITY_CRED_H
#define CLAVIGERD_IDENTITY_CRED_H

#include <stddef.h>
#include <stdint.h>
#include <claviger/identity.h>

/*
 * The identity at rest, sealed by systemd-creds(1) to this machine: to its
 * TPM2, to the key of this installation, or to both. Root alone opens it, by
 * that program; what it prints goes through a pipe into guarded memory, and is
 * in no buffer on its way.
 */
#define IDENTITY_CRED_FILE "identity.cred" /* in state_dir */
#define IDENTITY_CRED_NAME "claviger-identity"
#define IDENTITY_CRED_LEN_MAX 32768
#define IDENTITY_CRED_DEVICE "SYSTEMD_TPM2_DEVICE" /* systemd-creds' own */
#define IDENTITY_CRED_WHY_LEN 300

/* A descriptor with the plaintext, to be closed. CLV_E_NOT_FOUND: there is no
 * such file; CLV_E_NO_IDENTITY: it does not open on this machine. */
int identity_cred_open(const char *state_dir, int *ret_fd,
    char ret_why[static IDENTITY_CRED_WHY_LEN]);
/* What such a descriptor holds; fd is closed. */
int identity_cred_read(
    struct clv_guard *guard, int fd, struct clv_identity **ret);
/* Seal text[len]; with_key and pcrs as systemd-creds takes them, pcrs NULL: by
 * the TPM2 alone, whatever has started. Caller frees. */
int identity_cred_make(const char *text, size_t len, const char *with_key,
    const char *pcrs, void **ret_p, size_t *ret_len,
    char ret_why[static IDENTITY_CRED_WHY_LEN]);

#endif
