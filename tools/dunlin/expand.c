/*
 * expand.c: rows and values. Nothing is expanded before its length was checked: all rows together
 * and all points together are at most DUN_RECORD_ITEMS_MAX, so a record that claims four billion
 * costs no more than its own bytes, and any record a bounded time and memory.
 */
#include "expand.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bits.h"

static int refuse(struct dun_complaint *complaint, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(complaint->text, sizeof complaint->text, format, arguments);
    va_end(arguments);
    return DUN_E_CORRUPT;
}

/* A varint whose first byte has its continuation bit set. Its length was checked by the parser. */
static uint64_t long_varint(const uint8_t **at)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        shift += 7;
    } while ((byte & 0x80) != 0);
    return value;
}

static inline uint64_t next_varint(const uint8_t **at)
{
    return (**at & 0x80) == 0 ? *(*at)++ : long_varint(at);
}

/* Room at the end of a list whose length all callers bound. */
static int64_t *add_numbers(struct dun_list *list, size_t count)
{
    if (!dun_list_reserve(list, list->count + count, sizeof(int64_t))) {
        return NULL;
    }
    int64_t *added = (int64_t *)list->items + list->count;
    list->count += count;
    return added;
}

/* The same for doubles: one for each point at the most. */
static double *add_reals(struct dun_parsed *record, size_t count)
{
    if (!dun_list_reserve(&record->reals, DUN_RECORD_ITEMS_MAX, sizeof(double))) {
        return NULL;
    }
    double *added = (double *)record->reals.items + record->reals.count;
    record->reals.count += count;
    return added;
}

/// Axes ///

/* Each checked alone, then all together. */
static int check_axes(const struct dun_parsed *record, struct dun_complaint *complaint)
{
    const struct dun_axis *axes = record->axes.items;
    size_t rows = 0;
    for (size_t i = 0; i < record->axes.count; i++) {
        if (axes[i].count == 0) {
            return refuse(complaint, "axis %zu has no rows", i);
        }
        rows += axes[i].count;
        if (rows > DUN_RECORD_ITEMS_MAX) {
            return refuse(complaint, "axis %zu: more than %zu rows", i, DUN_RECORD_ITEMS_MAX);
        }
        if (axes[i].jitter_count != 0 && axes[i].jitter_count != axes[i].count - 1) {
            return refuse(complaint, "axis %zu: %zu jitters for %u rows", i, axes[i].jitter_count,
                          (unsigned)axes[i].count);
        }
        if (axes[i].coded && axes[i].coding != dunlin_v1_Coding_CODING_UNSPECIFIED &&
            axes[i].coding != dunlin_v1_Coding_CODING_DELTA &&
            axes[i].coding != dunlin_v1_Coding_CODING_LEVEL) {
            return refuse(complaint, "axis %zu: coding %u", i, (unsigned)axes[i].coding);
        }
    }
    return 0;
}

/* No sum here overflows: each step is below 2^33 and starts within +-2^53. */
static bool expand_jitter(const struct dun_axis *axis, int64_t base, int64_t *times)
{
    const uint8_t *at = axis->jitter.data;
    int64_t time = base + axis->first_ms;
    for (uint32_t i = 0; i < axis->count; i++) {
        if (i > 0) {
            time += axis->interval_ms;
            if (axis->jitter_count > 0) {
                uint32_t zigzag = (uint32_t)next_varint(&at);
                time += (int32_t)((zigzag >> 1) ^ (0 - (zigzag & 1)));
            }
        }
        if (time < 0 || time > DUN_MS_MAX) {
            return false;
        }
        times[i] = time;
    }
    return true;
}

