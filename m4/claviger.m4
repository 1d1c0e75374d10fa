# SPDX-License-Identifier: GPL-2.0-or-later

# CLV_TRY_FLAG(FLAG, VARIABLE): append FLAG to VARIABLE if the compiler takes it.
AC_DEFUN([CLV_TRY_FLAG], [
	AS_VAR_PUSHDEF([CLV_CACHE], [clv_cv_flag_$1])
	AC_CACHE_CHECK([whether $CC takes $1], [CLV_CACHE], [
		clv_save_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror $1"
		AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
			[AS_VAR_SET([CLV_CACHE], [yes])],
			[AS_VAR_SET([CLV_CACHE], [no])])
		CFLAGS=$clv_save_CFLAGS])
	AS_VAR_IF([CLV_CACHE], [yes], [$2="$$2 $1"])
	AS_VAR_POPDEF([CLV_CACHE])])

AC_DEFUN([CLV_ARG_ENABLES], [
	AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror],
		[warnings are errors (CI sets this)])], [], [enable_werror=no])
	AC_ARG_ENABLE([sanitizers], [AS_HELP_STRING([--enable-sanitizers],
		[AddressSanitizer and UBSan])], [], [enable_sanitizers=no])
	AC_ARG_ENABLE([fuzzer], [AS_HELP_STRING([--enable-fuzzer],
		[build the fuzz targets with libFuzzer (needs clang)])], [],
		[enable_fuzzer=no])
	AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage],
		[gcov instrumentation; make coverage shows it])], [],
		[enable_coverage=no])
	AS_VAR_IF([enable_coverage], [yes], [
		AC_CHECK_PROG([LCOV], [lcov], [lcov])
		AS_VAR_IF([LCOV], [], [AC_MSG_ERROR(
			[--enable-coverage needs lcov])])])
	AM_CONDITIONAL([FUZZER], [test "x$enable_fuzzer" = xyes])
	AM_CONDITIONAL([COVERAGE], [test "x$enable_coverage" = xyes])
	AM_CONDITIONAL([SANITIZERS], [test "x$enable_sanitizers" = xyes])
])

AC_DEFUN([CLV_WARNING_FLAGS], [
	WARN_CFLAGS=
	# The two that are off: clang finds them in macros and structures of
	# libseccomp and of the kernel.
	m4_foreach_w([flag], [-Wall -Wextra -Wshadow -Wstrict-prototypes
		-Wmissing-prototypes -Wold-style-definition -Wwrite-strings
		-Wpointer-arith -Wformat=2 -Wundef -Wvla
		-Wno-unused-parameter -Wno-missing-field-initializers
		-Wno-gnu-variable-sized-type-not-at-end],
		[CLV_TRY_FLAG(flag, [WARN_CFLAGS])])
	AS_VAR_IF([enable_werror], [yes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
	AC_SUBST([WARN_CFLAGS])])

AC_DEFUN([CLV_HARDENING_FLAGS], [
	HARDEN_CFLAGS=
	HARDEN_LDFLAGS=
	SAN_CFLAGS=
	AS_VAR_IF([enable_sanitizers], [yes],
		[SAN_CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"],
		[m4_foreach_w([flag], [-fstack-protector-strong
			-fstack-clash-protection -fcf-protection],
			[CLV_TRY_FLAG(flag, [HARDEN_CFLAGS])])
		 AS_VAR_IF([enable_coverage], [yes], [], [
			AS_CASE([" $CFLAGS "], [*" -O0 "*], [],
				[HARDEN_CFLAGS="$HARDEN_CFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"])])])
	AS_VAR_IF([enable_fuzzer], [yes],
		[SAN_CFLAGS="$SAN_CFLAGS -fsanitize=fuzzer-no-link"])
	AS_VAR_IF([enable_coverage], [yes],
		[SAN_CFLAGS="$SAN_CFLAGS --coverage"])
	CLV_TRY_FLAG([-Wl,-z,relro], [HARDEN_LDFLAGS])
	CLV_TRY_FLAG([-Wl,-z,now], [HARDEN_LDFLAGS])
	CLV_TRY_FLAG([-Wl,-z,noexecstack], [HARDEN_LDFLAGS])
	AC_SUBST([HARDEN_CFLAGS])
	AC_SUBST([HARDEN_LDFLAGS])
	AC_SUBST([SAN_CFLAGS])])

# How the agents are linked: a monitor is mostly the start of a process.
# Statically where that can be, since loading libc costs as much as the rest;
# position-independent either way. A name service or a plug-in of libc would not
# work in a static program: the linker warns of it, and with --enable-werror
# that is an error.
AC_DEFUN([CLV_AGENT_FLAGS], [
	AC_ARG_ENABLE([static-agents], [AS_HELP_STRING([--disable-static-agents],
		[link the resource agents dynamically, which makes a monitor
		dearer @<:@static where libc.a is there@:>@])], [],
		[enable_static_agents=auto])
	# The run-time of a sanitizer is a shared library.
	AS_IF([test "x$enable_static_agents" = xauto &&
		{ test "x$enable_sanitizers" != xno ||
		  test "x$enable_fuzzer" != xno; }],
		[enable_static_agents=no])
	AGENT_CFLAGS=-fPIE
	STATIC_PIE_LDFLAGS=-static-pie
	AS_VAR_IF([enable_werror], [yes], [STATIC_PIE_LDFLAGS="$STATIC_PIE_LDFLAGS -Wl,--fatal-warnings"])
	AS_VAR_IF([enable_static_agents], [no], [], [
		AC_CACHE_CHECK([whether $CC links static PIE programs],
			[clv_cv_static_pie], [
			clv_save_CFLAGS=$CFLAGS
			clv_save_LDFLAGS=$LDFLAGS
			CFLAGS="$CFLAGS -fPIE"
			LDFLAGS="$LDFLAGS -static-pie"
			AC_LINK_IFELSE([AC_LANG_PROGRAM([#include <stdio.h>],
				[return puts("") == EOF;])],
				[clv_cv_static_pie=yes], [clv_cv_static_pie=no])
			CFLAGS=$clv_save_CFLAGS
			LDFLAGS=$clv_save_LDFLAGS])
		AS_IF([test "x$enable_static_agents" = xyes &&
			test "x$clv_cv_static_pie" = xno],
			[AC_MSG_ERROR([--enable-static-agents needs libc.a])])
		enable_static_agents=$clv_cv_static_pie])
	# One segment less to map is one twentieth of a monitor.
	AGENT_LDFLAGS=
	CLV_TRY_FLAG([-Wl,-z,noseparate-code], [AGENT_LDFLAGS])
	# Packed, relocations are another one; glibc can unpack them since 2.36.
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <features.h>
		#if !defined(__GLIBC_PREREQ) || !__GLIBC_PREREQ(2, 36)
		#error older
		#endif]], [])],
		[CLV_TRY_FLAG([-Wl,-z,pack-relative-relocs], [AGENT_LDFLAGS])])
	AC_SUBST([AGENT_CFLAGS])
	AC_SUBST([AGENT_LDFLAGS])
	AC_SUBST([STATIC_PIE_LDFLAGS])
	AC_SUBST([STATIC_AGENTS], [$enable_static_agents])
	AM_CONDITIONAL([STATIC_AGENTS], [test "x$enable_static_agents" = xyes])
])
