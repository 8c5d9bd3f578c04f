/*
 * columns.c: a record as dunlin.v1.Batch: time axes, and for each axis one message with the columns
 * of all metrics that share it. Integers only.
 *
 * Everything is written by walking the chains of the batch. What was chosen, and how long the bits
 * of each group came out, stands in the batch's plan, which lasts until a point is added: a record
 * that is sized and then written is coded twice, and no byte of it is kept in RAM.
 */
#include "axes.h"
#include "encoder.h"
#include "telemetry.pb.h"
#include "wire.h"

/// Groups of columns ///

/* The columns of one axis, and a walk along them. */
struct group {
    const struct dun_batch *batch;
    uint16_t axis;    /* not for a shared axis: that has all columns */
    uint16_t set;     /* the rows in force: 0 all, else a set of rows */
    uint16_t sets;    /* told so far */
    uint16_t varying; /* the last column that varies, DUN_POINT_NONE: none has these rows */
    bool real;        /* columns of doubles are in force */
    uint32_t run_coding, run_count; /* the last coding, not in `codings` yet */
    pb_ostream_t *codings;
    struct dun_coder *coder; /* NULL: only the codings are wanted */
};

static struct dun_column column_of(const struct group *group, uint16_t metric)
{
    return (struct dun_column){group->batch, metric, group->batch->plan.limit};
}

/* The first metric from this one on that has points here: a column of the group's axis. */
static uint16_t next_metric(const struct group *group, uint16_t metric)
{
    const struct dun_batch *batch = group->batch;
    const struct dun_chain *chains = batch->chains;
    while (metric < batch->chain_count &&
           (chains[metric].head >= batch->plan.limit ||
            (!batch->plan.shared && chains[metric].axis != group->axis)))
        metric++;
    return metric;
}

/* Adds a coding to the list: where it repeats the one before, that one counts further. */
static bool tell(struct group *group, uint32_t coding, uint32_t count)
{
    if (coding == group->run_coding && dun_coding_counts(coding)) {
        group->run_count += count;
        return true;
    }
    bool told = group->run_count == 0 || !group->codings ||
                pb_encode_varint(group->codings, group->run_coding + 16 * (group->run_count - 1));
    group->run_coding = coding;
    group->run_count = count;
    return told;
}

/* Sets are numbered as they are met: as the axes, less the one that has all rows. */
static uint16_t set_of(const struct dun_batch *batch, uint16_t metric)
{
    uint16_t axis = batch->chains[metric].axis;
    if (!batch->plan.shared || axis == batch->plan.full)
        return 0;
    return (uint16_t)(axis < batch->plan.full ? axis + 1 : axis);
}

static bool tell_rows(struct group *group, uint16_t metric)
{
    uint16_t set = set_of(group->batch, metric);
    if (set == group->set)
        return true;
    group->set = set;
    group->varying = DUN_POINT_NONE;
    if (set <= group->sets)
        return tell(group, dunlin_v1_Coding_CODING_SAME_ROWS, set + 1u);
    group->sets = set;
    if (group->coder)
        dun_axes_code_rows(group->coder, group->batch, group->batch->chains[metric].axis);
    return tell(group, dunlin_v1_Coding_CODING_ROWS, 1);
}

static bool tell_form(struct group *group, uint16_t metric)
{
    bool real = group->batch->chains[metric].form & DUN_FORM_REAL;
    if (real == group->real)
        return true;
    group->real = real;
    return tell(group, dunlin_v1_Coding_CODING_REAL, 1u + real);
}

static bool tell_column(struct group *group, uint16_t metric)
{
    uint8_t coding = group->batch->chains[metric].coding;
    struct dun_column column = column_of(group, metric);
    struct dun_column like = column_of(group, group->varying);
    if (group->coder)
        dun_column_code(group->coder, &column, group->varying == DUN_POINT_NONE ? NULL : &like);
    if (dun_coding_varies(coding) && dun_column_may_be_like(&column))
        group->varying = metric;
    return tell(group, coding, 1);
}

static bool walk_group(struct group *group)
{
    uint16_t metric = next_metric(group, 0);
    for (uint16_t next_id = metric; metric < group->batch->chain_count;
         metric = next_metric(group, next_id)) {
        if (metric > next_id &&
            !tell(group, dunlin_v1_Coding_CODING_SKIP, (uint32_t)(metric - next_id)))
            return false;
        if (!tell_rows(group, metric) || !tell_form(group, metric) || !tell_column(group, metric))
            return false;
        next_id = (uint16_t)(metric + 1);
    }
    return tell(group, dunlin_v1_Coding_CODING_UNSPECIFIED, 0);
}