/* Likewise: how far a row leaves the grid stays within +-2^53, the grid within 2^54. */
static bool expand_grid(const struct dun_axis *axis, int64_t base, int64_t *times,
                        const char **wrong)
{
    struct dun_bits bits;
    int64_t leave = 0;
    dun_bits_begin(&bits, axis->bits);
    dun_bits_values(&bits, (uint64_t *)times + 1, axis->count - 1);
    *wrong = dun_bits_end(&bits);
    times[0] = 0;
    for (uint32_t i = 0; i < axis->count; i++) {
        if (times[i] < -2 * DUN_MS_MAX || times[i] > 2 * DUN_MS_MAX) {
            return false;
        }
        leave = times[i] + (axis->coding == dunlin_v1_Coding_CODING_LEVEL ? 0 : leave);
        if (leave < -DUN_MS_MAX || leave > DUN_MS_MAX) {
            return false;
        }
        times[i] = base + axis->first_ms + (int64_t)i * axis->interval_ms + leave;
        if (times[i] < 0 || times[i] > DUN_MS_MAX) {
            return false;
        }
    }
    return true;
}

static int expand_axes(struct dun_parsed *record, struct dun_complaint *complaint)
{
    int64_t base = (int64_t)record->batch.base_uptime_ms;
    struct dun_axis *axes = record->axes.items;
    for (size_t i = 0; i < record->axes.count; i++) {
        const char *wrong = NULL;
        axes[i].first = record->times.count;
        int64_t *times = add_numbers(&record->times, axes[i].count);
        if (times == NULL) {
            return refuse(complaint, "out of memory");
        }
        bool in_range = axes[i].coded ? expand_grid(&axes[i], base, times, &wrong)
                                      : expand_jitter(&axes[i], base, times);
        if (wrong != NULL || !in_range) {
            return refuse(complaint, "axis %zu: %s", i, wrong ? wrong : "uptime out of range");
        }
    }
    return 0;
}

/// Columns ///

/* The columns of one Column message, while they are expanded. */
struct group {
    struct dun_parsed *record;
    struct dun_bits bits;
    uint64_t metric; /* of the next column */
    struct dun_rows all, rows;
    size_t set_first;    /* index in record->sets of this group's set 1 */
    const int64_t *like; /* values of the last varying column with these rows */
    bool real;           /* columns are of doubles */
    const char *wrong;
};

static bool blame(struct group *group, const char *wrong)
{
    group->wrong = wrong;
    return false;
}

/* Notes that `columns` metrics have points in the rows in force, and makes room for the values of
 * one. NULL, with `wrong` set, if that is too much. */
static int64_t *add_columns(struct group *group, uint32_t columns)
{
    struct dun_parsed *record = group->record;
    struct dun_list *values = &record->values;
    size_t left = DUN_RECORD_ITEMS_MAX - record->points;
    if (group->metric + columns - 1 > UINT32_MAX || columns > left / group->rows.count) {
        group->wrong = "too many points, or a metric id out of range";
        return NULL;
    }
    int64_t *room = add_numbers(values, group->rows.count);
    for (uint32_t i = 0; room != NULL && i < columns; i++) {
        struct dun_expanded *one = dun_list_add(&record->expanded, sizeof *one);
        room = one != NULL ? room : NULL;
        if (one != NULL) {
            *one = (struct dun_expanded){(uint32_t)group->metric++, group->rows,
                                         values->count - group->rows.count, false};
        }
    }
    record->points += columns * group->rows.count;
    group->wrong = room == NULL ? "out of memory" : group->wrong;
    return room;
}

static bool expand_same(struct group *group, uint32_t columns, uint64_t value)
{
    int64_t *values = add_columns(group, columns);
    for (size_t i = 0; values != NULL && i < group->rows.count; i++) {
        values[i] = (int64_t)value;
    }
    return values != NULL;
}

