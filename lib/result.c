/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <claviger/result.h>

/*
 * The one table. Exit statuses of `claviger`: 1 system, 2 usage, 3 not ready
 * or not active, 4 refused, 5 not found, 6 exists, 7 database, 8 unreachable,
 * 9 no quorum, 10..19 files and formats, 20 stale, 21 outcome unknown, 22 no
 * keyring in the file, 23 doctor has found something, 24..29 shares, 30
 * something is left to do by hand.
 */
static const struct {
	const char *name;
	const char *text;
	int status;
} table[] = {
    [-CLV_OK] = {"ok", "success", 0},
    [-CLV_E_NOMEM] = {"no-memory", "out of memory", 1},
    [-CLV_E_SYSTEM] = {"system", "a system call failed", 1},
    [-CLV_E_USAGE] = {"usage", "wrong options or arguments", 2},
    [-CLV_E_INVALID] = {"invalid", "a value is not allowed", 2},
    [-CLV_E_AGAIN] = {"again", "not finished yet", 1},
    [-CLV_E_TIMEOUT] = {"timeout", "no answer in time", 8},
    [-CLV_E_NOT_LOCKED] = {"not-locked", "memory could not be locked", 1},
    [-CLV_E_FULL] = {"full", "no room left", 1},
    [-CLV_E_FORMAT] = {"format", "not a file or message of this kind", 10},
    [-CLV_E_VERSION] = {"version", "unsupported format version", 11},
    [-CLV_E_DAMAGED] = {"damaged", "damaged or changed", 12},
    [-CLV_E_PASSPHRASE] = {"passphrase", "wrong passphrase", 13},
    [-CLV_E_NO_IDENTITY] = {"no-identity", "sealed to somebody else", 14},
    [-CLV_E_WORK_FACTOR] = {"work-factor", "scrypt work factor above the limit",
	15},
    [-CLV_E_TRUNCATED] = {"truncated", "ends too early", 16},
    [-CLV_E_WRONG_SYSTEM] = {"wrong-system", "belongs to another system", 17},
    [-CLV_E_STALE] = {"stale", "older than what was seen before", 20},
    [-CLV_E_SIGNATURE] = {"signature", "signature does not verify", 18},
    [-CLV_E_PERMISSION] = {"permission", "wrong owner or mode", 4},
    [-CLV_E_EXISTS] = {"exists", "exists already", 6},
    [-CLV_E_NOT_FOUND] = {"not-found", "not found", 5},
    [-CLV_E_DATABASE] = {"database", "PostgreSQL refused", 7},
    [-CLV_E_DATABASE_AWAY] = {"database-away", "PostgreSQL cannot be reached",
	8},
    [-CLV_E_UNKNOWN] = {"unknown", "the outcome is not known", 21},
    [-CLV_E_STALE_EPOCH] = {"stale-epoch",
	"another server has taken a newer epoch", 3},
    [-CLV_E_SCHEMA_OLDER] = {"schema-older",
	"the database schema is older than this program", 7},
    [-CLV_E_SCHEMA_NEWER] = {"schema-newer",
	"the database schema is newer than this program", 7},
    [-CLV_E_NO_QUORUM] = {"no-quorum",
	"the cluster has no quorum or does not answer", 9},
    [-CLV_E_NOT_ACTIVE] = {"not-active", "another node is the active server",
	3},
    [-CLV_E_NOT_READY] = {"not-ready", "this node cannot serve", 3},
    [-CLV_E_NO_SECRET] = {"no-secret", "the master secret is absent here", 3},
    [-CLV_E_DENIED] = {"denied", "not allowed", 4},
    [-CLV_E_REVOKED] = {"revoked", "the caller was revoked", 4},
    [-CLV_E_UNKNOWN_PEER] = {"unknown-peer", "the peer is not enrolled", 4},
    [-CLV_E_NO_SERVER] = {"no-server", "the server cannot be reached", 8},
    [-CLV_E_FINGERPRINT] = {"fingerprint", "the fingerprint does not match", 4},
    [-CLV_E_PROTOCOL] = {"protocol", "the peer broke the protocol", 1},
    [-CLV_E_TLS] = {"tls", "TLS failed", 8},
    [-CLV_E_BUSY] = {"busy", "another operation is under way", 3},
    [-CLV_E_IN_USE] = {"in-use", "the address is in use on the network", 6},
    [-CLV_E_CONFIG] = {"config", "the configuration is wrong", 2},
    [-CLV_E_MISMATCH] = {"mismatch",
	"what was read back is not what was written", 19},
    [-CLV_E_CANCELLED] = {"cancelled", "interrupted", 1},
    [-CLV_E_NO_KEYRING] = {"no-keyring", "holds no keyring", 22},
    [-CLV_E_AWAY] = {"away", "the master secret server cannot be reached", 8},
    [-CLV_E_GENERATION] = {"generation",
	"under a generation whose key is not here", 20},
    [-CLV_E_ROLLBACK] = {"rollback",
	"the database is older than what was seen before", 20},
    [-CLV_E_FINDINGS] = {"findings", "something is wrong", 23},
    [-CLV_E_WORD] = {"word", "a word is not of the word list", 24},
    [-CLV_E_CHECKSUM] = {"checksum", "a word is mistyped", 25},
    [-CLV_E_MIXED] = {"mixed-shares", "shares of different sets", 26},
    [-CLV_E_DUPLICATE] = {"duplicate-share", "the same share twice", 27},
    [-CLV_E_SHARES] = {"share-count", "not the number of shares that is needed",
	28},
    [-CLV_E_DIGEST] = {"wrong-share", "a share is wrong", 29},
    [-CLV_E_FORKED] = {"forked",
	"the database was set back and then written on", 20},
    [-CLV_E_LOST] = {"lost",
	"under a generation that was destroyed: its key is lost", 31},
    [-CLV_E_LEFT] = {"left", "something is left to do by hand", 30},
};

_Static_assert(
    sizeof(table) / sizeof(table[0]) == -CLV_E_LAST, "every result has a row");

static unsigned
row(int result)
{
	if (result > 0 || result <= CLV_E_LAST)
		return -CLV_E_PROTOCOL;
	return (unsigned)-result;
}

const char *
clv_result_text(int result)
{
	return table[row(result)].text;
}

const char *
clv_result_name(int result)
{
	return table[row(result)].name;
}

int
clv_result_exit(int result)
{
	return table[row(result)].status;
}
