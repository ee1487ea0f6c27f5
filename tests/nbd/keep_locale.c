/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To be loaded into nbdkit together with gcc 12's libasan or libtsan.  With these alone
 * any nbdkit (its null plugin too) that has printed an errno's text hangs when it ends:
 * glibc's lock of the locale has been unlocked once too often, and a library of
 * nbdkit's takes it to free a locale.  So none is freed.
 */
#include <locale.h>

__attribute__((visibility("default"))) void freelocale(locale_t locale);

void freelocale(locale_t locale)
{
}