/* From residuals to values, in place. */
static void sum_values(uint32_t coding, uint64_t *values, size_t count, uint64_t step,
                       const int64_t *like)
{
    uint64_t first = values[0];
    uint64_t delta = 0;
    for (size_t i = 1; i < count; i++) {
        uint64_t scaled = values[i] * step;
        switch (coding) {
        case dunlin_v1_Coding_CODING_DELTA2:
            delta += scaled;
            values[i] = values[i - 1] + delta;
            break;
        case dunlin_v1_Coding_CODING_LEVEL:
            values[i] = first + scaled;
            break;
        case dunlin_v1_Coding_CODING_LIKE:
            values[i] = values[i - 1] + scaled + ((uint64_t)like[i] - (uint64_t)like[i - 1]);
            break;
        case dunlin_v1_Coding_CODING_UNLIKE:
            values[i] = values[i - 1] + scaled - ((uint64_t)like[i] - (uint64_t)like[i - 1]);
            break;
        default:
            values[i] = values[i - 1] + scaled;
            break;
        }
    }
}

static bool is_like(uint32_t coding)
{
    return coding == dunlin_v1_Coding_CODING_LIKE || coding == dunlin_v1_Coding_CODING_UNLIKE;
}

/* The integers of a varying column. */
static bool take_varying(struct group *group, uint32_t coding, int64_t *room, size_t count)
{
    uint64_t *values = (uint64_t *)room;
    if (is_like(coding) && group->like == NULL) {
        return blame(group, "there is no column to be like");
    }
    uint64_t step = dun_bits_step(&group->bits);
    bool multiple = step > 1 && dun_bits_flag(&group->bits, 2);
    values[0] = dun_bits_number(&group->bits) * (multiple ? step : 1);
    if (coding == dunlin_v1_Coding_CODING_LIKE) {
        values[0] += (uint64_t)group->like[0];
    }
    dun_bits_values(&group->bits, values + 1, count - 1);
    sum_values(coding, values, count, step, group->like);
    return true;
}

static bool expand_varying(struct group *group, uint32_t coding)
{
    int64_t *values = add_columns(group, 1);
    if (values == NULL || !take_varying(group, coding, values, group->rows.count)) {
        return false;
    }
    group->like = values;
    return true;
}

/// Doubles ///

/* Makes the last columns those of doubles, and room for the values of one. */
static double *turn_real(struct group *group, uint32_t columns)
{
    struct dun_parsed *record = group->record;
    struct dun_expanded *last = (struct dun_expanded *)record->expanded.items;
    double *reals = add_reals(record, group->rows.count);
    for (uint32_t i = 0; i < columns; i++) {
        last[record->expanded.count - 1 - i].real = true;
        last[record->expanded.count - 1 - i].values = record->reals.count - group->rows.count;
    }
    if (reals == NULL) {
        group->wrong = "out of memory";
    }
    return reals;
}

static bool expand_zero_reals(struct group *group, uint32_t columns)
{
    double *reals = add_columns(group, columns) != NULL ? turn_real(group, columns) : NULL;
    for (size_t i = 0; reals != NULL && i < group->rows.count; i++) {
        reals[i] = 0;
    }
    return reals != NULL;
}

/* Marks the rows that are exceptions, and counts them. False: what is marked makes no sense. */
static bool take_marks(struct group *group, uint32_t coding, size_t *count)
{
    struct dun_list *marks = &group->record->marks;
    size_t rows = group->rows.count;
    uint32_t gap = 0;
    if (!dun_list_reserve(marks, rows, sizeof(bool))) {
        return blame(group, "out of memory");
    }
    bool *marked = marks->items;
    memset(marked, 0, rows * sizeof(bool));
    *count = 0;
    if (!dun_bits_flag(&group->bits, 4)) {
        return true;
    }
    for (size_t i = 0; i < rows; i++) {
        marked[i] = dun_bits_row(&group->bits, gap);
        gap = marked[i] ? 0 : gap + 1;
        *count += marked[i];
    }
    return (*count > 0 && !is_like(coding)) ||
           blame(group, "exceptions in no row, or in a column that is like another");
}

/* The integers that are scaled; all of them are doubles without a rest. */
static bool take_scaled(struct group *group, uint32_t coding, int64_t *values, size_t count)
{
    if (coding == dunlin_v1_Coding_CODING_CONSTANT) {
        int64_t value = (int64_t)dun_bits_number(&group->bits);
        for (size_t i = 0; i < count; i++) {
            values[i] = value;
        }
    } else if (!take_varying(group, coding, values, count)) {
        return false;
    }
    const int64_t largest = INT64_C(1) << 53;
    for (size_t i = 0; i < count; i++) {
        if (values[i] < -largest || values[i] > largest) {
            return blame(group, "an integer is too large for a double");
        }
    }
    return true;
}