static struct group begin_group(const struct dun_batch *batch, uint16_t axis)
{
    return (struct group){.batch = batch, .axis = axis, .varying = DUN_POINT_NONE};
}

static uint16_t group_count(const struct dun_batch *batch)
{
    return batch->plan.shared ? 1 : batch->plan.axes;
}

/// Planning ///

/* A column may be like the last varying one before it in its group, if both have the same rows:
 * the walk that writes follows the same rule. */
static void choose_codings(struct dun_batch *batch, uint16_t axis)
{
    struct group group = begin_group(batch, axis);
    uint8_t before = dunlin_v1_Coding_CODING_UNSPECIFIED;
    for (uint16_t metric = next_metric(&group, 0); metric < batch->chain_count;
         metric = next_metric(&group, (uint16_t)(metric + 1))) {
        struct dun_column column = column_of(&group, metric);
        struct dun_column like = column_of(&group, group.varying);
        uint16_t set = set_of(batch, metric);
        if (set != group.set)
            group.varying = DUN_POINT_NONE;
        group.set = set;
        dun_column_choose(batch, &column, group.varying == DUN_POINT_NONE ? NULL : &like, before);
        before = batch->chains[metric].coding;
        if (dun_coding_varies(before) && dun_column_may_be_like(&column))
            group.varying = metric;
    }
}

static void size_bits(struct dun_batch *batch, uint16_t axis)
{
    struct dun_coder coder;
    struct group group = begin_group(batch, axis);
    dun_coder_begin(&coder, NULL);
    group.coder = &coder;
    (void)walk_group(&group);
    (void)dun_range_end(&coder.range);
    batch->chains[axis].bits_size = coder.range.size;
}

static void make_plan(struct dun_batch *batch, uint16_t limit)
{
    dun_axes_plan(batch, limit);
    for (uint16_t axis = 0; axis < group_count(batch); axis++) {
        choose_codings(batch, axis);
        size_bits(batch, axis);
    }
}

/// Columns ///

static bool write_codings(pb_ostream_t *out, const void *context)
{
    struct group group = *(const struct group *)context;
    group.codings = out;
    return walk_group(&group);
}

static bool write_bits(pb_ostream_t *out, const struct group *group)
{
    uint32_t size = group->batch->chains[group->axis].bits_size;
    if (size == 0)
        return true;
    if (!pb_encode_tag(out, PB_WT_STRING, dunlin_v1_Column_bits_tag) ||
        !pb_encode_varint(out, size))
        return false;
    if (!out->callback)
        return pb_write(out, NULL, size);
    struct dun_coder coder;
    struct group written = *group;
    dun_coder_begin(&coder, out);
    written.coder = &coder;
    return walk_group(&written) && dun_range_end(&coder.range);
}

static bool write_column(pb_ostream_t *out, const void *context)
{
    const struct group *group = context;
    uint16_t first = next_metric(group, 0);
    if (first != 0 && !dun_wire_uint(out, dunlin_v1_Column_metric_tag, first))
        return false;
    if (group->axis != 0 && !dun_wire_uint(out, dunlin_v1_Column_axis_tag, group->axis))
        return false;
    return dun_wire_message(out, dunlin_v1_Column_codings_tag, write_codings, group) &&
           write_bits(out, group);
}

static bool write_columns(pb_ostream_t *out, const struct dun_batch *batch)
{
    for (uint16_t axis = 0; axis < group_count(batch); axis++) {
        struct group group = begin_group(batch, axis);
        if (!dun_wire_message(out, dunlin_v1_Batch_columns_tag, write_column, &group))
            return false;
    }
    return true;
}

/// The record ///

static bool write_points(pb_ostream_t *out, const struct dun_record *record)
{
    struct dun_batch *batch = record->batch;
    if (batch->plan.limit != record->point_count)
        make_plan(batch, record->point_count);
    return dun_axes_write(out, batch) && write_columns(out, batch);
}

static bool encode(pb_ostream_t *out, const struct dun_record *record)
{
    return dun_encode_batch(out, record, write_points);
}

const struct dun_encoder dun_columns = {.name = "columns", .announces = true, .encode = encode};
