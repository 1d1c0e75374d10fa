/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <claviger/result.h>
#include "lib/backup_impl.h"

int
clv__backup_why(char *ret_why, int result, const char *format, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, format);
	vsnprintf(ret_why, CLV__BACKUP_WHY_LEN, format, ap);
	va_end(ap);
	errno = saved;
	return result;
}

static const char *
remedy(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT: return "free some space there or choose another directory";
	case EACCES:
	case EPERM: return "run this as root or choose another path";
	case EROFS: return "choose a directory that can be written";
	case ENOENT:
	case ENOTDIR: return "check the path";
	case ENAMETOOLONG: return "choose a shorter name";
	case EIO: return "the disk may be failing: choose another one";
	default: return "mend that or choose another path";
	}
}

static int
result_of(int error)
{
	switch (error) {
	case ENOENT: return CLV_E_NOT_FOUND;
	case EEXIST: return CLV_E_EXISTS;
	case EACCES: return CLV_E_PERMISSION;
	case ENOMEM: return CLV_E_NOMEM;
	default: return CLV_E_SYSTEM;
	}
}

int
clv__backup_why_errno(char *ret_why, const char *doing, const char *path)
{
	int error = errno;

	/* The path is cut, so that the remedy is not. */
	return clv__backup_why(ret_why, result_of(error),
	    "cannot %s %.100s: %s; %s", doing, path, strerrordesc_np(error),
	    remedy(error));
}