/* One rounding: both operands are exact. */
static double scale(int64_t value, int exponent)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    return exponent < 0 ? (double)value / powers[-exponent] : (double)value * powers[exponent];
}

/* The integers come to stand before the exceptions' bits, in the room of the column. */
static bool expand_real(struct group *group, uint32_t coding)
{
    size_t rows = group->rows.count;
    size_t odd = 0;
    int exponent = 0;
    int64_t *values = add_columns(group, 1);
    double *reals = values != NULL ? turn_real(group, 1) : NULL;
    if (reals == NULL || !take_marks(group, coding, &odd)) {
        return false;
    }
    const int64_t *bits = values + rows - odd;
    if (odd > 0 && !take_varying(group, dunlin_v1_Coding_CODING_DELTA, values + rows - odd, odd)) {
        return false;
    }
    if (odd < rows) {
        exponent = (int)dun_bits_direct(&group->bits, 6) - 32;
        if (exponent < -22 || exponent > 22) {
            return blame(group, "exponent out of range");
        }
        if (!take_scaled(group, coding, values, rows - odd)) {
            return false;
        }
    }
    if (odd == 0 && coding != dunlin_v1_Coding_CODING_CONSTANT) {
        group->like = values;
    }
    const bool *marked = group->record->marks.items;
    for (size_t i = 0, next = 0; i < rows; i++) {
        if (marked[i]) {
            memcpy(&reals[i], bits++, sizeof reals[i]);
        } else {
            reals[i] = scale(values[next++], exponent);
        }
    }
    return true;
}

/// Sets of rows ///

static bool expand_rows(struct group *group)
{
    struct dun_parsed *record = group->record;
    if (record->rows + group->all.count > DUN_RECORD_ITEMS_MAX) {
        return blame(group, "too many rows");
    }
    record->rows += group->all.count;
    struct dun_rows *set = dun_list_add(&record->sets, sizeof *set);
    int64_t *times = add_numbers(&record->times, group->all.count);
    if (set == NULL || times == NULL) {
        return blame(group, "out of memory");
    }
    const int64_t *all = (const int64_t *)record->times.items + group->all.first;
    size_t count = 0;
    uint32_t gap = 0;
    for (size_t i = 0; i < group->all.count; i++) {
        bool present = dun_bits_row(&group->bits, gap);
        times[count] = all[i];
        count += present;
        gap = present ? 0 : gap + 1;
    }
    record->times.count -= group->all.count - count;
    *set = (struct dun_rows){record->times.count - count, count};
    group->rows = *set;
    group->like = NULL;
    return count > 0 || blame(group, "a set without rows");
}

static bool recall_rows(struct group *group, uint32_t index)
{
    const struct dun_rows *sets = group->record->sets.items;
    if (index > group->record->sets.count - group->set_first) {
        return blame(group, "there is no such set of rows");
    }
    group->rows = index == 0 ? group->all : sets[group->set_first + index - 1];
    group->like = NULL;
    return true;
}

/// Groups ///

