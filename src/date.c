/* date.c: see date.h. The calendar is the proleptic Gregorian one; nothing here knows the time. */
#include "date.h"

static char *digits(char *text, uint64_t value, unsigned count)
{
    for (unsigned i = count; i > 0; i--) {
        text[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return text + count;
}

/* Days since 1970 to a date of the proleptic Gregorian calendar, counted in years from March. */
static char *text_day(char *text, int64_t days)
{
    int64_t shifted = days + 719468; /* days since 0000-03-01 */
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
    if (year < 0) {
        *text++ = '-';
        year = -year;
    }
    text = digits(text, (uint64_t)year, year > 9999 ? 6 : 4);
    *text++ = '-';
    text = digits(text, (uint64_t)month, 2);
    *text++ = '-';
    return digits(text, (uint64_t)day, 2);
}

char *dun_date_write(char *text, int64_t unix_ms)
{
    const int64_t day_ms = 86400000;
    int64_t days = unix_ms / day_ms - (unix_ms % day_ms < 0 ? 1 : 0);
    uint64_t rest = (uint64_t)(unix_ms - days * day_ms);
    text = text_day(text, days);
    *text++ = 'T';
    text = digits(text, rest / 3600000, 2);
    *text++ = ':';
    text = digits(text, rest / 60000 % 60, 2);
    *text++ = ':';
    text = digits(text, rest / 1000 % 60, 2);
    *text++ = '.';
    text = digits(text, rest % 1000, 3);
    *text++ = 'Z';
    return text;
}
