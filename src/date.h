/*
 * date.h: milliseconds since 1970 as a date that people and RFC 3339 read. It knows no clock and no
 * zone but UTC.
 */
#ifndef DUN_DATE_H
#define DUN_DATE_H

#include <stdint.h>

#define DUN_DATE_SIZE 32 /* room for any date, and a NUL */

/* "2026-01-31T08:00:00.000Z"; years before 0 have a sign, those beyond 9999 six digits. Returns the
 * end; no NUL is written. `text` has DUN_DATE_SIZE bytes. */
char *dun_date_write(char *text, int64_t unix_ms);

#endif