/* `more`: how many of the same follow, or an index. */
static bool expand_coding(struct group *group, uint32_t coding, uint32_t more)
{
    bool going = true;
    switch (coding) {
    case dunlin_v1_Coding_CODING_ZERO:
        return group->real ? expand_zero_reals(group, more + 1) : expand_same(group, more + 1, 0);
    case dunlin_v1_Coding_CODING_REAL:
        group->real = more == 1;
        return more <= 1 || blame(group, "columns are of integers or of doubles");
    case dunlin_v1_Coding_CODING_SKIP:
        group->metric += (uint64_t)more + 1;
        return true;
    case dunlin_v1_Coding_CODING_ROWS:
        return more == 0 ? expand_rows(group) : blame(group, "a set of rows is told once");
    case dunlin_v1_Coding_CODING_SAME_ROWS:
        return recall_rows(group, more);
    case dunlin_v1_Coding_CODING_CONSTANT:
        for (uint32_t i = 0; i <= more && going; i++) {
            going = group->real ? expand_real(group, coding)
                                : expand_same(group, 1, dun_bits_number(&group->bits));
        }
        return going;
    case dunlin_v1_Coding_CODING_DELTA:
    case dunlin_v1_Coding_CODING_DELTA2:
    case dunlin_v1_Coding_CODING_LEVEL:
    case dunlin_v1_Coding_CODING_LIKE:
    case dunlin_v1_Coding_CODING_UNLIKE:
        for (uint32_t i = 0; i <= more && going; i++) {
            going = group->real ? expand_real(group, coding) : expand_varying(group, coding);
        }
        return going;
    default:
        return blame(group, "an unknown coding");
    }
}

static const char *expand_group(struct dun_parsed *record, const struct dun_column *column,
                                const struct dun_axis *axis)
{
    struct group group = {.record = record,
                          .metric = column->metric,
                          .all = {axis->first, axis->count},
                          .rows = {axis->first, axis->count},
                          .set_first = record->sets.count};
    const uint8_t *at = column->codings.data;
    dun_bits_begin(&group.bits, column->bits);
    if (column->coding_count > DUN_RECORD_ITEMS_MAX) {
        return "too many codings";
    }
    for (size_t i = 0; i < column->coding_count; i++) {
        uint32_t coding = (uint32_t)next_varint(&at);
        if (!expand_coding(&group, coding % 16, coding / 16) || group.bits.wrong != NULL) {
            return group.wrong != NULL ? group.wrong : group.bits.wrong;
        }
    }
    return dun_bits_end(&group.bits);
}

/* The older form: one metric, a varint a row. */
static const char *expand_deltas(struct dun_parsed *record, const struct dun_column *column,
                                 const struct dun_axis *axis)
{
    struct group group = {
        .record = record, .metric = column->metric, .rows = {axis->first, axis->count}};
    if (column->delta_count != 0 && column->delta_count != axis->count - 1) {
        return "deltas do not match the rows";
    }
    int64_t *values = add_columns(&group, 1);
    if (values == NULL) {
        return group.wrong;
    }
    const uint8_t *at = column->deltas.data;
    uint64_t value = (uint64_t)column->first;
    for (uint32_t i = 0; i < axis->count; i++) {
        uint64_t zigzag = i > 0 && column->delta_count > 0 ? next_varint(&at) : 0;
        value += (zigzag >> 1) ^ (0 - (zigzag & 1));
        values[i] = (int64_t)value;
    }
    return NULL;
}

int dun_expand_batch(struct dun_parsed *record, struct dun_complaint *complaint)
{
    const struct dun_column *columns = record->columns.items;
    const struct dun_axis *axes = record->axes.items;
    int result = check_axes(record, complaint);
    result = result == 0 ? expand_axes(record, complaint) : result;
    if (result < 0) {
        return result;
    }
    /* Columns are compared with those before them: the values must not move. */
    if (!dun_list_reserve(&record->values, DUN_RECORD_ITEMS_MAX, sizeof(int64_t))) {
        return refuse(complaint, "out of memory");
    }
    record->points = 0;
    record->rows = record->times.count;
    for (size_t i = 0; i < record->columns.count; i++) {
        if (columns[i].axis >= record->axes.count) {
            return refuse(complaint, "column %zu: there is no axis %u", i,
                          (unsigned)columns[i].axis);
        }
        const struct dun_axis *axis = &axes[columns[i].axis];
        const char *wrong = columns[i].coding_count > 0 ? expand_group(record, &columns[i], axis)
                                                        : expand_deltas(record, &columns[i], axis);
        if (wrong != NULL) {
            return refuse(complaint, "column %zu: %s", i, wrong);
        }
    }
    return 0;
}
